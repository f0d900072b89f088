"""Names that are safe as files and folders, and paths that cannot leave their root."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from tunebook.errors import UsageError

_SAFE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_WINDOWS_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)
}


def check_name(name: str, kind: str) -> str:
    """The name itself, when it is safe as the name of a file on every system.

    Raises:
        UsageError: it has separators, `..`, capitals, odd characters, over 64 of them, or names a device.

    Example:
        >>> check_name("reviews-2024", "experiment")
        'reviews-2024'
    """
    if not _SAFE.fullmatch(name) or ".." in name or name.split(".")[0] in _WINDOWS_DEVICES:
        raise UsageError(
            f"{kind} name {name!r} is not allowed: 1 to 64 of a-z 0-9 . _ - beginning with a letter or digit, "
            "no '..', no device name; rename it"
        )
    return name


def slug(text: str, *, longest: int = 40) -> str:
    """A readable safe name made from any text.

    Example:
        >>> slug("My Reviews (2024).csv")
        'my-reviews-2024-.csv'
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    safe = (
        re.sub(r"\.{2,}", ".", re.sub(r"[^a-z0-9._]+", "-", ascii_text)).strip("-._")[:longest].rstrip("-._")
    )
    return f"x-{safe}" if not safe or safe.split(".")[0] in _WINDOWS_DEVICES else safe


def inside(root: Path, relative: str) -> Path:
    """The path of `relative` under `root`, links resolved.

    Raises:
        UsageError: the path is absolute, holds a NUL or a backslash, or leads out of `root`.
    """
    if "\0" in relative or "\\" in relative or Path(relative).is_absolute():
        raise UsageError(f"path {relative!r} is not allowed: give a plain relative path")
    path = (root / relative).resolve()
    if not path.is_relative_to(root.resolve()):
        raise UsageError(f"path {relative!r} leads out of {root}")
    return path
