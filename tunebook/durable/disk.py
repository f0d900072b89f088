"""What the disk is asked and what it answers: syncing, temporary names, no space, no permission."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tunebook.errors import Failure, NoSpace, UsageError

_TEMPORARY = ".tmp-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_AGAIN = "What was saved before is intact: {}, then run the same command again"
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> Path:
    """The folder itself, made with its parents where they are missing, every new entry synced."""
    if not path.is_dir():
        make_folder(path.parent)
        with saving(path):
            path.mkdir(exist_ok=True)
            sync(path.parent)
    return path


def require_writable(folder: Path) -> None:
    """Make the folder where it is missing, and find out before any work whether files can be made in it.

    Raises:
        UsageError: they cannot.
        NoSpace: the disk or a quota is full.
    """
    try:
        probe = make_folder(folder) / "probe"
        with saving(probe), temporary(probe, Path.touch):
            pass
    except (Failure, OSError) as error:
        raise UsageError(
            f"cannot write in {folder} ({error}); expected a folder that this user may write: choose another"
        ) from error


@contextmanager
def saving(path: Path, *, bytes_needed: Callable[[], int] = lambda: 1) -> Iterator[None]:
    """Turn the system's refusals to write `path` into errors that say what to do.

    Raises:
        NoSpace: the disk or a quota is full, or the file is larger than this process may write.
        Failure: writing is not permitted, or the disk has become read-only.
    """
    try:
        yield
    except Exception as error:
        number = _error_number(error)
        if number in _FULL:
            raise NoSpace(
                f"no space for {path} ({os.strerror(number)}): it needs at least {bytes_needed():,} bytes, "
                f"{shutil.disk_usage(path.parent).free:,} are free. {_AGAIN.format('make room')}"
            ) from error
        if number in _FORBIDDEN:
            raise Failure(
                f"could not save {path} ({os.strerror(number)}): expected a folder that stays writable. "
                f"{_AGAIN.format('mend that')}"
            ) from error
        raise


def _error_number(error: Exception) -> int:
    """The system's error number, 0 for none. Libraries written in Rust give it only as `(os error N)`."""
    if isinstance(error, OSError):
        return error.errno or 0
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found.group(1)) if found else 0


# --- temporary names ----------------------------------------------------------------------------------------
# Each is held by a lock that the kernel releases when the process dies, so that a leftover can be told from
# work in progress. The process number in the name would not do: in a container the next often has the same.


@contextmanager
def temporary(final: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """A new file or folder beside `final`, held while the block runs; removed unless the block renames it."""
    descriptor = None
    while descriptor is None:
        path = final.parent / f"{_TEMPORARY}{final.name}-{os.getpid()}-{os.urandom(4).hex()}"
        make(path)
        descriptor = _hold(path)
    try:
        yield path
    finally:
        remove(path)
        os.close(descriptor)


def _hold(path: Path) -> int | None:
    """A descriptor that keeps `sweep` away from a path while it is open; None if somebody else has one."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists():
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None


def discard(path: Path) -> None:
    """Remove a folder so that no part of it is ever seen under its name."""
    with temporary(path, Path.mkdir) as unfinished:
        os.rename(path, unfinished)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; nothing if it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def leftovers(parent: Path) -> list[Path]:
    """What processes that died left half-written in a folder; work in progress is not among it."""
    return [path for path in sorted(parent.glob(f"{_TEMPORARY}*")) if not _is_held(path)]


def _is_held(path: Path) -> bool:
    descriptor = _hold(path)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


def sweep(parent: Path) -> int:
    """Remove what processes that died left half-written in a folder; how many there were."""
    found = leftovers(parent)
    for path in found:
        remove(path)
    return len(found)
