"""Read a small TOML file safely, change single keys of it, and say every fault of it at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from tunebook.errors import UsageError
from tunebook.registry import nearest

MAX_BYTES = 64 * 1024
MAX_LINE_BYTES = 4 * 1024
MAX_NESTING = 16

_STRINGS_AND_COMMENTS = re.compile(
    r"""'{3}.*?'{3}|"{3}(?:\\.|[^\\])*?"{3}|'[^'\n]*'|"(?:\\.|[^"\\\n])*"|\#[^\n]*""", re.DOTALL
)
# The faults of each branch of a union carry the branch's name in their path, which is no key.
_BRANCH = re.compile(r"constrained-\w+|(?:list|int|str|float|dict)(?:\[.*\])?")
_WRONG_TYPE = re.compile(r"\w+_type")


def read(path: Path) -> str:
    """The text of a TOML file that is small enough to be parsed.

    The limits are checked before parsing: a key of 40 KB with dots alone takes Python's parser nine seconds.

    Raises:
        UsageError: no such file, over 64 KiB, a line over 4 KiB, nesting over 16, or not UTF-8.
    """
    if not path.is_file():
        raise UsageError(
            f"there is no file {str(path)!r}; `tunebook list experiments` shows the declared ones"
        )
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise UsageError(
            f"{path}: {size:,} bytes, at most {MAX_BYTES:,} are read; a declaration is a page, not data"
        )
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    _check_shape(text, path)
    return text


def _check_shape(text: str, path: Path) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line.encode()) > MAX_LINE_BYTES:
            raise UsageError(f"{path}, line {number}: over {MAX_LINE_BYTES:,} bytes; break the line")
    # Dots and brackets count where they are TOML's, not in strings: a question may have many of them.
    bare = _STRINGS_AND_COMMENTS.sub("_", text)
    if any(key.count(".") > MAX_NESTING for key in re.split(r"[=,\[\]{}\n]", bare)):
        raise UsageError(f"{path}: a key of over {MAX_NESTING} levels; at most {MAX_NESTING}")
    depth = deepest = 0
    for character in bare:
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    if deepest > MAX_NESTING:
        raise UsageError(f"{path}: brackets nested {deepest} deep; at most {MAX_NESTING}")


def parse(text: str, origin: str) -> dict[str, Any]:
    """The values of a TOML text.

    Raises:
        UsageError: it is not TOML; the message names line and column.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{origin}: not valid TOML: {str(error) or 'nested too deeply'}") from None


def override(values: Mapping[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """The values with `key.path=value` assignments applied; a value is TOML where it parses, else text.

    Raises:
        UsageError: an assignment has no `=`, is over 4 KiB or 16 levels, or its path runs through something
            that is not a table.

    Example:
        >>> override({"train": {"epochs": 3}}, ["train.epochs=1", "question=Why?"])
        {'train': {'epochs': 1}, 'question': 'Why?'}
    """
    changed: dict[str, Any] = {
        key: dict(value) if isinstance(value, dict) else value for key, value in values.items()
    }
    for assignment in assignments:
        if len(assignment) > MAX_LINE_BYTES:
            raise UsageError(f"--set: {len(assignment):,} characters; at most {MAX_LINE_BYTES:,}")
        key, separator, text = assignment.partition("=")
        if not separator or not key.strip():
            raise UsageError(f"--set {assignment!r}: expected key.path=value, for instance train.epochs=1")
        if key.count(".") >= MAX_NESTING:
            raise UsageError(f"--set {assignment[:60]!r}: a key of over {MAX_NESTING} levels")
        _assign(changed, key.strip().split("."), _value(text), assignment)
    return changed


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _assign(table: dict[str, Any], path: Sequence[str], value: Any, assignment: str) -> None:
    for key in path[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"--set {assignment!r}: {key!r} is not a table but {inner!r}")
        table[key] = table = dict(inner)
    table[path[-1]] = value


def faults(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line per fault: the key's path, what came, what was expected, the nearest valid names."""
    return [_fault(fault, model) for fault in _of_the_nearest_branch(error)]


def _of_the_nearest_branch(error: ValidationError) -> list[dict[str, Any]]:
    """The faults with the names of union branches taken out of their paths.

    Where a value fits the type of one branch, the others' complaint about its type is left out; where it fits
    none, the complaints become one.
    """
    given: list[dict[str, Any]] = [dict(fault) for fault in error.errors(include_url=False)]
    split = [(fault, *_at_branch(fault["loc"], fault["type"])) for fault in given]
    is_type_only = [
        branch and not rest and bool(_WRONG_TYPE.fullmatch(fault["type"])) for fault, branch, _, rest in split
    ]
    fitted = {
        place
        for (_, branch, place, _), wrong in zip(split, is_type_only, strict=True)
        if branch and not wrong
    }
    found: list[dict[str, Any]] = []
    for (fault, _, place, rest), wrong in zip(split, is_type_only, strict=True):
        if wrong and place in fitted:
            continue
        if wrong and found and found[-1]["loc"] == place:
            found[-1]["msg"] += " or " + fault["msg"].removeprefix("Input should be ")
        else:
            found.append({**fault, "loc": place + rest})
    return found


def _at_branch(
    location: tuple[str | int, ...], kind: str
) -> tuple[bool, tuple[str | int, ...], tuple[str | int, ...]]:
    """Whether a path runs through a branch of a union, and the path before and after it."""
    for index, part in enumerate(location):
        if index and kind != "extra_forbidden" and _BRANCH.fullmatch(str(part)):
            return True, location[:index], location[index + 1 :]
    return False, location, ()


def _fault(fault: dict[str, Any], model: type[BaseModel]) -> str:
    where = _path(fault["loc"]) or "in all"
    if fault["type"] == "extra_forbidden":
        names = _fields_at(model, fault["loc"][:-1])
        near = nearest(str(fault["loc"][-1]), names)
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else f"known: {', '.join(sorted(names))}"
        return f"{where}: unknown key; {hint}"
    if fault["type"] == "missing":
        return f"{where}: missing; it must be given"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error":
        return f"{where}: {message}"
    return f"{where}: got {_shown(fault['input'])}; {message[0].lower()}{message[1:]}"


def _path(location: Sequence[str | int]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fields_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    for part in location:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        inner = _model_in(annotation)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
