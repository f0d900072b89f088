"""What in the book no run needs any more, and removing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import durable
from tunebook.book.folder import RESULT
from tunebook.book.lock import hold, holder
from tunebook.book.snapshots import has_snapshots, set_aside
from tunebook.durable.disk import remove
from tunebook.errors import Busy

if TYPE_CHECKING:
    from tunebook.book import Book


@dataclass(frozen=True)
class Garbage:
    """Something that can go: where it is, and why nobody needs it."""

    path: Path
    reason: str

    @property
    def size_bytes(self) -> int:
        """The bytes of its files."""
        files = [self.path] if self.path.is_file() else self.path.rglob("*")
        return sum(file.lstat().st_size for file in files if not file.is_dir())


def gc(book: Book, *, dry_run: bool) -> dict[str, Any]:
    """Remove, or with `dry_run` only name, what no run needs; never anything of a run that is worked on.

    Returns `{"removed": [{"path": from the book's root, "bytes", "reason"}], "bytes": in all}`.

    Raises:
        UsageError: the book is read-only.
    """
    if not dry_run:
        book.require_writable()
    removed = []
    for owner, garbage in _everything(book):
        removed += [
            {
                "path": item.path.relative_to(book.root).as_posix(),
                "bytes": item.size_bytes,
                "reason": item.reason,
            }
            for item in garbage
        ]
        if not dry_run:
            _remove(owner, garbage)
    return {"removed": removed, "bytes": sum(item["bytes"] for item in removed)}


def _everything(book: Book) -> Iterator[tuple[Path | None, list[Garbage]]]:
    """Garbage by the run that owns it, None for what is nobody's."""
    shared = [book.root, book.runs, book.experiments, *_folders(book.experiments), *_folders(book.cache)]
    yield None, [item for folder in shared for item in _unfinished(folder)]
    yield None, _unreferenced(book)
    for folder in _folders(book.runs):
        if holder(folder) is None:
            yield folder, _of_run(folder)


def _remove(owner: Path | None, garbage: Iterable[Garbage]) -> None:
    if owner is None:
        for item in garbage:
            remove(item.path)
        return
    with suppress(Busy), hold(owner):  # it has begun to run since: then all of it is needed
        _remove(None, garbage)


def _of_run(folder: Path) -> list[Garbage]:
    is_finished = (folder / RESULT).exists()
    found = _unfinished(folder)
    if is_finished:
        found += [Garbage(path, "snapshot of a finished run") for path in sorted(folder.glob("checkpoint-*"))]
    elif has_snapshots(folder):
        found += [Garbage(path, "damaged snapshot") for path in set_aside(folder)]
    return found


def _unfinished(folder: Path) -> list[Garbage]:
    return [Garbage(path, "left unfinished by a process that died") for path in durable.leftovers(folder)]


def _unreferenced(book: Book) -> list[Garbage]:
    """Cache entries whose descriptions name no split of any run; all of them can be made again."""
    known = {split for folder in book.run_folders() for split in _splits(folder)}
    entries = [entry for kind in _folders(book.cache) for entry in _folders(kind)]
    return [Garbage(entry, "no run uses it") for entry in entries if not _names_any(entry, known)]


def _splits(run_folder: Path) -> Iterable[str]:
    splits: dict[str, str] = durable.read_json(run_folder / "run.json")["identity"]["splits"]
    return splits.values()


def _names_any(entry: Path, fingerprints: set[str]) -> bool:
    texts = [path.read_text("utf-8") for path in entry.glob("*.json") if path.name != durable.MANIFEST]
    return any(fingerprint in text for text in texts for fingerprint in fingerprints)


def _folders(parent: Path) -> list[Path]:
    """The folders in a folder that are not temporary, by name; none if it is not there."""
    return sorted(path for path in parent.glob("[!.]*") if path.is_dir())
