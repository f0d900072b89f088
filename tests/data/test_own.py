"""Own files: what is decided about labels, how they are split, and what is refused with which advice."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunebook.data import Dataset, DataSource, load
from tunebook.data.labels import decide
from tunebook.data.own import read_columns
from tunebook.errors import DataRejected, TunebookError, UsageError

Row = dict[str, Any]


def reviews(count: int = 200) -> list[Row]:
    return [
        {"body": f"review {i}", "stars": str(1 + i % 5), "author": f"ann{i % 40}", "day": f"2024-01-{i:04}"}
        for i in range(count)
    ]


def save(path: Path, rows: list[Row]) -> str:
    """Write rows in the format that the path's ending says."""
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return str(path)
    if kind == "jsonl":
        text = "".join(json.dumps(row) + "\n" for row in rows)
    else:
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(rows[0]), delimiter="," if kind == "csv" else "\t")
        writer.writeheader()
        writer.writerows(rows)
        text = out.getvalue()
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return str(path)


def load_rows(tmp_path: Path, rows: list[Row], name: str = "reviews.csv", **options: Any) -> Dataset:
    source = {"text": ("body",), "label": "stars", "path": save(tmp_path / name, rows)} | options
    return load(DataSource(**source))


def sides(dataset: Dataset, column: str = "text") -> dict[Any, str]:
    """On which side each value of a column stands."""
    return {
        value: name for name, split in dataset.splits.items() for value in split.table[column].to_pylist()
    }


@pytest.mark.parametrize(
    "name", ["r.csv", "r.csv.gz", "r.tsv", "r.tsv.gz", "r.jsonl", "r.jsonl.gz", "r.parquet"]
)
def test_every_format_gives_the_same_dataset(name: str, tmp_path: Path) -> None:
    dataset = load_rows(tmp_path, reviews(), name)
    assert dataset.name == "r" and dataset.label_names == ("1", "2", "3", "4", "5")
    assert sides(dataset) == sides(load_rows(tmp_path, reviews(), "other.csv"))
    assert dataset.splits["train"].table.column_names == ["id", "text", "label"]
    assert "5 distinct whole numbers: classes '1', '2'" in dataset.notes["decided"]


def test_the_split_is_near_80_10_10(tmp_path: Path) -> None:
    sizes = {name: len(split) for name, split in load_rows(tmp_path, reviews(4000)).splits.items()}
    assert sum(sizes.values()) == 4000
    assert 3100 < sizes["train"] < 3300 and 330 < sizes["validation"] < 470 and 330 < sizes["test"] < 470


def test_adding_rows_moves_none(tmp_path: Path) -> None:
    before = sides(load_rows(tmp_path, reviews(100)))
    after = sides(load_rows(tmp_path, reviews(1000)[::-1]))
    assert all(after[text] == side for text, side in before.items())


def test_the_same_text_is_always_on_one_side(tmp_path: Path) -> None:
    rows = reviews(100)
    twins = [row | {"body": f"  {row['body'].upper()}\n"} for row in rows]
    dataset = load_rows(tmp_path, rows + twins)
    where = sides(dataset)
    assert all(where[twin["body"]] == where[row["body"]] for row, twin in zip(rows, twins, strict=True))
    assert dataset.notes["leaks"] == {"validation": 0, "train": 0}


def test_a_few_rows_fill_every_split(tmp_path: Path) -> None:
    rows = [{"body": f"text {i}", "stars": "ab"[i % 2]} for i in range(9)]
    assert all(len(split) for split in load_rows(tmp_path, rows).splits.values())


def test_given_files_are_the_splits(tmp_path: Path) -> None:
    other = [row | {"body": f"other {i}"} for i, row in enumerate(reviews(7))] + [reviews(1)[0]]
    test = save(tmp_path / "test.csv", other)
    dataset = load_rows(tmp_path, reviews(), test=test)
    assert dataset.splits["test"].texts().to_pylist() == [row["body"] for row in other]
    assert dataset.notes["leaks"]["train"] + dataset.notes["leaks"]["validation"] == 1
    assert len(dataset.splits["train"]) + len(dataset.splits["validation"]) == 199
    kept = load_rows(tmp_path, reviews(), test=test, keep_leaks=True)
    assert len(kept.splits["train"]) + len(kept.splits["validation"]) == 200
    assert kept.notes["leaks"] == dataset.notes["leaks"] and kept.notes["leaks_kept"]
    validation = save(tmp_path / "validation.csv", [other[-1], reviews(2)[1], other[0] | {"body": "new"}])
    both = load_rows(tmp_path, reviews(), test=test, validation=validation)
    assert {name: len(split) for name, split in both.splits.items()} == {
        "train": 198,
        "validation": 2,
        "test": 8,
    }
    assert both.notes["leaks"] == {"validation": 1, "train": 2}


def test_no_validation_is_possible(tmp_path: Path) -> None:
    dataset = load_rows(tmp_path, reviews(), validation="none")
    assert set(dataset.splits) == {"train", "test"}
    assert dataset.notes["split"] == "by a hash of the normalised text: train 90%, test 10%"


def test_a_label_that_train_does_not_have_is_refused(tmp_path: Path) -> None:
    test = save(tmp_path / "test.csv", [{"body": "x", "stars": "6"}, {"body": "y", "stars": "1"}])
    with pytest.raises(DataRejected, match="label '6' where a label of train: '1', '2'"):
        load_rows(tmp_path, reviews(), test=test)


def test_groups_stay_together_and_their_names_are_not_kept(tmp_path: Path) -> None:
    dataset = load_rows(tmp_path, reviews(400), group="author")
    groups = [set(split.table["group"].to_pylist()) for split in dataset.splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 40
    assert "ann" not in str(dataset.splits["train"].table.to_pylist())


def test_the_newest_rows_are_the_test(tmp_path: Path) -> None:
    dataset = load_rows(tmp_path, reviews(200)[::-1], split_by="day")
    numbers = {
        name: sorted(int(text.split()[1]) for text in split.texts().to_pylist())
        for name, split in dataset.splits.items()
    }
    assert numbers == {
        "train": list(range(160)),
        "validation": list(range(160, 180)),
        "test": list(range(180, 200)),
    }
    assert "2024" not in str(dataset.splits["test"].table.to_pylist())


def test_order_is_by_number_where_all_are_numbers(tmp_path: Path) -> None:
    rows = [row | {"day": i} for i, row in enumerate(reviews(120))]
    assert "review 119" in load_rows(tmp_path, rows, split_by="day").splits["test"].texts().to_pylist()


def test_dates_that_do_not_sort_are_refused(tmp_path: Path) -> None:
    rows = [row | {"day": f"{1 + i % 28}.12.2024"} for i, row in enumerate(reviews())]
    with pytest.raises(DataRejected, match=r"'1\.12\.2024', which does not sort by date"):
        load_rows(tmp_path, rows, split_by="day")
    with pytest.raises(DataRejected, match="no value in column 'day'"):
        load_rows(tmp_path, [*reviews(), reviews(1)[0] | {"day": ""}], split_by="day")
    with pytest.raises(UsageError, match="give one of them"):
        load_rows(tmp_path, reviews(), split_by="day", group="author")


@pytest.mark.parametrize(
    ("labels", "task", "names"),
    [
        (["10", "9", "1"], "classification", ("1", "9", "10")),
        (["good", "Bad", "good "], "classification", ("Bad", "good")),
        (["1.0", "0.0"], "classification", ("0", "1")),
        (["0.5", "1"], "regression", ()),
        ([str(i) for i in range(20)], "classification", tuple(str(i) for i in range(20))),
        ([str(i) for i in range(21)], "regression", ()),
        (["NA", "null", "nan"], "classification", ("NA", "nan", "null")),
        (["1", "2", "x"], "classification", ("1", "2", "x")),
    ],
)
def test_labels_are_classes_or_scores(
    labels: list[str], task: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    rows = [{"body": f"text {i}", "stars": labels[i % len(labels)]} for i in range(30 * len(labels))]
    dataset = load_rows(tmp_path, rows)
    assert (dataset.task, dataset.label_names) == (task, names)
    assert str(dataset.splits["train"].labels.dtype) == ("float32" if task == "regression" else "int64")


def test_the_task_can_be_said(tmp_path: Path) -> None:
    assert load_rows(tmp_path, reviews(), task="regression").splits["train"].labels.max() == 5.0
    rows = [{"body": f"text {i}", "stars": str(i % 25)} for i in range(900)]
    assert len(load_rows(tmp_path, rows, task="classification").label_names) == 25
    with pytest.raises(DataRejected, match="no numbers, so no scores: 'good'"):
        decide(["1", "good"], column="stars", task="regression")
    with pytest.raises(DataRejected, match="no scores: '1e999'"):
        decide(["1", "1e999"], column="stars", task="regression")
    with pytest.raises(UsageError, match="task 'ranking' is unknown"):
        decide(["1", "2"], column="stars", task="ranking")
    with pytest.raises(DataRejected, match="has numbers and also 'n/a'"):
        decide([*map(str, range(50)), "n/a"], column="stars", task=None)


def test_typed_labels_of_jsonl_and_parquet(tmp_path: Path) -> None:
    for values, names in (([True, False], ("false", "true")), ([3, 1], ("1", "3")), ([0.5, 2.0], ())):
        rows = [{"body": f"text {i}", "stars": values[i % 2]} for i in range(100)]
        for name in ("a.jsonl", "a.parquet"):
            assert load_rows(tmp_path, rows, name).label_names == names


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_several_labels_per_text_are_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    rows = [{"body": f"text {i}", "stars": ["a", "b"]} for i in range(9)]
    with pytest.raises(
        DataRejected, match=r"several labels for one text: \['a', 'b'\]; a text has one class"
    ):
        load_rows(tmp_path, rows, name)


def test_pairs_of_columns(tmp_path: Path) -> None:
    rows = [row | {"answer": f"answer {i}"} for i, row in enumerate(reviews())]
    dataset = load_rows(tmp_path, rows, text=("body", "answer"))
    pairs = dataset.splits["test"].pairs()
    assert pairs is not None and pairs[0].as_py().startswith("answer ")
    with pytest.raises(UsageError, match="3 columns"):
        load_rows(tmp_path, rows, text=("body", "answer", "day"))


def test_words_that_look_like_nothing_stay_texts_and_empty_ones_are_counted(tmp_path: Path) -> None:
    odd = ["NA", "null", "nan", "None", "مرحبا", "👩‍👩‍👧", "", "  \t ", "\u3000"]
    rows = reviews() + [{"body": text, "stars": "1", "author": "x", "day": "y"} for text in odd]
    dataset = load_rows(tmp_path, rows)
    assert set(odd[:6]) <= set(sides(dataset))
    assert dataset.notes["empty_dropped"] == {"train": 3} and dataset.notes["rows_read"] == {"train": 209}


def test_json_null_is_empty_and_other_values_are_no_text(tmp_path: Path) -> None:
    rows = reviews()
    rows[3]["body"] = None
    assert load_rows(tmp_path, rows, "a.jsonl").notes["empty_dropped"] == {"train": 1}
    assert load_rows(tmp_path, rows, "a.parquet").notes["empty_dropped"] == {"train": 1}
    rows[4]["body"] = 17
    with pytest.raises(DataRejected, match=r"line 5: 'body' is a int where a text"):
        load_rows(tmp_path, rows, "a.jsonl")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{broken", "no JSON"),
        ("[1]", "a JSON list where an object"),
        ('{"body": "x"}', "no 'stars'"),
        ('{"body": "\\ud800", "stars": 1}', "lone surrogate"),
        ('{"body": "x", "stars": NaN}', "label nan where a value"),
        ('{"body": "x", "stars": null}', "label None where a value"),
        ("[" * 5000, "no JSON"),
    ],
)
def test_bad_lines_of_jsonl(line: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    save(path, reviews())
    path.write_text(path.read_text() + line + "\n")
    source = DataSource(path=str(path), text=("body",), label="stars")
    with pytest.raises(DataRejected, match=f"(?s)1 bad row of 201.*line 201: .*{reason}"):
        load(source)
    dropped = load(DataSource(path=str(path), text=("body",), label="stars", drop_bad=1))
    assert dropped.notes["bad_dropped"] == 1


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        with pytest.raises(UsageError, match="no column 'boddy'; did you mean 'body'") as refused:
            load_rows(tmp_path, reviews(), name, text=("boddy",))
        assert "'stars', 'author', 'day'" in str(refused.value)


def test_headers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for content, error in (
        ("", "is empty"),
        ("body,stars,body\nx,1,y\n", "two columns have the same name 'body'"),
        ("a fine film,1\nx,1\n", "lacks its header line"),
        ("body,stars\n", "has 0 rows"),
        ("body;stars\nx;1\n", "separated by commas"),
    ):
        path.write_text(content)
        with pytest.raises(TunebookError, match=error):
            load(DataSource(path=str(path), text=("body",), label="stars"))


def test_too_little_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match=r"has 2 rows .* give more rows"):
        load_rows(tmp_path, reviews(2))
    with pytest.raises(DataRejected, match="one label only, '1'"):
        load_rows(tmp_path, [row | {"stars": "1"} for row in reviews()])
    rare = [*reviews(), {"body": "review 7", "stars": "rare", "author": "", "day": ""}]
    side = sides(load_rows(tmp_path, reviews()))
    rare[-1]["body"] = next(text for text, name in side.items() if name == "test").upper()
    with pytest.raises(DataRejected, match="train has no row of 1 of its 6 classes: 'rare'"):
        load_rows(tmp_path, rare)


def test_formats_that_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        load(DataSource(path=str(tmp_path / "none.csv")))
    for name in ("a.xlsx", "a.parquet.gz", "csv"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(UsageError, match="an ending that is not known"):
            load(DataSource(path=str(tmp_path / name)))
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataRejected, match="no whole Parquet file"):
        load(DataSource(path=str(tmp_path / "a.parquet")))
    pq.write_table(pa.table({"text": [b"bytes"], "label": [1]}), tmp_path / "b.parquet")
    with pytest.raises(DataRejected, match="'text' holds binary where texts are expected"):
        load(DataSource(path=str(tmp_path / "b.parquet")))
    with pytest.raises(UsageError, match="one of them"):
        load(DataSource(path="a.csv", name="pocket"))


def test_ids_are_the_id_column_or_the_line(tmp_path: Path) -> None:
    assert load_rows(tmp_path, reviews(50), "a.csv", validation="none").splits["train"].ids[0] in ("r2", "r3")
    rows = [row | {"id": f"x{i}"} for i, row in enumerate(reviews(50))]
    assert all(one.startswith("x") for one in load_rows(tmp_path, rows).splits["train"].ids)
    rows = [row | {"id": "same"} for row in reviews(50)]
    assert len(set(load_rows(tmp_path, rows).splits["train"].ids)) == len(
        load_rows(tmp_path, rows).splits["train"]
    )


@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz", "a.jsonl", "a.parquet"])
def test_columns_without_labels(name: str, tmp_path: Path) -> None:
    path = Path(save(tmp_path / name, [reviews(1)[0] | {"body": "", "stars": "x"}, *reviews(3)]))
    assert read_columns(path, ["body"]) == [("",), ("review 0",), ("review 1",), ("review 2",)]
    if name == "a.csv":
        assert read_columns(path, ["body", "stars"])[:2] == [("", "x"), ("review 0", "1")]
        path.write_text(path.read_text() + "ragged\n")
        with pytest.raises(DataRejected, match="1 bad row of 5"):
            read_columns(path, ["body"])
    with pytest.raises(UsageError, match="no column 'text'"):
        read_columns(path, ["text"])
    with pytest.raises(UsageError, match="0 columns are given"):
        read_columns(path, [])


def test_a_subset_is_stratified_and_exact(tmp_path: Path) -> None:
    rows = [{"body": f"text {i}", "stars": "ab"[i % 10 == 0]} for i in range(2000)]
    dataset = load_rows(tmp_path, rows, train_size=500)
    whole = load_rows(tmp_path, rows)
    share = whole.splits["train"].labels.mean()
    assert len(dataset.splits["train"]) == 500
    assert abs(dataset.splits["train"].labels.sum() - 500 * share) < 1
    assert dataset.splits["test"].fingerprint == whole.splits["test"].fingerprint
    with pytest.raises(UsageError, match="train_size = 5000 is not possible: train has"):
        load_rows(tmp_path, rows, train_size=5000)


def test_the_name_is_safe_whatever_the_file_is_called(tmp_path: Path) -> None:
    assert load_rows(tmp_path, reviews(), "My Reviews (2024)..é.csv.gz").name == "my-reviews-2024-.e"
    assert load_rows(tmp_path, reviews(), "con.csv").name == "x-con"


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(st.text('ab ",\n\r\t\0é', max_size=8), st.sampled_from(["0", "1", "", "x,"])), max_size=25
    )
)
def test_any_file_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("own") / "any.csv"
    path.write_bytes(("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows)).encode())
    try:
        dataset = load(DataSource(path=str(path), drop_bad=1000))
    except TunebookError:
        return
    kept = sum(map(len, dataset.splits.values()))
    dropped = dataset.notes["empty_dropped"]["train"] + sum(dataset.notes["leaks"].values())
    assert kept + dropped == dataset.notes["rows_read"]["train"]
