"""Columns that tell the label: planted ones are found with an interval that holds, others are not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tunebook.data import DataSource, load
from tunebook.data.further import further_columns
from tunebook.gate import Predictive, check, remarks
from tunebook.gate.auc import auc
from tunebook.gate.metadata import _date, _folds, _rates, predictive


def told(path: Path, rows: list[dict[str, object]]) -> dict[str, Predictive]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = DataSource(path=str(path))
    return {one.column: one for one in predictive(load(source), source)}


def planted(count: int, seed: int = 0, classes: int = 2) -> list[dict[str, object]]:
    generator = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for number in range(count):
        label = int(generator.integers(0, classes))
        day = int(np.clip(generator.normal(14 + 3 * (label == 1), 4), 1, 28))
        rows.append(
            {
                "text": f"text {number} {generator.integers(0, 10**9)}",
                "label": f"class {label}",
                "when": f"Mon Jun {day:02d} 11:00:00 PDT 2009",
                "iso": f"2009-06-{day:02d}T11:00:00",
                "number": float(day),
                "user": f"u{generator.integers(0, count // 2)}",
                "shop": f"s{generator.integers(0, 5) if generator.random() < 0.6 else 5 + (label == 1)}",
                "noise": float(generator.normal()),
                "constant": "NO_QUERY",
                "tags": ["a list"],
            }
        )
    return rows


@pytest.mark.parametrize("classes", [2, 4])
def test_what_tells_the_label_is_found_and_what_does_not_is_not(tmp_path: Path, classes: int) -> None:
    found = told(tmp_path / "x.jsonl", planted(3_000, classes=classes))
    assert set(found) == {"when", "iso", "number", "user", "shop", "noise", "position in the file"}
    for column in ("when", "iso", "number", "shop"):
        assert found[column].low > 0.6 and found[column].label == "class 1", found[column]
    assert found["when"].auc == found["iso"].auc == found["number"].auc
    assert found["shop"].how == "values" and found["number"].how in ("order", "ranges")
    for column in ("noise", "user", "position in the file"):
        assert found[column].low < 0.55, found[column]


def test_a_column_that_bends_is_read_by_ranges(tmp_path: Path) -> None:
    rows = [
        dict(text=f"t {i}", label=f"l{(i * 7 % 100) // 25 % 3 % 2}", hour=i * 7 % 100) for i in range(2_000)
    ]
    found = told(tmp_path / "x.jsonl", rows)
    assert found["hour"].how == "ranges" and found["hour"].low > 0.95


def test_scores_pairs_and_sorted_files(tmp_path: Path) -> None:
    rows = [
        dict(text=f"t {i}", label=i / 7 + 0.1, year=2000 + i // 30, back=-i, other=(i * 7919) % 997)
        for i in range(300)
    ]
    found = told(tmp_path / "x.jsonl", rows)
    assert found["position in the file"].auc == found["back"].auc == 1.0 and found["year"].low > 0.99
    assert found["other"].low < 0.55 and found["back"].label == "over the median"
    source = DataSource(path=str(tmp_path / "x.jsonl"))
    said = [one for one in remarks(check(load(source), source).as_object()) if one.code == "telling_column"]
    assert len(said) == 3 and any("shuffle before" in one.do for one in said)


def test_every_format_has_the_same_columns(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"body": f"t {i}", "stars": "ab"[i % 2], "id": f"n{i}", "year": str(i % 5)} for i in range(20)]
    table = "\n".join(["body,stars,id,year", *(",".join(row.values()) for row in rows)])
    (tmp_path / "x.csv").write_text(table)
    (tmp_path / "x.tsv").write_text(table.replace(",", "\t"))
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    for ending in ("csv", "tsv", "jsonl", "parquet"):
        source = DataSource(path=str(tmp_path / f"x.{ending}"), text=("body",), label="stars")
        ids = load(source).splits["train"].ids
        found = further_columns(source, ids)
        assert set(found) == set(ids), ending
        assert all(
            found[one] | {"position in the file": 0}
            == {"id": one, "year": str(int(one[1:]) % 5), "position in the file": 0}
            for one in ids
        )


def test_the_area_is_sklearns_and_its_interval_holds() -> None:
    generator = np.random.default_rng(0)
    inside = []
    for _ in range(400):
        is_it = generator.random(200) < 0.4
        scores = generator.normal(size=200).round(1) + is_it
        area, low, high = auc(scores, is_it)
        assert area == pytest.approx(roc_auc_score(is_it, scores), abs=1e-12)
        inside.append(
            low <= 0.7602 <= high
        )  # of two normals one apart: the normal's distribution at 1 / sqrt(2)
    assert 0.92 < np.mean(inside) < 0.98
    assert all(value != value for value in auc(np.arange(4), np.ones(4, bool)))


def test_delong_by_its_definition() -> None:
    generator = np.random.default_rng(3)
    is_it = np.array([True] * 15 + [False] * 20)
    scores = generator.integers(0, 12, 35) + 2 * is_it
    wins = (scores[:15, None] > scores[15:]) + 0.5 * (scores[:15, None] == scores[15:])
    spread = np.sqrt(wins.mean(1).var(ddof=1) / 15 + wins.mean(0).var(ddof=1) / 20)
    assert auc(scores, is_it) == pytest.approx(
        (wins.mean(), max(0, wins.mean() - 1.959964 * spread), min(1, wins.mean() + 1.959964 * spread)),
        abs=1e-6,
    )


@pytest.mark.parametrize("values", [2, 50, 1000])
def test_rates_learned_on_other_rows_say_nothing_where_there_is_nothing(values: int) -> None:
    generator, areas, above = np.random.default_rng(values), [], []
    for _ in range(150):
        codes, is_it = generator.integers(0, values, 1_000), generator.random(1_000) < 0.5
        area, low, _ = auc(_rates(codes, is_it), is_it, groups=_folds(codes))
        areas.append(area)
        above.append(low > 0.5)
    assert abs(np.mean(areas) - 0.5) < 0.006 and np.mean(above) < 0.1


def test_dates_in_the_ways_people_write_them() -> None:
    same = (
        "2009-06-16T18:18:12",
        "2009-06-16 18:18:12",
        "Tue Jun 16 18:18:12 PDT 2009",
        "Tue, 16 Jun 2009 18:18:12",
    )
    assert len({_date(text) for text in same}) == 1
    assert _date("16.06.2009") == _date("2009-06-16") == _date("06/16/2009")
    assert _date("yesterday") is None
