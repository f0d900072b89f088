"""The index: it says what the folders say, survives its own damage, and nobody needs it to read."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.book.made import begin, declared, finish, result
from tunebook import durable
from tunebook.book import Book, database, index, open_book
from tunebook.errors import IntegrityError, NoSpace, UsageError


@pytest.fixture
def book(tmp_path: Path) -> Book:
    made = Book(tmp_path / "book")
    made.require_writable()
    return made


def dump(book: Book) -> list[str]:
    with closing(sqlite3.connect(book.index)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(connection.iterdump())


def fill(book: Book) -> list[Path]:
    folders = [begin(book, seed=seed) for seed in range(3)]
    finish(folders[0], 0), finish(folders[1], 1)
    for folder in folders:
        book.ingest(folder)
    book.record_experiment("reviews", "seeds = 3\n", {"seeds": 3}, [declared(seed=0)["run"]])
    return folders


def test_ingesting_twice_changes_nothing(book: Book) -> None:
    folders = fill(book)
    before = dump(book)
    for folder in reversed(folders):
        book.ingest(folder)
    assert dump(book) == before


def test_ingesting_follows_the_folder(book: Book) -> None:
    folder = begin(book)
    book.ingest(folder)
    assert '"accuracy"' not in "".join(dump(book))
    finish(folder)
    book.ingest(folder)
    assert '"accuracy"' in "".join(dump(book))
    shutil.rmtree(folder)
    book.ingest(folder)
    assert not any("INSERT" in line for line in dump(book))


def test_rebuilding_gives_the_same_index(book: Book) -> None:
    fill(book)
    before = dump(book)
    assert book.reindex() == 3
    assert dump(book) == before
    book.index.unlink()
    assert book.reindex() == 3
    assert dump(book) == before


def test_listing_is_the_same_with_and_without_the_index(book: Book) -> None:
    fill(book)
    listed = book.listing()
    assert [(run["seed"], run["status"]) for run in listed] == [
        (0, "finished"),
        (1, "finished"),
        (2, "interrupted"),
    ]
    assert listed[0]["result"] == result(0)
    assert {key: listed[2][key] for key in ("checkpoint", "method", "dataset", "result")} == {
        "checkpoint": "minilm-l6", "method": "full", "dataset": "reviews", "result": None,
    }  # fmt: skip
    short = [{key: value for key, value in run.items() if key != "result"} for run in listed]
    assert book.listing(with_results=False) == short
    book.index.unlink()
    assert book.listing() == listed
    book.index.write_bytes(b"no database at all" * 100)
    assert book.listing() == listed
    assert book.listing(with_results=False) == short


def test_the_folders_decide_what_is_listed(book: Book) -> None:
    folders = fill(book)
    late = finish(begin(book, seed=7), 7)  # finished, but killed before it was ingested
    shutil.rmtree(folders[0])
    (folders[1] / "result.json").unlink()  # begun anew
    assert {run["seed"]: run["status"] for run in book.listing()} == {
        1: "interrupted", 2: "interrupted", 7: "finished",
    }  # fmt: skip
    assert late.name in [run["folder"] for run in book.listing()]


def test_an_empty_or_missing_book_lists_nothing(tmp_path: Path) -> None:
    assert Book(tmp_path / "nowhere").listing() == []
    assert not (tmp_path / "nowhere").exists()


def test_how_the_file_is_kept(book: Book) -> None:
    fill(book)
    with database.writing(book.index) as connection:
        settings = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys", "user_version")
        }
    assert settings == {
        "journal_mode": "delete", "synchronous": 2, "busy_timeout": 30000, "foreign_keys": 1,
        "user_version": 1,
    }  # fmt: skip
    assert sorted(path.name for path in book.root.iterdir()) == [
        "book.sqlite",
        "cache",
        "experiments",
        "runs",
    ]


# --- faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["no database", "cut", "empty", "flipped"])
def test_a_damaged_index_is_told_and_made_again(book: Book, fault: str) -> None:
    folders = fill(book)
    before, data = dump(book), bytearray(book.index.read_bytes())
    if fault == "flipped":
        data[100:116] = bytes(byte ^ 0x55 for byte in data[100:116])  # the header of the first page's tree
    book.index.write_bytes(
        {"no database": b"x" * 5000, "cut": data[:5000], "empty": b"", "flipped": data}[fault]
    )
    if fault != "empty":
        with pytest.raises(IntegrityError, match=r"book\.sqlite is damaged .*tunebook reindex"):
            book.ingest(folders[0])
    assert book.reindex() == 3
    assert dump(book) == before


def test_a_damaged_run_is_not_blamed_on_the_index(book: Book) -> None:
    folders = fill(book)
    inode = book.index.stat().st_ino
    (folders[2] / "run.json").write_text("{")
    for act in (book.reindex, book.listing, lambda: book.ingest(folders[2])):
        with pytest.raises(IntegrityError, match=r"run\.json is damaged"):
            act()
    assert book.index.stat().st_ino == inode
    assert sum('INSERT INTO "runs"' in line for line in dump(book)) == 3


def test_a_full_disk_changes_nothing(book: Book) -> None:
    folder = fill(book)[0]
    before = dump(book)
    durable.write_json(folder / "result.json", {**result(), "long": "x" * 100_000})
    with closing(sqlite3.connect(book.index)) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    with (
        pytest.raises(NoSpace, match="nothing in it was changed"),
        database.writing(book.index) as connection,
    ):
        connection.execute(f"PRAGMA max_page_count={pages}")
        index._ingest(connection, folder)
    assert dump(book) == before


def test_a_newer_index_is_refused(book: Book) -> None:
    folder = fill(book)[0]
    with closing(sqlite3.connect(book.index)) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(UsageError, match="has version 99, this Tunebook knows versions up to 1"):
        book.ingest(folder)


def add_note(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT ''")


def fail_halfway(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE half (x)")
    raise RuntimeError("half done")


def test_a_migration_is_whole_and_the_file_before_it_is_kept(book: Book) -> None:
    fill(book)
    before = dump(book)
    migrations = (*database.MIGRATIONS, add_note)
    with pytest.raises(RuntimeError), database.writing(book.index, (*migrations, fail_halfway)):
        pass
    assert dump(book) == before
    for _ in range(2):
        with database.writing(book.index, migrations) as connection:
            assert connection.execute("SELECT count(*), max(note) FROM runs").fetchone() == (3, "")
    assert dump(Book(book.root)) != before
    with closing(sqlite3.connect(book.root / "book.sqlite.v1")) as copy:
        assert list(copy.iterdump()) == before


# --- several processes --------------------------------------------------------------------------------------


def ingest_many(root: Path, first: int, count: int) -> None:
    book = Book(root)
    for seed in range(first, first + count):
        book.ingest(begin(book, seed=seed))


def test_eight_writers_lose_nothing(book: Book) -> None:
    """They even make the file together; a reader is never told that the database is locked."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=ingest_many, args=(book.root, 25 * k, 25)) for k in range(8)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert len(book.listing()) <= 200
    assert [writer.exitcode for writer in writers] == [0] * 8
    with database.reading(book.index) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (200,)


def test_waiting_for_another_writer_has_an_end(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(book)[0]
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 50)
    with database.writing(book.index), pytest.raises(sqlite3.OperationalError, match="locked"):
        book.ingest(folder)


# --- names --------------------------------------------------------------------------------------------------


def test_a_run_is_found_by_name_or_the_beginning_of_its_hash(book: Book) -> None:
    folder, *others = fill(book)
    run = declared(seed=0)["run"]
    for name in (folder.name, run, run[:12], run[:20], run[:6], folder.name[:-3]):
        assert book.find(name) == folder
    assert others


@pytest.mark.parametrize(
    "name", ["", "..", "../runs", "/etc/passwd", "a\0b", "%2e%2e", "runs\\x", "nothing-like-it"]
)
def test_an_unknown_run_is_refused(book: Book, name: str) -> None:
    fill(book)
    with pytest.raises(UsageError, match="unknown run "):
        book.find(name)


def test_unknown_and_ambiguous_names_are_told(book: Book, tmp_path: Path) -> None:
    folders = fill(book)
    with pytest.raises(
        UsageError, match=r"unknown run 'minilm--full--reviews--s0'; did you mean 'minilm-l6--full"
    ):
        book.find("minilm--full--reviews--s0")
    with pytest.raises(UsageError, match=r"'minilm' fits 3 runs; give more") as caught:
        book.find("minilm")
    assert all(folder.name in str(caught.value) for folder in folders)
    with pytest.raises(UsageError, match="there are no runs in this book yet"):
        Book(tmp_path / "nowhere").find("a")
    for seed in range(3, 15):
        begin(book, seed=seed)
    with pytest.raises(UsageError, match="and 5 more"):
        book.find("minilm")
    with pytest.raises(UsageError, match="`tunebook list runs` shows all 15"):
        book.find("zzz")


def test_a_hash_that_goes_on_differently_is_unknown(book: Book) -> None:
    fill(book)
    with pytest.raises(UsageError, match="unknown run"):
        book.find(declared(seed=0)["run"][:12] + "z")


# --- experiments and the root -------------------------------------------------------------------------------


def test_an_experiment_is_recorded_once_and_grows(book: Book) -> None:
    first = book.record_experiment("pocket", "seeds = 2\n", {"seeds": 2}, ["a"])
    assert book.record_experiment("pocket", "seeds = 2\n", {"seeds": 2}, ["a", "b"]) == first
    other = book.record_experiment("pocket", "seeds = 3\n", {"seeds": 3}, [])
    assert other != first and other.name.startswith("pocket--")
    assert (first / "experiment.toml").read_text() == "seeds = 2\n"
    kept: dict[str, Any] = json.loads((first / "expansion.json").read_text())
    assert kept == {"name": "pocket", "expansion": {"seeds": 2}, "runs": ["a", "b"]}
    before = dump(book)
    book.reindex()
    assert sorted(dump(book)) == sorted(before)
    with pytest.raises(UsageError, match=r"experiment name '\.\./x' is not allowed"):
        book.record_experiment("../x", "", {}, [])


def test_where_the_book_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TUNEBOOK_HOME", raising=False)
    assert open_book().root == tmp_path / "book"
    monkeypatch.setenv("TUNEBOOK_HOME", str(tmp_path / "home"))
    assert open_book().root == tmp_path / "home"
    assert open_book(tmp_path / "root").root == tmp_path / "root"
    assert list(tmp_path.iterdir()) == []
