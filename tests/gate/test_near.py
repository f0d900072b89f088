"""Near duplicates: planted ones are found, unique texts are not, similarity is exact, 1.6 million take seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunebook.data import DataSource, load
from tunebook.data.dataset import Split
from tunebook.data.normal import normalise
from tunebook.gate import near
from tunebook.gate.scan import normal_texts, scan
from tunebook.gate.shingles import similarity


def split(texts: list[str]) -> Split:
    ids = [str(row) for row in range(len(texts))]
    return Split(
        "train", pa.table({"id": ids, "text": pa.chunked_array([pa.array(texts, pa.large_string())])}), ""
    )


def found(texts: list[str], split_of: list[int] | None = None) -> near.Near:
    given, seen = split(texts), scan(split(texts))
    return near.find(
        seen.keys,
        np.array(split_of or [0] * len(texts)),
        seen.signatures,
        texts=lambda rows: normal_texts(given, rows),
        characters=seen.normal_characters,
    )


def jaccard(one: str, other: str) -> float:
    """By the definition, from sets of three characters."""
    sets = [{text[i : i + 3] for i in range(len(text) - 2)} for text in map(normalise, (one, other))]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def vocabulary() -> list[str]:
    splits = load(DataSource(name="pocket")).splits.values()
    return sorted({word for one in splits for text in one.texts().to_pylist() for word in text.split()})


def tweets(count: int, *, seed: int = 0, words: int = 25) -> list[str]:
    """Texts of different words each, of the embedded vocabulary: no two are near one another."""
    generator, known = np.random.default_rng(seed), vocabulary()
    return [" ".join(known[i] for i in generator.integers(0, len(known), words)) for _ in range(count)]


def changed(text: str, generator: np.random.Generator, known: list[str]) -> str:
    """The text with one to three other characters, or one other word."""
    if generator.random() < 0.5:
        characters = list(text)
        for place in generator.integers(0, len(text), generator.integers(1, 4)):
            characters[place] = "abcdefghij"[generator.integers(0, 10)]
        return "".join(characters)
    words = text.split()
    words[generator.integers(0, len(words))] = known[generator.integers(0, len(known))]
    return " ".join(words)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=3, max_size=40), min_size=2, max_size=6
    )
)
def test_similarity_is_that_of_the_sets(texts: list[str]) -> None:
    normal = [text for text in map(normalise, texts) if len(text) >= 3]
    if len(normal) > 1:
        pairs = np.array([(a, b) for a in range(len(normal)) for b in range(len(normal))])
        computed = similarity(normal, pairs[:, 0], pairs[:, 1])
        assert computed.tolist() == [jaccard(normal[a], normal[b]) for a, b in pairs]


def test_planted_ones_are_found_and_nothing_else() -> None:
    generator, known = np.random.default_rng(1), vocabulary()
    texts = tweets(20_000)
    originals = generator.choice(len(texts), 2_000, replace=False)
    copies = [changed(texts[row], generator, known) for row in originals]
    planted = [
        (int(row), len(texts) + number)
        for number, row in enumerate(originals)
        if 0.9 <= jaccard(texts[row], copies[number]) < 1
    ]
    assert len(planted) > 800
    near_rows = found([*texts, *copies]).rows[:, 0]
    recall = np.mean([near_rows[row] and near_rows[copy] for row, copy in planted])
    assert recall >= 0.95, recall
    may_be = {
        row
        for pair in zip(originals.tolist(), range(len(texts), len(near_rows)), strict=True)
        for row in pair
    }
    assert set(np.flatnonzero(near_rows).tolist()) <= may_be, "only what is near by exact similarity is told"


def test_a_unique_set_has_none() -> None:
    assert not found(tweets(20_000)).rows.any()


def test_just_under_the_threshold_is_not_near() -> None:
    texts = tweets(2_000)
    generator, known = np.random.default_rng(2), vocabulary()
    copies = [
        changed(changed(changed(text, generator, known), generator, known), generator, known)
        for text in texts
    ]
    near_rows = found([*texts, *copies]).rows[:, 0]
    for row, (text, copy) in enumerate(zip(texts, copies, strict=True)):
        if near_rows[row]:
            assert jaccard(text, copy) >= 0.9


def test_across_splits_and_examples() -> None:
    texts = ["a sentence that is long enough for this", "something else entirely, with other words"]
    texts += ["a sentence that is long enough for thiz", "a sentence that is long enough for this"]
    one = found(texts, [0, 0, 1, 1])
    assert one.rows.tolist() == [[False, True], [False, False], [True, True], [False, True]]
    assert [pair[:2] for pair in one.examples[0, 1]] == [(0, 2)]
    assert [sorted(pair[:2]) for pair in one.examples[1, 1]] == [[2, 3]]


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["a"],
        ["", "a", "ab", "é", "A"],
        ["ok", "ok", "OK"],
        ["no", "yes"],
        ["same text"] * 50,
        ["\U0001f600" * 2, "x"],
    ],
)
def test_very_short_and_equal_texts_are_near_to_none(texts: list[str]) -> None:
    if texts:
        assert not found(texts).rows.any()
    else:
        assert similarity(["abc"], np.array([], int), np.array([], int)).tolist() == []


def test_thousands_of_one_pattern_cost_no_more_than_others() -> None:
    """5,000 texts that differ in a number: every one is found, without comparing each with each."""
    pattern = (
        "your parcel has been sent and will be with you on the day that we agreed, thank you, order number "
    )
    compared = 0

    def counting(rows: Any) -> list[str]:
        nonlocal compared
        compared += len(rows)
        return normal_texts(given, rows)

    given = split([f"{pattern}{number}" for number in range(5_000)])
    seen = scan(given)
    one = near.find(
        seen.keys,
        np.zeros(len(given), int),
        seen.signatures,
        texts=counting,
        characters=seen.normal_characters,
    )
    assert one.rows.mean() > 0.999 and compared < 10 * len(given)


_LARGE = """
import json, resource, sys, time
import numpy as np, pyarrow as pa
from benchmarks.data import tweets
from tunebook.data.dataset import Split
from tunebook.gate import near
from tunebook.gate.scan import normal_texts, scan

rows = int(sys.argv[1])
chunks, part = [], []
for number, text in enumerate(tweets(rows)):
    part.append(text)
    if number % 40 == 13 and len(text) > 60:
        part[-1] = last[:30] + "#" + last[31:]
    last = text if len(text) > 60 else text + " and so on and so on and so on and on and on"
    if len(part) == 65536:
        chunks.append(pa.array(part, pa.large_string()))
        part = []
chunks.append(pa.array(part, pa.large_string()))
split = Split("train", pa.table({"id": pa.array(np.arange(rows)).cast("string"), "text": pa.chunked_array(chunks)}), "")
begin = time.perf_counter()
seen = scan(split)
found = near.find(
    seen.keys, np.zeros(rows, int), seen.signatures,
    texts=lambda wanted: normal_texts(split, wanted), characters=seen.normal_characters,
)
seconds = time.perf_counter() - begin
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "bytes": memory, "near": int(found.rows.sum())}))
"""


@pytest.mark.slow
@pytest.mark.alone
def test_1_6_million_tweets_in_minutes_and_3_gb() -> None:
    """14 s and 1 GB on two busy cores where this was written; the promise is 4 minutes and 3 GB."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _LARGE, "1600000"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    print(measured)
    assert measured["near"] > 10_000, measured
    assert measured["seconds"] < 240 and measured["bytes"] < 3e9, measured
