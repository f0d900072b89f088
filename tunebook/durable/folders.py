"""Whole folders: they appear at once, and a manifest of sizes and sha256 tells later if they are sound."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunebook.durable.crash import point
from tunebook.durable.disk import saving, sync, temporary
from tunebook.durable.files import canonical_json, json_bytes, sha256_file
from tunebook.errors import IntegrityError

MANIFEST = "MANIFEST.json"


def write_folder(final: Path, fill: Callable[[Path], None], *, manifest_extra: dict[str, Any]) -> None:
    """Put a folder in place at once. `fill` writes its files into the temporary folder that it is given.

    The manifest is `{"files": {name: {"bytes", "sha256"}}, "extra": manifest_extra, "sha256": of the rest}`.

    Raises:
        FileExistsError: something with that name is there; it is not touched.
        NoSpace: the disk or a quota is full; nothing of the folder is left.
        Failure: the folder cannot be written; nothing of it is left.
    """
    if final.exists():
        raise FileExistsError(errno.EEXIST, "there already", str(final))
    with saving(final), temporary(final, Path.mkdir) as unfinished:
        with saving(final, bytes_needed=lambda: _size(unfinished)):
            fill(unfinished)
            point("folder.filled")
            _seal(unfinished, manifest_extra)
        _publish(unfinished, final)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder))


def _seal(folder: Path, extra: dict[str, Any]) -> None:
    """Sync every file before the manifest is written: it speaks only of bytes that are on the disk."""
    files = _files(folder)
    for path in files:
        sync(path)
    point("folder.synced")
    manifest = {"files": {_name(path, folder): _entry(path) for path in files}, "extra": extra}
    (folder / MANIFEST).write_bytes(_manifest_bytes(manifest))
    point("folder.listed")
    sync(folder / MANIFEST)
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync(path)
    point("folder.sealed")


def _publish(unfinished: Path, final: Path) -> None:
    try:
        os.rename(unfinished, final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        raise FileExistsError(errno.EEXIST, "another process was faster", str(final)) from error
    point("folder.renamed")
    sync(final.parent)


def check_folder(path: Path) -> dict[str, Any]:
    """The manifest of a folder, once every file has been found to be as it says.

    Raises:
        IntegrityError: the manifest or a file is missing, changed or one too many; the message names it.
    """
    manifest = _read_manifest(path)
    there = {_name(file, path) for file in _files(path)} - {MANIFEST}
    declared: dict[str, Any] = manifest["files"]
    for name in sorted(there - declared.keys()):
        raise IntegrityError(f"{path / name} is not in the manifest of its folder")
    for name in sorted(declared.keys() - there):
        raise IntegrityError(f"{path / name} is missing; the manifest of its folder names it")
    for name, entry in sorted(declared.items()):
        if (path / name).stat().st_size != entry["bytes"] or _entry(path / name) != entry:
            raise IntegrityError(
                f"{path / name} is damaged: size or sha256 is not the one in its folder's manifest"
            )
    return manifest


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        data = (folder / MANIFEST).read_bytes()
        manifest: dict[str, Any] = json.loads(data)
        del manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{folder} was not saved whole: its {MANIFEST} cannot be read ({error})"
        ) from error
    if data != _manifest_bytes(manifest):
        raise IntegrityError(f"{folder / MANIFEST} is damaged: its own sha256 does not fit")
    return manifest


def _manifest_bytes(manifest: dict[str, Any]) -> bytes:
    """The manifest's file: it holds its own sha256 too, since nothing else would tell that it is damaged."""
    digest = hashlib.sha256(canonical_json(manifest).encode()).hexdigest()
    return json_bytes(manifest | {"sha256": digest})


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _entry(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
