"""Who works on a run: a lock on its folder that the kernel releases when the process dies."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tunebook import durable
from tunebook.durable.disk import saving
from tunebook.errors import Busy

LOCK = ".lock"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SECONDS_TO_SIGN = 0.5
"""Whoever has the lock signs at once; somebody who only looks whether it is free lets go at once."""


@contextmanager
def hold(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Keep all other processes away from a run's folder, made if need be, while the block runs.

    Raises:
        Busy: another process holds it, and the message names which; `wait` waits for it instead.
        NoSpace: the disk or a quota is full.
        Failure: the folder cannot be written.
    """
    durable.make_folder(folder)
    with saving(folder / LOCK):
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _acquire(descriptor, folder, wait=wait)
        with saving(folder / LOCK):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(_myself()).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, folder: Path, *, wait: bool) -> None:
    if wait:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return
    who = None
    deadline = time.monotonic() + _SECONDS_TO_SIGN
    while not who and time.monotonic() < deadline:
        if _try(descriptor, fcntl.LOCK_EX):
            return
        who = _signature(descriptor)
        time.sleep(0 if who else 0.01)
    name = f"process {who['pid']} on {who['host']} since {who['started']}" if who else "another process"
    raise Busy(f"{folder.name} is being worked on by {name}; try again later, or wait for it with --wait")


def holder(folder: Path) -> dict[str, Any] | None:
    """Who holds a run's folder now, as `pid`, `host`, `boot_id` and `started`; None if nobody does.

    What is written in the lock's file counts only while the lock is held. If it is of an earlier boot or of a
    dead process, the answer is empty: somebody holds the lock who has not signed yet.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return None if _try(descriptor, fcntl.LOCK_SH) else _signature(descriptor)
    finally:
        os.close(descriptor)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _signature(descriptor: int) -> dict[str, Any]:
    """What the holder wrote; empty if it is unreadable or cannot be the holder's."""
    try:
        found: dict[str, Any] = json.loads(os.pread(descriptor, 4096, 0))
        is_here = found["host"] == platform.node()
        is_stale = is_here and (found["boot_id"] != _boot_id() or not _is_alive(found["pid"]))
        return {} if is_stale else found
    except (ValueError, KeyError, TypeError):
        return {}


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _myself() -> dict[str, Any]:
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"pid": os.getpid(), "host": platform.node(), "boot_id": _boot_id(), "started": started}


def _boot_id() -> str | None:
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else None
