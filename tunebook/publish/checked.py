"""Whether a published file is what it should be: names, hashes and shapes, before anything is made of it."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from tunebook import spec
from tunebook.errors import IntegrityError
from tunebook.methods import method
from tunebook.names import check_name

_SAFE = re.compile(r"[a-z0-9][a-z0-9._-]{0,250}")


def safe(name: str) -> str:
    """The name of a file as we write them.

    Raises:
        IntegrityError: it is another one.
    """
    if not _SAFE.fullmatch(name) or ".." in name:
        raise IntegrityError(f"its name {name!r} is none that Tunebook gives")
    return name


def experiment(value: dict[str, Any]) -> dict[str, Any]:
    """An experiment that lies under its name, whose TOML reads and whose runs are hashes.

    Raises:
        IntegrityError: it does not.
        UsageError: its name is not safe.
    """
    if f"{check_name(value['name'], 'experiment')}--{value['digest']}" != value["file"]:
        raise IntegrityError(
            f"it is called {value['name']!r}, {value['digest']!r} and lies under another name"
        )
    tomllib.loads(value["toml"])
    is_whole = isinstance(value["tuning"], dict) and isinstance(value["expansion"], dict)
    if not is_whole or not all(isinstance(run, str) for run in value["runs"]):
        raise IntegrityError("its runs, expansion or tuning are not what they should be")
    return value


def split(value: dict[str, Any]) -> dict[str, Any]:
    """The examples of a split: unique ids, as many labels.

    Raises:
        IntegrityError: they are not.
    """
    ids, labels = value["ids"], value["labels"]
    is_whole = (
        isinstance(ids, list) and all(isinstance(one, str) for one in ids) and len(set(ids)) == len(ids)
    )
    if not is_whole or len(labels) != len(ids) or not all(type(one) in (int, float) for one in labels):
        raise IntegrityError("its ids are not unique texts, or its labels are not as many numbers")
    return value


def run(value: dict[str, Any]) -> dict[str, Any]:
    """A run whose name, hash and result belong together, and that says of itself what its hash is of.

    Raises:
        IntegrityError: they do not.
    """
    declared, result = value["declared"], value["result"]
    found = spec.fingerprint(declared["identity"])
    if not (found == declared["run"] == result["run"]) or not value["name"].endswith(f"--{found[:12]}"):
        raise IntegrityError(
            f"identity, hash, result and name do not belong together: the identity's hash is {found[:12]}, "
            f"run.json says {declared['run'][:12]}, the result {result['run'][:12]}"
        )
    identity, asked = declared["identity"], declared["spec"]
    told = (
        asked["method"]["name"],
        asked["method"]["settings"],
        asked["seed"],
        declared["dataset"]["label_names"],
    )
    of = (
        identity["method"]["name"],
        identity["method"]["settings"],
        identity["seed"],
        identity["data"]["label_names"],
    )
    if told != of or (asked["checkpoint"] == spec.NO_CHECKPOINT) != (identity["checkpoint"] is None):
        raise IntegrityError(
            "what it says of its method, seed, labels or checkpoint is not what its hash is of"
        )
    if identity["loop"] > spec.LOOP_VERSION:
        raise IntegrityError(f"version {identity['loop']} of the loop made it: a newer Tunebook did")
    for key in ("cost", "environment"):
        if not isinstance(value[key], dict):
            raise IntegrityError(f"its {key} is no object")
    method(asked["method"]["name"])
    return value
