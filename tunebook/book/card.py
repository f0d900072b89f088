"""The model card of a finished run: its README.md and `.eval_results/`, which the Hugging Face hub reads as well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunebook import durable
from tunebook.book import card_sections as sections
from tunebook.book.card_facts import Facts, Values
from tunebook.book.folder import read_json, weights_file
from tunebook.book.run_command import run_command
from tunebook.names import slug
from tunebook.text.markdown import visible

NAME = "README.md"
EVALUATION = ".eval_results"


def write(folder: Path, run: Values, result: Values, *, cost: Values, intervals: Values) -> None:
    """Put a run's card and its evaluation record into its folder, before its result is sealed.

    Raises:
        NoSpace: the disk or a quota is full.
        Failure: the folder cannot be written.
    """
    environment = read_json(folder / "environment.json") or {}
    has_weights = weights_file(folder) is not None
    text = render(
        run, result, environment=environment, cost=cost, intervals=intervals, has_weights=has_weights
    )
    durable.write_file(folder / NAME, text.encode())
    durable.sweep(durable.make_folder(folder / EVALUATION))  # what a run left that died here before
    name = f"{slug(run['dataset']['name'])}.yaml"
    durable.write_file(folder / EVALUATION / name, record(run, result, intervals=intervals).encode())


def render(
    run: Values,
    result: Values,
    *,
    environment: Values,
    cost: Values,
    intervals: Values | None = None,
    has_weights: bool = True,
) -> str:
    """The card as Markdown with YAML front matter; `cost` is a summary of `cost.jsonl`, the rest are files.

    `intervals` are the 95 % intervals by split and metric, each with `low`, `high` and `how`; None where a run of an
    older Tunebook has none. Every text that comes from data, files or names is shown literally.
    """
    facts = Facts(run, result, environment, cost, intervals, has_weights)
    bodies = {
        "Intended use": sections.intended_use(facts),
        "Labels": sections.labels(facts),
        "Data": sections.data(facts),
        "Method": sections.method(facts),
        "Evaluation": sections.evaluation(facts),
        "Limits": sections.limits(facts),
        "Load": sections.load(facts),
        "Reproduce": sections.reproduce(facts, command(run)),
        "Cost": sections.cost(facts),
        "Environment": sections.environment(facts),
        "Licence": sections.licence(facts),
        "Citation": sections.citation(facts),
    }
    parts = [f"---\n{_front_matter(facts)}\n---", sections.title(facts, _name(run))]
    parts += [f"## {heading}\n\n{body}" for heading, body in bodies.items()]
    return "\n\n".join(parts) + "\n"


# --- for the hub --------------------------------------------------------------------------------------------


def record(run: Values, result: Values, *, intervals: Values | None = None) -> str:
    """The scores as the hub keeps them in `.eval_results/`: YAML, an entry for each metric of each split.

    A task is named `dataset.split.metric`. A dataset that is not on the hub has a colon in its id, which no dataset of
    the hub has: an own file is never taken for one.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    from huggingface_hub.utils import yaml_dump  # type: ignore[attr-defined]

    facts, name = Facts(run, result, {}, {}, intervals), visible(run["dataset"]["name"])
    entries = [
        EvalResultEntry(
            dataset_id=_hub_id(facts),
            task_id=f"{name}.{visible(split)}.{metric}",
            value=score,
            notes=sections.entry_notes(facts, split, metric),
        )
        for split, metric, score in _scores(facts)
    ]
    return str(yaml_dump(eval_result_entries_to_yaml(entries), sort_keys=False))


def _hub_id(facts: Facts) -> str:
    origin = "file" if facts.is_own else "tunebook"
    return facts.dataset.get("repository") or f"{origin}:{visible(facts.dataset['name'])}"


def _scores(facts: Facts) -> Iterator[tuple[str, str, float]]:
    """Every number among the metrics, by split and name; what is undefined is not among them."""
    for split, scores in facts.splits:
        for metric, score in scores.items():
            if isinstance(score, float):
                yield split, metric, score


def _front_matter(facts: Facts) -> str:
    from huggingface_hub import ModelCardData

    licence, repository = facts.checkpoint["licence"], facts.dataset.get("repository")
    known = {
        "base_model": facts.checkpoint["repository"],
        "license": licence.lower() if licence else None,
        "language": facts.dataset.get("language"),
        "datasets": [repository] if repository else None,
        "metrics": list(dict.fromkeys(metric for _, metric, _ in _scores(facts))) or None,
    }
    data = ModelCardData(
        model_name=_name(facts.run),
        eval_results=list(_eval_results(facts)) or None,
        library_name=facts.library,
        pipeline_tag="text-classification",
        tags=["tunebook"],
        **{key: value for key, value in known.items() if value},
    )
    return data.to_yaml().strip()


def _eval_results(facts: Facts) -> Iterator[Any]:
    from huggingface_hub import EvalResult

    for split, metric, score in _scores(facts):
        yield EvalResult(
            task_type="text-classification",
            dataset_type=facts.dataset.get("repository") or facts.dataset["name"],
            dataset_name=facts.dataset["name"],
            dataset_split=split,
            metric_type=metric,
            metric_value=score,
        )


def _name(run: Values) -> str:
    return f"{run['checkpoint']['name']}-{run['spec']['method']['name']}-{run['dataset']['name']}"


# --- the command that does it again -------------------------------------------------------------------------


def command(run: Values) -> str:
    """The command line that repeats a run, every setting spelled out; of own files only the name is given."""
    spec = run["spec"] if run["identity"]["train"] else {**run["spec"], "train": {}}
    return run_command(spec, ["--seed", str(spec["seed"]), "--no-baselines"])
