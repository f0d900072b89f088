"""What a run needs, looked at: versions, device, checkpoints, data, disk, the book."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import environment
from tunebook.errors import TunebookError
from tunebook.models.resolve import resolve

if TYPE_CHECKING:
    from tunebook.book import Book

_TORCH = "2.13.0"
_NEEDED = {"transformers": "5.10", "tokenizers": "0.22", "safetensors": "0.5", "peft": "0.21", "numpy": "2",
           "pyarrow": "20", "scikit-learn": "1.6", "scipy": "1.14", "pydantic": "2.12", "typer": "0.15"}  # fmt: skip
_LITTLE_DISK = 2 * 10**9


def examine(book: Book) -> list[dict[str, Any]]:
    """Every finding as {what, found, is_fine, advice}, in the order of importance."""
    checks: list[Callable[[], dict[str, Any]]] = [
        lambda: _finding(
            "python",
            platform.python_version(),
            sys.version_info >= (3, 11),
            "install Python 3.11 or newer",
        ),
        _torch,
        *(lambda name=name, least=least: _library(name, least) for name, least in _NEEDED.items()),
        _device,
        lambda: _checkpoint("minilm-l6"),
        _data,
        lambda: _disk(book.root),
        lambda: _finding("sqlite", sqlite3.sqlite_version, True, ""),
        lambda: _book(book),
    ]
    return [check() for check in checks]


def _finding(what: str, found: str, is_fine: bool, advice: str) -> dict[str, Any]:
    return {"what": what, "found": found, "is_fine": is_fine, "advice": "" if is_fine else advice}


def _torch() -> dict[str, Any]:
    try:
        found = version("torch")
    except PackageNotFoundError:
        return _finding("torch", "not installed", False, f"pip install torch=={_TORCH}")
    return _finding(
        "torch",
        found,
        found.split("+")[0] == _TORCH,
        f"pip install torch=={_TORCH}: other versions give other bytes",
    )


def _library(name: str, least: str) -> dict[str, Any]:
    try:
        found = version(name)
    except PackageNotFoundError:
        return _finding(name, "not installed", False, f'pip install -c constraints.txt "{name}>={least}"')
    is_fine = _numbers(found) >= _numbers(least)
    return _finding(name, found, is_fine, f'pip install -c constraints.txt "{name}>={least}"')


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("+")[0].split(".") if part.isdigit())


def _device() -> dict[str, Any]:
    import torch

    chosen = environment.hardware()
    return _finding(
        "device", f"{chosen.device.type}, {chosen.precision}, {torch.get_num_threads()} threads", True, ""
    )


def _checkpoint(name: str) -> dict[str, Any]:
    try:
        found = resolve(name)
    except TunebookError as error:
        return _finding(f"checkpoint {name}", "missing", False, str(error))
    return _finding(f"checkpoint {name}", found.source, True, "")


def _data() -> dict[str, Any]:
    folder = os.environ.get("TUNEBOOK_DATA")
    if folder is None:
        return _finding("TUNEBOOK_DATA", "not set: only pocket and own files", True, "")
    return _finding("TUNEBOOK_DATA", folder, Path(folder).is_dir(), "name a folder that exists")


def _book(book: Book) -> dict[str, Any]:
    folder = _existing(book.root)
    return _finding(
        "book",
        f"{book.root}, {len(book.run_folders())} runs",
        folder.is_dir() and os.access(folder, os.W_OK),
        "name a folder that can be written: --root, or TUNEBOOK_HOME",
    )


def _existing(path: Path) -> Path:
    """The path itself, or the nearest of its parents that is there."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _disk(root: Path) -> dict[str, Any]:
    free = shutil.disk_usage(_existing(root)).free
    return _finding(
        "free disk",
        f"{free / 1e9:.1f} GB",
        free > _LITTLE_DISK,
        "make room: a run of 22 million weights needs 1 GB",
    )
