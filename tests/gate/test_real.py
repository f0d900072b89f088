"""The gate on the real datasets: what their owners and readers have published of them is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tunebook.data import DataSource, load
from tunebook.gate import Findings, check, remarks
from tunebook.gate.confident import _tfidf, out_of_fold, suspects

pytestmark = [pytest.mark.real_data, pytest.mark.usefixtures("real_data")]


def looked_at(name: str) -> Findings:
    source = DataSource(name=name)
    return check(load(source), source)


def test_sentiment140_copies_encodings_and_entities() -> None:
    found = looked_at("sentiment140")
    sample = [found.splits[name] for name in ("train", "validation", "test")]
    assert sum(split.identical for split in sample) == 18
    assert sum(split.duplicates for split in sample) == 30, "case and spaces apart"
    assert sum(split.contradictions or 0 for split in sample) == 1
    texts = [
        text
        for split in load(DataSource(name="sentiment140")).splits.values()
        for text in split.texts().to_pylist()
    ]
    assert (
        sum(split.decoding["mis_decoded"] for split in sample)
        == sum(not text.isascii() for text in texts)
        == 177
    )
    assert sum(split.decoding["html_entities"] for split in sample) == 1_227
    assert sum("&amp;" in text or "&quot;" in text for text in texts[:20_000]) == 981


def test_sentiment140s_date_and_id_tell_the_label() -> None:
    told = {one.column: one for one in looked_at("sentiment140").metadata}
    for column in ("date", "ids"):
        assert 0.66 < told[column].low < told[column].auc < told[column].high < 0.70
    assert told["position in the file"].low < 0.55 and told["user"].low < 0.55
    codes = [
        one.what for one in remarks(looked_at("sentiment140").as_object()) if one.code == "telling_column"
    ]
    assert len(codes) == 2 and "AUC 0.679, 95 % interval 0.670 to 0.688" in codes[0]


def test_ag_news_validation_lies_wholly_inside_train() -> None:
    found = remarks(looked_at("ag_news").as_object())
    assert found[0].severity == "serious"
    assert (
        found[0].what
        == "as distributed, 1,000 of 1,000 rows of validation stand in train: it lies wholly inside"
    )


def test_imdb_reviews_in_both_halves() -> None:
    found = looked_at("imdb")
    (before,) = found.as_distributed
    assert (before.first, before.second, before.rows, before.rows_of_second) == ("train", "test", 123, 123)
    assert {one.column for one in found.metadata if one.auc == 1} == {"rating", "position in the file"}


def test_sst2_and_the_reviews_that_it_comes_from() -> None:
    (known,) = looked_at("sst2").known
    assert known.other == "movie_reviews" and known.measured is not None
    small = [known.measured[name] for name in ("test", "test_labelled")]
    assert 0.78 < sum(one["rows"] for one in small) / sum(one["of"] for one in small) < 0.80
    (back,) = looked_at("movie_reviews").known
    assert back.other == "sst2" and back.measured is not None and back.measured["test"]["rows"] > 1_400


@pytest.mark.slow
def test_flipped_labels_of_sst2_are_among_the_first_suspects() -> None:
    """Of the first 5 % of train by self-confidence, at least half are labels that were flipped."""
    train = load(DataSource(name="sst2")).splits["train"]
    labels, generator = train.labels.copy(), np.random.default_rng(0)
    flipped = np.zeros(len(labels), bool)
    flipped[generator.choice(len(labels), len(labels) // 20, replace=False)] = True
    labels[flipped] = 1 - labels[flipped]
    place = train.table.column_names.index("label")
    train = replace(train, table=train.table.set_column(place, "label", pa.array(labels)))
    probabilities = out_of_fold(_tfidf(train, np.arange(len(train))), labels)
    first = np.argsort(probabilities[np.arange(len(labels)), labels])[: len(labels) // 20]
    found = suspects(probabilities, labels)[: len(first)]
    print(flipped[first].mean(), flipped[found].mean(), len(found))
    assert flipped[first].mean() >= 0.5 and flipped[found].mean() >= 0.5
