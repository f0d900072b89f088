"""Whether a published file is what it should be: names, hashes and shapes, before anything is made of it."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebook import cost, spec
from tunebook.book.folder import folder_name
from tunebook.durable import canonical_json
from tunebook.errors import IntegrityError
from tunebook.gate import keeping, remarks
from tunebook.methods import method
from tunebook.models.rows import rows as checkpoint_rows
from tunebook.names import check_name, slug

_SAFE = re.compile(r"[a-z0-9][a-z0-9._-]{0,250}")


def safe(name: str) -> str:
    """The name of a file as we write them.

    Raises:
        IntegrityError: it is another one.
    """
    if not _SAFE.fullmatch(name) or ".." in name:
        raise IntegrityError(f"its name {name!r} is none that Tunebook gives")
    return name


def split_name(dataset: str, split: str, fingerprint: str) -> str:
    """How the file of a split's examples is called, without its ending."""
    return f"{slug(dataset)}--{split}--{slug(fingerprint[:12])}"


def experiment(value: dict[str, Any]) -> dict[str, Any]:
    """An experiment that lies under its name and digest, whose TOML reads and whose runs are hashes.

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
    asked = canonical_json({"toml": value["toml"], "expansion": value["expansion"]})
    if hashlib.sha256(asked.encode()).hexdigest()[:12] != value["digest"]:
        raise IntegrityError(f"its digest {value['digest']} is not that of its TOML and its expansion")
    return value


def gate(value: dict[str, Any]) -> dict[str, Any]:
    """What was found in a dataset before training, of a version that this Tunebook makes sentences of.

    Raises:
        IntegrityError: it is of another version, or lies under another name.
    """
    if value["version"] != keeping.VERSION:
        raise IntegrityError(
            f"version {value['version']} of the gate found it, this Tunebook has {keeping.VERSION}"
        )
    if not value["file"].startswith(f"{slug(value['dataset'])}--"):
        raise IntegrityError(f"it is of {value['dataset']!r} and lies under another name")
    remarks(value)  # what no sentence can be made of is none
    return value


def split(value: dict[str, Any]) -> dict[str, Any]:
    """The examples of a split, under the name of what they are: unique ids, as many labels, and texts or none.

    Raises:
        IntegrityError: they are not.
    """
    ids, labels = value["ids"], value["labels"]
    is_whole = (
        isinstance(ids, list) and all(isinstance(one, str) for one in ids) and len(set(ids)) == len(ids)
    )
    if not is_whole or len(labels) != len(ids) or not all(type(one) in (int, float) for one in labels):
        raise IntegrityError("its ids are not unique texts, or its labels are not as many numbers")
    texts = value.get("texts", ids)
    if len(texts) != len(ids) or not all(isinstance(one, str) for one in texts):
        raise IntegrityError("its texts are not as many as its ids")
    name = split_name(value["dataset"], value["split"], value["fingerprint"])
    if value["name"] != name:
        raise IntegrityError(f"what it says of itself is called {name!r}, and it lies under another name")
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
    spent = value["cost"]
    if spent.keys() != cost.summary([]).keys() or not all(
        one is None or type(one) in (int, float) for one in spent.values()
    ):
        raise IntegrityError(f"its cost is not {', '.join(sorted(cost.summary([])))}, a number or null each")
    method(asked["method"]["name"])
    _goes_by_its_names(value["name"], declared)
    return value


def _goes_by_its_names(name: str, declared: Mapping[str, Any]) -> None:
    """Find what a run is called to be what it was asked with; names are not part of what its hash is of.

    Raises:
        IntegrityError: they differ.
    """
    asked, identity, dataset = declared["spec"], declared["identity"], declared["dataset"]
    checkpoint, method_name = declared["checkpoint"]["name"], asked["method"]["name"]
    expected = folder_name(checkpoint, method_name, dataset["name"], asked["seed"], declared["run"])
    if name != expected:
        raise IntegrityError(f"what it says of itself is called {expected!r}, and it lies under another name")
    if asked["dataset"]["name"] not in (None, dataset["name"]):
        raise IntegrityError(f"it was asked for on {asked['dataset']['name']!r}, not on {dataset['name']!r}")
    if dataset["task"] != identity["data"]["task"]:
        raise IntegrityError(f"its task is {identity['data']['task']!r}, not {dataset['task']!r}")
    known = checkpoint_rows()
    row, other = known.get(asked["checkpoint"]), known.get(checkpoint)
    if row is not other and slug(Path(asked["checkpoint"]).name) != checkpoint:
        raise IntegrityError(
            f"it was asked for with checkpoint {asked['checkpoint']!r}, not with {checkpoint!r}"
        )


def examples(value: dict[str, Any], splits: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A run whose predictions are on the very splits that its hash is of, where their files are there.

    Raises:
        IntegrityError: they are on others.
    """
    declared = value["declared"]
    for split_of, stored in value["predictions"].items():
        told = (declared["dataset"]["name"], split_of, declared["identity"]["splits"][split_of])
        there = splits.get(stored["examples"])
        found = (there["dataset"], there["split"], there["fingerprint"]) if there else told
        if found != told or stored["examples"] != split_name(*told):
            raise IntegrityError(
                f"its predictions on {split_of} are of {stored['examples']!r}, its hash is of "
                f"{split_name(*told)!r}"
            )
    return value
