"""The command line that makes a run of a specification: for its card, and for what a comparison lacks."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebook.text.markdown import visible

Values = Mapping[str, Any]
_FILES = ("validation", "test")


def run_command(spec: Values, seeds: Sequence[str], *, usual: Values | None = None) -> str:
    """The command of a specification as `run.json` has it; `seeds` are the words that say which.

    `usual` are values by table (`dataset`, `method`, `train`) that need not be said, for somebody on this machine,
    where files lie in their folders. Without it the command is for others: every setting is spelled out, as defaults
    may change, files go by their names alone, and characters that act in a terminal are written as code points.
    """
    words = ["tunebook", "run", *_dataset_words(spec["dataset"], usual)]
    words += ["--checkpoint", _named(spec["checkpoint"], usual), "--method", spec["method"]["name"], *seeds]
    for table, values in (("method", spec["method"]["settings"]), ("train", spec["train"])):
        for key, value in values.items():
            is_said = value is not None if usual is None else value != usual[table].get(key)
            if is_said:
                words += ["--set", f"{table}.{key}={json.dumps(value)}"]
    return shlex.join(words) if usual is not None else " ".join(shlex.quote(visible(word)) for word in words)


def _named(value: str, usual: Values | None) -> str:
    """A file as it is on this machine, for others by its name: whose machine it lay on is nobody's business."""
    return value if usual is not None or not Path(value).is_absolute() else Path(value).name


def _dataset_words(dataset: Values, usual: Values | None) -> Iterator[str]:
    expected = _UNSAID if usual is None else usual["dataset"]
    given = {key: value for key, value in dataset.items() if value is not None and value != expected.get(key)}
    yield from (
        "--dataset",
        dataset["name"] or (dataset["path"] if usual is not None else Path(dataset["path"]).name),
    )
    if usual is not None and dataset["files"]:  # which no option gives
        table = ", ".join(f"{key} = {json.dumps(value)}" for key, value in given.items())
        yield from ("--set", f"datasets=[{{ {table} }}]")
        return
    for key, value in given.items():
        if key not in ("name", "path", "files"):
            yield f"--{key.replace('_', '-')}"
            if value is not True:
                text = ",".join(value) if isinstance(value, list) else str(value)
                yield _named(text, usual) if key in _FILES else text


_UNSAID = {"text": [], "encoding": "utf-8", "keep_leaks": False, "drop_bad": 0}
"""What a dataset's table has where nothing was said; this layer does not know of specifications."""
