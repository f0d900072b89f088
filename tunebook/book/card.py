"""The model card of a finished run: its README.md, which the Hugging Face hub reads as well."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunebook.text.markdown import escape, table, visible

Values = Mapping[str, Any]
_SPLITS = ("test", "validation")


def render(run: Values, result: Values, environment: Values, cost: Values) -> str:
    """The card as Markdown with YAML front matter; `cost` is a summary of `cost.jsonl`, the rest are files.

    Every text that comes from data, files or names is shown literally.
    """
    sections = [
        f"---\n{_front_matter(run, result)}\n---",
        _title(run, result),
        "## Evaluation\n\n" + "\n\n".join(_evaluation(result)),
        "## Training\n\n" + _training(run, result),
        "## Cost\n\n" + table(["what", "measured"], _flat(cost)),
        f"## Reproduce\n\n```sh\n{command(run)}\n```",
        "## Environment\n\n" + table(["what", "value"], _flat(environment)),
    ]
    return "\n\n".join(sections) + "\n"


# --- front matter -------------------------------------------------------------------------------------------


def _front_matter(run: Values, result: Values) -> str:
    from huggingface_hub import ModelCardData

    checkpoint = run["checkpoint"]
    known = {
        "base_model": checkpoint["repository"],
        "license": checkpoint["licence"].lower() if checkpoint["licence"] else None,
    }
    data = ModelCardData(
        model_name=_name(run),
        eval_results=list(_eval_results(run, result)) or None,
        library_name=_library(result),
        pipeline_tag="text-classification",
        tags=["tunebook"],
        **{key: value for key, value in known.items() if value},
    )
    return data.to_yaml().strip()


def _library(result: Values) -> str:
    """Which library reads the folder: a whole model, an adapter of PEFT's, or one of our own."""
    kind = result.get("adapter")
    return "transformers" if kind is None else "tunebook" if kind == "TUNEBOOK" else "peft"


def _eval_results(run: Values, result: Values) -> Iterator[Any]:
    from huggingface_hub import EvalResult

    dataset = run["dataset"]
    for split, scores in _splits(result):
        for metric, score in scores.items():
            if isinstance(score, float):
                yield EvalResult(
                    task_type="text-classification",
                    dataset_type=dataset["name"],
                    dataset_name=dataset["name"],
                    dataset_split=split,
                    metric_type=metric,
                    metric_value=score,
                )


def _name(run: Values) -> str:
    return f"{run['checkpoint']['name']}-{run['spec']['method']['name']}-{run['dataset']['name']}"


# --- sections -----------------------------------------------------------------------------------------------


def _title(run: Values, result: Values) -> str:
    checkpoint, dataset = run["checkpoint"], run["dataset"]
    labels = ", ".join(escape(name) for name in dataset["label_names"]) or "a score"
    origin = checkpoint["repository"] or "no hub repository"
    return "\n".join(
        [
            f"# {escape(_name(run))}",
            "",
            f"Checkpoint {escape(checkpoint['name'])} ({escape(origin)}), fine-tuned on "
            f"{escape(dataset['name'])} with method {escape(run['spec']['method']['name'])}, "
            f"seed {run['spec']['seed']}. It predicts: {labels}.",
            "",
            f"- Licence of the checkpoint: {escape(checkpoint['licence'] or 'not known')}",
            f"- Licence of the dataset: {escape(dataset['licence'] or 'not known')}",
            f"- Run: {escape(run['run'])}",
            *_adapter(run, result),
        ]
    )


def _adapter(run: Values, result: Values) -> list[str]:
    """How a folder that holds an adapter is read; nothing for a whole model."""
    if "adapter" not in result:
        return []
    how = f"`tunebook.load({run['run'][:12]!r})`"
    if _library(result) == "peft":
        how += " or `PeftModel.from_pretrained(base, folder)`"
    return [f"- An adapter: what was learned apart from its checkpoint; {how} puts the two together"]


def _evaluation(result: Values) -> Iterator[str]:
    splits = _splits(result)
    metrics = [name for name, score in splits[0][1].items() if not isinstance(score, dict | list)]
    examples = result.get("examples", {})
    yield "One seed only: how much of a score is luck is told by runs with other seeds. A dash: undefined."
    yield table(
        ["split", "examples", *metrics],
        [[split, examples.get(split), *(scores[name] for name in metrics)] for split, scores in splits],
    )
    for split, scores in splits:
        yield from _classes(split, scores)


def _classes(split: str, scores: Values) -> Iterator[str]:
    """Scores by class and the confusion matrix of a split; nothing for scores that are numbers."""
    per_class = scores.get("per_class", {})
    if per_class:
        columns = ["precision", "recall", "f1", "support"]
        yield f"Classes in {escape(split)}:"
        yield table(["class", *columns], [[name, *map(row.get, columns)] for name, row in per_class.items()])
    if scores.get("confusion_matrix"):
        yield f"What texts of each class (rows) were taken for (columns) in {escape(split)}:"
        rows = zip(per_class, scores["confusion_matrix"], strict=True)
        yield table(["truth", *per_class], [[name, *row] for name, row in rows])


def _training(run: Values, result: Values) -> str:
    spec = run["spec"]
    settings = {**spec["method"]["settings"], **(spec["train"] if run["identity"]["train"] else {})}
    told = {name: value for name, value in result.items() if name not in ("run", "metrics")}
    return table(["setting or count", "value"], _flat(settings | told))


def _splits(result: Values) -> list[tuple[str, Values]]:
    """Test first, then validation, then what else was evaluated."""
    found: Values = result["metrics"]
    order = [*(name for name in _SPLITS if name in found), *(name for name in found if name not in _SPLITS)]
    return [(name, found[name]) for name in order]


def _flat(values: Values, prefix: str = "") -> list[tuple[str, Any]]:
    """Nested values as rows of a table, keys joined by a dot."""
    rows: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", str(value) if isinstance(value, float) else value))
    return rows


# --- the command that does it again -------------------------------------------------------------------------


def command(run: Values) -> str:
    """The command line that repeats a run, every setting spelled out; of own files only the name is given."""
    spec = run["spec"]
    words = ["tunebook", "run", "--dataset", *_dataset_words(spec["dataset"])]
    words += ["--checkpoint", _file_name(spec["checkpoint"]), "--method", spec["method"]["name"]]
    words += ["--seed", str(spec["seed"]), "--no-baselines"]
    return " ".join(shlex.quote(visible(word)) for word in [*words, *_assignments(run)])


def _dataset_words(dataset: Values) -> Iterator[str]:
    yield dataset.get("name") or _file_name(dataset["path"])
    for option, value in dataset.items():
        is_said = value or (option == "split_seed" and value == 0)  # the cut of seed 0 is none of those without one
        if is_said and option not in ("name", "path", "files") and value != "utf-8":
            yield f"--{option.replace('_', '-')}"
            if value is not True:
                yield ",".join(value) if isinstance(value, list) else _file_name(str(value))


def _file_name(value: str) -> str:
    """An absolute path goes by its last part: whose machine it lay on is nobody's business."""
    return Path(value).name if Path(value).is_absolute() else value


def _assignments(run: Values) -> Iterator[str]:
    train = run["spec"]["train"] if run["identity"]["train"] else {}
    for kind, settings in (("method", run["spec"]["method"]["settings"]), ("train", train)):
        for key, value in settings.items():
            if value is not None:
                yield from ("--set", f"{kind}.{key}={json.dumps(value)}")
