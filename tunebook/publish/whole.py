"""Whether open data holds together as a whole: what no file shows by itself, and `publish --check` looks for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunebook import data, environment, gate, toml_file
from tunebook.behaviour.summary import rows_of
from tunebook.book.card_facts import file_name
from tunebook.durable import canonical_json
from tunebook.errors import UsageError
from tunebook.grid import BASELINES, experiment, seed_list
from tunebook.publish.open_data import (
    BEHAVIOUR,
    EXPERIMENTS,
    GATE,
    RUNS,
    SPLITS,
    Published,
    file_bytes,
    may_be_named,
    may_be_shown,
)
from tunebook.spec import NO_CHECKPOINT

README = "README.md"
_PLAIN = ("question", "checkpoints", "seeds", "split_seeds", "train_sizes", "baselines")
"""Keys of an experiment's TOML that stand in its expansion as they are."""
_LONGEST = 160


def faults(published: Published) -> Iterator[str]:
    """What is wrong with the files together, a sentence each that begins with the file's path below the folder."""
    yield from _files(published)
    yield from _texts(published)
    yield from _names(published)
    yield from _strays(published)
    specs = {one["declared"]["run"]: (name, one["declared"]["spec"]) for name, one in published.runs.items()}
    for file, one in published.experiments.items():
        there = [specs[run] for run in one["runs"] if run in specs]
        try:
            found = [*_other_expansion(one), *_other_runs(one["expansion"], there)]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            found = [f"its expansion is none of an experiment's: {error!r}"]
        yield from (f"{EXPERIMENTS}/{file}.json: {why}" for why in found)


# --- files ---------------------------------------------------------------------------------------------------------


def _files(published: Published) -> Iterator[str]:
    """Files that are none of the catalogue's, or whose bytes are not those that Tunebook writes."""
    kinds: dict[str, Mapping[str, Any]] = {
        RUNS: published.runs, SPLITS: published.splits, EXPERIMENTS: published.experiments,
        BEHAVIOUR: published.behaviour, GATE: {one["file"]: one for one in published.gate.values()},
    }  # fmt: skip
    known = {f"{kind}/{name}.json" for kind, names in kinds.items() for name in names}
    told = (stored for one in published.runs.values() for stored in one["predictions"].values())
    used = {f"{SPLITS}/{stored['examples']}.json" for stored in told}
    for path in sorted(published.folder.rglob("*")):
        name = path.relative_to(published.folder).as_posix()
        if path.is_symlink():
            yield f"{name} is a link; a catalogue has files alone"
        elif not path.is_file() or name in published.faults or name == README:
            continue
        elif name not in known:
            yield f"{name} belongs to nothing that is published"
        elif name.startswith(f"{SPLITS}/") and name not in used:
            yield f"{name} belongs to no published run; `tunebook publish --prune` removes it"
        elif not _is_canonical(path.read_bytes()):
            yield f"{name} is not as Tunebook writes it: white space, the order of keys or a number's form is another"


def _is_canonical(content: bytes) -> bool:
    """Whether a file has the one form of its value."""
    try:
        return file_bytes(json.loads(content)) == content
    except ValueError:  # NaN, which JSON does not have
        return False


def _texts(published: Published) -> Iterator[str]:
    """Splits whose texts may not be shown, or are not those that the fingerprint is of."""
    pairs = {
        stored["examples"]
        for one in published.runs.values() if one["declared"]["dataset"].get("is_pair")
        for stored in one["predictions"].values()
    }  # fmt: skip
    for name, one in published.splits.items():
        if "texts" not in one:
            continue
        if not may_be_shown(one["dataset"]):
            yield f"{SPLITS}/{name}.json: texts of {one['dataset']} may not be shown"
        elif name not in pairs and _fingerprint(one) != one["fingerprint"]:
            yield f"{SPLITS}/{name}.json: its fingerprint is not that of its ids, texts and labels"


def _fingerprint(split: Mapping[str, Any]) -> str:
    """The fingerprint of examples whose texts are told."""
    import pyarrow as pa

    from tunebook.data.dataset import fingerprint

    kind = pa.int64() if all(isinstance(label, int) for label in split["labels"]) else pa.float32()
    columns = {"id": split["ids"], "text": split["texts"], "label": pa.array(split["labels"], kind)}
    return fingerprint(pa.table(columns))


def _names(published: Published) -> Iterator[str]:
    """Checkpoints and datasets of one fingerprint that go by several names."""
    called: dict[str, list[tuple[str, str]]] = {}
    for name, one in published.runs.items():
        if (weights := one["declared"]["identity"]["checkpoint"]) is not None:
            called.setdefault(weights, []).append((one["declared"]["checkpoint"]["name"], name))
    for weights, pairs in called.items():
        counts = Counter(checkpoint for checkpoint, _ in pairs)
        usual, _ = counts.most_common(1)[0]
        for checkpoint, name in pairs:
            if checkpoint != usual:
                yield (
                    f"{RUNS}/{name}.json: its checkpoint {weights[:12]} is called {checkpoint!r}, elsewhere {usual!r}"
                )
    datasets: dict[str, str] = {}
    for name, one in published.splits.items():
        if one["dataset"] in data.rows():  # a file of somebody's own may be a copy under another name
            first = datasets.setdefault(one["fingerprint"], one["dataset"])
            if first != one["dataset"]:
                yield f"{SPLITS}/{name}.json: its fingerprint is that of a split of {first}"


def _strays(published: Published) -> Iterator[str]:
    """Findings of experiments and datasets that are not published, and texts in them that may not be shown."""
    scores = {
        one["declared"]["run"]: one["result"]["metrics"].get("test", {}).get("accuracy")
        for one in published.runs.values()
    }
    for file, one in published.behaviour.items():
        if file not in published.experiments:
            yield f"{BEHAVIOUR}/{file}.json is of no published experiment; `tunebook publish --prune` removes it"
        for dataset in sorted(set(_datasets_with_texts(one))):
            if not may_be_shown(dataset):
                yield f"{BEHAVIOUR}/{file}.json: texts of {dataset} may not be shown"
        for row in (*one["slices"], *one["worst"]):
            if not may_be_named(row):
                yield f"{BEHAVIOUR}/{file}.json: values of a column of {row['dataset']} may not be shown"
        asked = set(published.experiments.get(file, {}).get("runs", ()))
        if not {run for row in one["rows"] for run in row["runs"]} <= asked:
            yield f"{BEHAVIOUR}/{file}.json: it is of runs that are not the experiment's"
        yield from _other_accuracies(file, one, scores)
    used = {gate.key(one["declared"]["identity"]["splits"]) for one in published.runs.values()}
    for key, one in published.gate.items():
        if key not in used:
            yield f"{GATE}/{one['file']}.json is of no published run; `tunebook publish --prune` removes it"


def _datasets_with_texts(found: Mapping[str, Any]) -> Iterator[str]:
    """Datasets of which an example stands with its text in what was found of behaviour."""
    shown = [(row["dataset"], row.get("examples", ())) for row in found["robustness"]]
    for row in found["agreement"]:
        shown += [(row["dataset"], row["contested"][side]) for side in ("first", "second")]
    for dataset, examples in shown:
        if any({"before", "after", "text"} & set(example) for example in examples):
            yield dataset


def _other_accuracies(file: str, found: Mapping[str, Any], scores: Mapping[str, Any]) -> Iterator[str]:
    """Rows whose accuracy is not that of their runs, by the hashes of these in `scores`."""
    for row in found["rows"]:
        own = [scores[run] for run in row["runs"] if scores.get(run) is not None]
        told = [one["accuracy"] for one in rows_of(found["coverage"], row)]
        if len(own) == len(row["runs"]) and not all(abs(one - sum(own) / len(own)) < 1e-5 for one in told):
            yield f"{BEHAVIOUR}/{file}.json: accuracy of {row['method']} on {row['dataset']} is not that of its runs"


# --- experiments ---------------------------------------------------------------------------------------------------


def _other_expansion(one: Mapping[str, Any]) -> Iterator[str]:
    """Where an experiment's expansion is not what its TOML expands to. One that was asked for by options has no TOML.
    Where a checkpoint of somebody's own keeps it from being expanded here, what stands in both as it is must agree."""
    if not one["toml"]:
        return
    told, values = one["expansion"], toml_file.parse(one["toml"], "its TOML")
    try:
        now = json.loads(canonical_json(experiment(values, "its TOML").model_dump()))
    except UsageError:
        now = {key: values[key] for key in _PLAIN if key in values}
        told = {key: told[key] for key in now}
    for line in environment.differences(told, now):
        shown = line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
        yield (
            f"its expansion is not what its TOML expands to: {shown} (edited, run with --set, or by other defaults)"
        )


def _other_runs(asked: Mapping[str, Any], runs: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Runs that are none of an experiment's grid."""
    for name, spec in runs:
        is_baseline = spec["checkpoint"] == NO_CHECKPOINT and spec["method"]["name"] in BASELINES
        lengths = _lengths(asked, spec["dataset"])
        is_of_grid = any(_is_of_grid(asked, spec, length) for length in lengths)
        if not (is_of_grid or (is_baseline and asked["baselines"] and lengths)):
            yield f"{name} is none of the runs that it expands to"


def _is_of_grid(asked: Mapping[str, Any], spec: Mapping[str, Any], length: int | None) -> bool:
    """Whether checkpoint, method, settings and seed of a run are asked for; of what is tuned, settings are its own."""
    name, settings = spec["method"]["name"], spec["method"]["settings"]
    return (
        spec["checkpoint"] in map(file_name, asked["checkpoints"])
        and any(
            one["name"] == name and (asked["tune"] or one["settings"] == settings) for one in asked["methods"]
        )
        and spec["seed"] in seed_list(asked["seeds"])
        and spec["train"] == {**asked["train"], "max_length": length}
    )


def _lengths(asked: Mapping[str, Any], dataset: Mapping[str, Any]) -> list[int | None]:
    """The length that an experiment asks for on this dataset, its size of train and its cut; none where it is not."""
    axes = {}
    if asked["train_sizes"]:
        axes["train_size"] = [None if size == "all" else size for size in asked["train_sizes"]]
    if asked["split_seeds"]:
        axes["split_seed"] = list(seed_list(asked["split_seeds"]))
    named: list[dict[str, Any]] = [
        {key: file_name(value) if isinstance(value, str) else value for key, value in one.items()}
        for one in asked["datasets"]
    ]
    if any(dataset[key] not in values for key, values in axes.items()):
        return []
    return [
        one.get("max_length") or asked["train"]["max_length"]
        for one in named
        if all(dataset[key] == value for key, value in one.items() if key not in (*axes, "max_length"))
    ]
