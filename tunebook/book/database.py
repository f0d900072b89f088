"""The SQLite file of the book: how it is opened, checked and brought to the present version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tunebook import durable
from tunebook.errors import IntegrityError, NoSpace, UsageError

if TYPE_CHECKING:
    from sqlite3 import Connection

Migration = Callable[["Connection"], None]
BUSY_MILLISECONDS = 30_000


def create_tables(connection: Connection) -> None:
    """Version 1: runs and experiments, each with the folder that is the truth about it."""
    connection.execute(
        "CREATE TABLE runs (run TEXT PRIMARY KEY, folder TEXT NOT NULL UNIQUE, checkpoint TEXT NOT NULL, "
        "method TEXT NOT NULL, dataset TEXT NOT NULL, seed INTEGER NOT NULL, "
        "declared TEXT NOT NULL, result TEXT)"
    )
    connection.execute(
        "CREATE TABLE experiments (folder TEXT PRIMARY KEY, name TEXT NOT NULL, toml TEXT NOT NULL, "
        "expansion TEXT NOT NULL)"
    )


MIGRATIONS: tuple[Migration, ...] = (create_tables,)
"""What takes the file from version n to n + 1, in order. New ones come at the end; none is ever changed."""


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A connection that cannot write, to a file that is there, perhaps on a read-only disk.

    Raises:
        sqlite3.Error: it cannot be read, or a crash left it in need of a writer.
    """
    import sqlite3

    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


@contextmanager
def writing(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> Iterator[Connection]:
    """A transaction on the file, made or migrated first if need be: all of the block's changes, or none.

    The connection lives for the block only: one that outlives a fork corrupts the file.

    Raises:
        UsageError: the file cannot be written, or was made by a newer Tunebook.
        IntegrityError: the file is damaged.
        NoSpace: the disk or a quota is full; nothing changed.
    """
    import sqlite3

    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            _prepare(connection)
            _migrate(connection, path, migrations)
            with _transaction(connection):
                yield connection
            durable.point("index.committed")
    except sqlite3.Error as error:
        _explain(error, path)
        raise


def _explain(error: Exception, path: Path) -> None:
    """Raise our own error for what a user can do something about."""
    code = getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_")
    if code.startswith("FULL"):
        raise NoSpace(
            f"no space for {path}: nothing in it was changed; make room, then do the same again"
        ) from error
    if code.startswith(("READONLY", "CANTOPEN", "PERM")):
        raise UsageError(
            f"cannot write {path} ({error}); expected a book that this user may write"
        ) from error
    if code.startswith(("CORRUPT", "NOTADB")):
        raise IntegrityError(f"{path} is damaged ({error}); `tunebook reindex` makes it again") from error


def _prepare(connection: Connection) -> None:
    # A rollback journal: the write-ahead log of SQLite 3.7.0 to 3.51.2, which systems still ship, can corrupt
    # the file when two connections checkpoint at once, and it cannot be read from a read-only disk.
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA mmap_size=0")


def _check(connection: Connection, path: Path) -> None:
    faults = [row[0] for row in connection.execute("PRAGMA quick_check")]
    if faults != ["ok"]:
        raise IntegrityError(f"{path} is damaged ({faults[0]}); `tunebook reindex` makes it again")


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    """Everything or nothing. The lock for writing is taken at once: two writers queue and never deadlock."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        durable.point("index.begun")
        yield
        durable.point("index.written")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: Connection, path: Path, migrations: Sequence[Migration]) -> None:
    """Bring the file to the present version, after a copy of it was put beside it, in one transaction."""
    _check(connection, path)
    version = _version(connection)
    if version > len(migrations):
        raise UsageError(
            f"{path} has version {version}, this Tunebook knows versions up to {len(migrations)}; install a "
            "newer one, or move the file away and run `tunebook reindex`"
        )
    if version == len(migrations):
        return
    if version:
        _copy(connection, path.with_name(f"{path.name}.v{version}"))
    with _transaction(connection):
        for migration in migrations[
            _version(connection) :
        ]:  # read again: another process may have been faster
            migration(connection)
        connection.execute(f"PRAGMA user_version={len(migrations)}")


def _copy(connection: Connection, to: Path) -> None:
    import sqlite3

    with closing(sqlite3.connect(to)) as copy:
        connection.backup(copy)
