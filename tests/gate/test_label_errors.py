"""Suspect labels: the formula of confident learning, planted errors, and what cannot be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tunebook.data import DataSource, load
from tunebook.gate import label_errors
from tunebook.gate.confident import counted_as, out_of_fold, suspects


def by_the_paper(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equations 1 and 2 of Northcutt et al. 2021 row by row: the confident joint, and rows off its diagonal."""
    classes = range(probabilities.shape[1])
    threshold = [
        np.mean([p[j] for p, y in zip(probabilities, labels, strict=True) if y == j]) for j in classes
    ]
    joint, off = np.zeros((len(classes), len(classes)), int), []
    for row, (p, y) in enumerate(zip(probabilities, labels, strict=True)):
        over = [j for j in classes if p[j] >= threshold[j]]
        if over:
            likely = max(over, key=lambda j: p[j])
            joint[y, likely] += 1
            if likely != y:
                off.append(row)
    return joint, np.array(sorted(off, key=lambda row: probabilities[row, labels[row]]), int)


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_it_is_the_papers_formula(classes: int) -> None:
    generator = np.random.default_rng(classes)
    probabilities = generator.dirichlet(np.ones(classes), 400)
    labels = np.array([generator.choice(classes, p=row) for row in probabilities])
    joint, off = by_the_paper(probabilities, labels)
    found = counted_as(probabilities, labels)
    assert [
        [int(((labels == i) & (found == j)).sum()) for j in range(classes)] for i in range(classes)
    ] == joint.tolist()
    assert suspects(probabilities, labels).tolist() == off.tolist()


def test_a_class_without_rows_takes_none() -> None:
    probabilities = np.array([[0.2, 0.7, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
    assert 2 not in counted_as(probabilities, np.array([0, 1, 0])).tolist()


def test_predictions_are_of_models_that_did_not_see_the_row() -> None:
    generator = np.random.default_rng(0)
    features, labels = generator.normal(size=(400, 200)), generator.integers(0, 2, 400)
    assert abs((out_of_fold(features, labels).argmax(1) == labels).mean() - 0.5) < 0.1
    assert (out_of_fold(features, labels) == out_of_fold(features, labels)).all()


def reviews(path: Path, wrong: frozenset[int] = frozenset(), rows: int = 600) -> DataSource:
    generator = np.random.default_rng(0)
    words = [[f"good{i}" for i in range(30)], [f"bad{i}" for i in range(30)]]
    lines = []
    for row in range(rows):
        told = " ".join(generator.choice(words[row % 2], 6))
        lines.append(f"{told} n{row},{'pos' if (row % 2 == 0) != (row in wrong) else 'neg'}")
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    return DataSource(path=str(path), validation="none", test=None)


def test_planted_errors_come_first_and_test_is_not_read(tmp_path: Path) -> None:
    wrong = frozenset(range(7, 600, 29))
    dataset = load(reviews(tmp_path / "x.csv", wrong))
    ids = set(dataset.splits["train"].ids)
    planted = {f"r{row + 2}" for row in wrong} & ids
    found = label_errors(dataset)
    first = [one["id"] for one in found["first"]]
    assert found["rows"] == len(ids) and len(set(first[: len(planted)]) & planted) >= 0.9 * len(planted)
    assert (
        found["suspect"] >= 0.9 * len(planted) and found["first"][0]["likely"] != found["first"][0]["label"]
    )
    clean = label_errors(load(reviews(tmp_path / "y.csv")))
    assert clean["suspect"] == 0 and clean["accuracy"] > 0.99


def test_features_take_the_place_of_words(tmp_path: Path) -> None:
    dataset = load(reviews(tmp_path / "x.csv"))
    train = dataset.splits["train"]
    features = np.stack([train.labels, 1 - train.labels], axis=1) * 9.0
    found = label_errors(dataset, features)
    assert found["features"] == "checkpoint" and found["accuracy"] == 1 and not found["suspect"]


def test_what_is_not_looked_at_says_why(tmp_path: Path) -> None:
    rows = [f"t {i},{i / 3 + 0.1}" for i in range(40)]
    (tmp_path / "scores.csv").write_text("\n".join(["text,label", *rows]))
    assert label_errors(load(DataSource(path=str(tmp_path / "scores.csv")))) == {
        "why_not": "labels are scores"
    }
    few = load(reviews(tmp_path / "few.csv", rows=8))
    assert "fewer than two classes have 5 rows" in label_errors(few)["why_not"]


def test_a_rare_class_is_left_out(tmp_path: Path) -> None:
    source = reviews(tmp_path / "x.csv")
    with (tmp_path / "x.csv").open("a") as file:
        file.writelines(f"odd text {i},rare\n" for i in range(3))
    dataset = load(source)
    assert "rare" in dataset.label_names
    found = label_errors(dataset)
    assert found["rows"] < len(dataset.splits["train"])
    assert {one["label"] for one in found["first"]} <= {"pos", "neg"}
