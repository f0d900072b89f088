"""What is read may only change together with the readers' version: it is part of a run's identity."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.data import owners
from tunebook.data import DataSource, load
from tunebook.data.assemble import READER_VERSION

VERSION = 1
GOLDEN = {
    "ag_news": "ce762971ce1f",
    "amazon_polarity": "6d810d27e0a2",
    "amazon_reviews": "a021ccb855a0",
    "cola": "27f345506275",
    "customer_reviews": "33174d00ae01",
    "imdb": "9a27d6bcc9ea",
    "movie_reviews": "70551ffea8b4",
    "mrpc": "8a035e1b1066",
    "rte": "17f2725213fe",
    "sentiment140": "594d6727ae28",
    "sst2": "911c691d6d5a",
    "stsb": "b19b0045a5e7",
    "subjectivity": "35ed920b332b",
    "trec": "0dd6a8d82ccb",
    "tweet_emotion": "4c7ec9d6309a",
    "tweet_irony": "6e3c6de79fb8",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_what_is_read_does_not_change_unnoticed(name: str, tmp_path: Path) -> None:
    owners.WRITERS[name](tmp_path)
    splits = load(DataSource(name=name, files=str(tmp_path))).splits.values()
    found = hashlib.sha256("".join(split.fingerprint for split in splits).encode()).hexdigest()[:12]
    assert found == GOLDEN[name], "raise READER_VERSION, and write down the new fingerprints"


def test_the_golden_values_are_those_of_this_version() -> None:
    assert READER_VERSION == VERSION and set(GOLDEN) == set(owners.WRITERS)
