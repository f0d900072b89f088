"""The cache of datasets: the same content comes back memory-mapped, another content or option does not."""

from __future__ import annotations

import os
from pathlib import Path

from tunebook.data import Dataset, DataSource, load
from tunebook.data.dataset import fingerprint


def write(path: Path, count: int = 100) -> Path:
    path.write_text("text,label,author\n" + "".join(f"text {i},{i % 2},a{i % 9}\n" for i in range(count)))
    return path


def same(first: Dataset, second: Dataset) -> bool:
    return all(
        first.splits[name].fingerprint == split.fingerprint and first.splits[name].table == split.table
        for name, split in second.splits.items()
    ) and (first.notes, first.label_names) == (second.notes, second.label_names)


def test_what_comes_from_the_cache_is_what_was_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv")
    plain = load(DataSource(path=str(path), group="author"))
    for _ in range(2):
        cached = load(DataSource(path=str(path), group="author"), cache=tmp_path / "cache")
        assert same(plain, cached) and list(plain.splits) == list(cached.splits)
        assert all(fingerprint(split.table) == split.fingerprint for split in cached.splits.values())
    assert len(list((tmp_path / "cache" / "datasets").iterdir())) == 1


def test_content_and_options_decide_not_time_or_place(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    path = write(tmp_path / "a.csv")

    def entries(source: DataSource) -> int:
        load(source, cache=cache)
        return len(list((cache / "datasets").iterdir()))

    assert entries(DataSource(path=str(path))) == 1
    os.utime(path, (0, 0))
    assert entries(DataSource(path=str(path))) == 1
    (tmp_path / "moved").mkdir()
    assert entries(DataSource(path=str(path.rename(tmp_path / "moved" / "a.csv")))) == 1
    path = tmp_path / "moved" / "a.csv"
    assert entries(DataSource(path=str(path), train_size=40)) == 2
    write(path, 101)
    assert entries(DataSource(path=str(path))) == 3


def test_a_damaged_entry_is_read_anew(tmp_path: Path) -> None:
    source = DataSource(path=str(write(tmp_path / "a.csv")))
    before = load(source, cache=tmp_path)
    (arrow,) = (tmp_path / "datasets").rglob("train.arrow")
    content = bytearray(arrow.read_bytes())
    content[len(content) // 2] ^= 4
    arrow.unlink()
    arrow.write_bytes(content)
    assert same(load(source, cache=tmp_path), before)


def test_named_datasets_are_cached_too(tmp_path: Path) -> None:
    first = load(DataSource(name="pocket"), cache=tmp_path)
    assert same(first, load(DataSource(name="pocket"), cache=tmp_path))
    assert first.splits["test"].fingerprint == load(DataSource(name="pocket")).splits["test"].fingerprint
