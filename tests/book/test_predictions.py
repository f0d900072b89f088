"""Predictions: what is read is what was written, equal values are equal bytes, damage is found."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from tests.book.made import predictions
from tunebook.book.predictions import read_predictions, write_predictions
from tunebook.errors import IntegrityError


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    written = {"validation": predictions(1, 7), "test": predictions(2, 300)}
    write_predictions(tmp_path / "a.parquet", written)
    write_predictions(tmp_path / "b.parquet", written)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    found = read_predictions(tmp_path / "a.parquet")
    assert list(found) == list(written)
    for split, (ids, labels, logits) in written.items():
        assert found[split][0] == ids
        assert found[split][1].dtype == np.int64 and (found[split][1] == labels).all()
        assert found[split][2].dtype == np.float32 and found[split][2].tobytes() == logits.tobytes()


def test_scores_keep_their_fractions(tmp_path: Path) -> None:
    labels, logits = np.array([0.5, 4.25], np.float32), np.array([[0.1], [np.nan]], np.float32)
    write_predictions(tmp_path / "a.parquet", {"test": (["1", "2"], labels, logits)})
    found = read_predictions(tmp_path / "a.parquet")["test"]
    assert found[1].dtype == np.float32 and (found[1] == labels).all()
    assert found[2].shape == (2, 1) and np.array_equal(found[2], logits, equal_nan=True)


def test_damage_is_found_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    ids, labels, logits = predictions(0, 300)
    write_predictions(path, {"test": (ids, labels, logits)})
    whole, found = path.read_bytes(), 0
    draw = random.Random(0)
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole) * 3 // 4)] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            read = read_predictions(path)["test"]
            assert read[0] == ids and (read[1] == labels).all() and (read[2] == logits).all()
        except IntegrityError:
            found += 1
    assert found > 40
    for end in (0, 4, 50, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(IntegrityError, match="is damaged"):
            read_predictions(path)
