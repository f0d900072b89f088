"""What each section of a model card says, as Markdown; nothing is left open: what is not known says why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tunebook.book import card_terms as terms
from tunebook.book.card_facts import NOT_RECORDED, UNNAMED, Facts, Values, told
from tunebook.text.markdown import escape, table

_LANGUAGES = {"en": "English"}
_MOST_NAMED = 10
_TABLES = ("per_class", "confusion_matrix")


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _flat(values: Values, prefix: str = "") -> list[tuple[str, Any]]:
    """Nested values as rows of a table, keys joined by a dot."""
    rows: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", str(value) if isinstance(value, float) else value))
    return rows


# --- what it is ---------------------------------------------------------------------------------------------


def title(facts: Facts, name: str) -> str:
    """The heading, and what the run is in one paragraph."""
    method, dataset = (escape(text) for text in (facts.spec["method"]["name"], facts.dataset["name"]))
    if facts.is_baseline:
        what = f"A baseline, {method}, fitted on {dataset} without a pretrained checkpoint"
    else:
        origin = facts.checkpoint["repository"]
        where = escape(origin) if origin else f"no hub repository is known: {UNNAMED}"
        what = (
            f"The pretrained encoder {escape(facts.checkpoint['name'])} ({where}), fine-tuned on {dataset} with "
            f"method {method}"
        )
    labels = ", ".join(escape(name) for name in facts.dataset["label_names"]) or "a score"
    about = f"{what}, seed {facts.spec['seed']}. It predicts: {labels}."
    return f"# {escape(name)}\n\n{about}\n\nRun {escape(facts.run['run'])}, made with Tunebook."


def intended_use(facts: Facts) -> str:
    """One sentence on what it is for."""
    dataset, names = escape(facts.dataset["name"]), facts.dataset["label_names"]
    if facts.is_trial:
        return f"To choose settings for {dataset} by: a trial of tuning, measured on no test split and not for use."
    if facts.is_baseline:
        return f"To be what a fine-tuned checkpoint has to beat on {dataset}; it is no model to rely on."
    few = 0 < len(names) <= _MOST_NAMED
    listed = (
        " and ".join([", ".join(map(escape, names[:-1])), escape(names[-1])])
        if few
        else f"{len(names)} classes"
    )
    goal = f"To tell {listed} apart in" if names else "To give a score to"
    return (
        f"{goal} {terms.texts(facts.dataset)} like those of {dataset}, and to be compared with other runs on the same "
        "splits."
    )


def labels(facts: Facts) -> str:
    """What comes out, by position."""
    names = facts.dataset["label_names"]
    if not names:
        return "One number, on the scale of the scores in the data: there are no classes."
    return table(["label", "output"], [[name, place] for place, name in enumerate(names)])


# --- what it was made of ------------------------------------------------------------------------------------


def data(facts: Facts) -> str:
    """The dataset: what it is, whose it is, its splits, and what was dropped."""
    dataset, notes = facts.dataset, facts.dataset.get("notes")
    count, is_pair = len(dataset["label_names"]), dataset.get("is_pair")
    task = f"classification, {count} classes" if count else "regression"
    language = _LANGUAGES.get(dataset.get("language") or "", facts.of_dataset("language"))
    own = facts.spec["dataset"].get("path")
    lines = [
        f"Dataset: {escape(dataset['name'])}" + (f", the file {escape(Path(own).name)}" if own else ""),
        f"Task: {task}, of {'pairs of texts' if is_pair else 'texts'}",
        f"Language: {language}",
        f"Source: {facts.of_dataset('homepage')}",
        f"Licence: {dataset_licence(facts)}",
        f"Citation: {facts.of_dataset('citation')}",
        f"Split rule: {_split_rule(facts)}",
    ]
    if dataset.get("note"):
        lines.append(f"Known of it: {escape(dataset['note'])}")
    dropped = terms.dropped(notes, facts.spec["dataset"]) if notes else [f"What was dropped: {NOT_RECORDED}"]
    return "\n\n".join([_bullets(lines), _split_table(facts), _bullets(dropped)])


def dataset_licence(facts: Facts) -> str:
    """The licence of the dataset, as its owners word it."""
    if facts.is_own and not facts.dataset.get("redistributable"):
        return "an own file: no licence is declared"
    return facts.of_dataset("licence")


def _split_rule(facts: Facts) -> str:
    rule, cut = facts.dataset.get("split_rule"), facts.dataset.get("notes", {}).get("split")
    found = " ".join(escape(text) for text in (rule, cut and f"This run: {cut}." if rule else cut) if text)
    return found or facts.of_dataset("split_rule")


def _split_table(facts: Facts) -> str:
    uses = {"train": "learning", "validation": "choosing"}
    prints, cut = facts.run["identity"]["splits"], facts.result.get("cut_texts", {})
    rows = [
        [
            name,
            uses.get(name, "measuring, once training was over"),
            count,
            cut.get(name),
            prints.get(name, "")[:12],
        ]
        for name, count in facts.result.get("examples", {}).items()
    ]
    if not rows:
        return f"Sizes of the splits: {NOT_RECORDED}."
    return table(["split", "used for", "texts", "cut to length", "fingerprint"], rows)


def method(facts: Facts) -> str:
    """What was done: the method in a sentence, its source, every setting, and what training came to."""
    known = facts.run.get("method", {})
    lines = [
        f"Method: {escape(facts.spec['method']['name'])}"
        + (f", version {escape(known['version'])}" if "version" in known else ""),
        f"What trains: {told(known, 'summary', 'its function does not say')}",
        f"Source: {told(known, 'source', 'none: it is elementary')}",
        f"Checkpoint was pretrained on: {facts.of_checkpoint('pretrained_on')}",
    ]
    train = facts.spec["train"] if facts.run["identity"]["train"] else {}
    apart = ("run", "metrics", "examples", "cut_texts")
    came = {name: value for name, value in facts.result.items() if name not in apart}
    rows = _flat({"method": facts.spec["method"]["settings"], "train": train} | came)
    if not rows:
        return _bullets(lines) + "\n\nIt has no settings."
    return _bullets(lines) + "\n\n" + table(["setting or count", "value"], rows)


# --- how good it is -----------------------------------------------------------------------------------------


def evaluation(facts: Facts) -> str:
    """Scores with intervals, classes and confusion matrix of every split."""
    from tunebook import metrics

    rows = metrics.rows()
    named = {name: None for _, scores in facts.splits for name in scores if name in rows}
    meanings = [f"{escape(name)}: {escape(rows[name].explanation)}" for name in named]
    return "\n\n".join(
        [
            "One seed only: how much of a score is luck is told by runs with other seeds. Intervals are at 95 %, over "
            "examples of this one seed; seeds vary too. A dash: undefined.",
            *(part for split, scores in facts.splits for part in _split(facts, split, scores)),
            "### What the metrics are",
            _bullets(meanings),
        ]
    )


def _split(facts: Facts, split: str, scores: Values) -> Iterator[str]:
    count = facts.result.get("examples", {}).get(split)
    yield f"### {escape(split)}" + (f", {count} texts" if count is not None else "")
    names = [name for name, score in scores.items() if name not in _TABLES]
    found = {name: _interval(facts, split, name) for name in names}
    reasons = {interval["how"] for interval in found.values() if interval.get("low") is None}
    if len(reasons) == 1 and all(interval.get("low") is None for interval in found.values()):
        yield f"In this split {escape(*reasons)}."
        yield table(["metric", "score"], [[name, scores[name]] for name in names])
    else:
        ends = {
            name: [interval.get(end) for end in ("low", "high", "how")] for name, interval in found.items()
        }
        rows = [[name, scores[name], *ends[name]] for name in names]
        yield table(["metric", "score", "95 % from", "to", "interval"], rows)
    yield from _classes(split, scores)


def _interval(facts: Facts, split: str, metric: str) -> Values:
    if facts.intervals is None:
        return {"how": "no interval: not recorded in this run"}
    if split == "validation":
        return {"how": "no interval: training may choose by this split"}
    found: Values = facts.intervals.get(split, {}).get(metric, {"how": "no interval: none was computed"})
    return found


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


def entry_notes(facts: Facts, split: str, metric: str) -> str:
    """What an entry of the hub's evaluation record has to say beside its number, as plain text."""
    count, found = facts.result.get("examples", {}).get(split), _interval(facts, split, metric)
    how = str(found["how"])
    if found.get("low") is not None:
        how = (
            f"95 % interval {found['low']:.4f} to {found['high']:.4f} ({how}) over examples of this one seed"
        )
    size = f" of {count} texts" if count is not None else ""
    place = "" if facts.dataset.get("repository") else "; not a dataset of the hub"
    return f"{metric} on {terms.plain(split)}{size}; {how}; run {facts.run['run'][:12]} by Tunebook{place}"


def limits(facts: Facts) -> str:
    """What the scores do not say."""
    return _bullets(terms.limits(facts.run, facts.result))


# --- using it, repeating it ---------------------------------------------------------------------------------


def load(facts: Facts) -> str:
    """How the folder is read, or why there is nothing to read."""
    if facts.is_baseline:
        return "Nothing to load: a baseline keeps no weights. The command below fits it again, to the same predictions."
    if not facts.has_weights:
        why = "of a trial" if facts.is_trial else "of this run"
        return f"Nothing to load: the weights {why} were not kept. The command below trains it again."
    short, example = facts.run["run"][:12], terms.example(facts.dataset)
    ours = f'import tunebook\n\ntunebook.load("{short}").predict([{example}])'
    parts = ["In the book that holds the run:", f"```python\n{ours}\n```"]
    if facts.library == "transformers":
        parts += [
            "In this folder, without Tunebook:",
            f"```python\n{terms.pipeline(facts.run, facts.result)}\n```",
        ]
        if (kept := facts.spec["train"].get("long", "head")) != "head":
            parts.append(f"It cuts a long text at its end; what the run read of one is: {escape(kept)}.")
    elif facts.library == "peft":
        parts += [
            "It is an adapter, stored apart from its checkpoint. In this folder, without Tunebook:",
            f"```python\n{terms.peft(facts.run)}\n```",
        ]
    else:
        parts.append(
            "It is an adapter of Tunebook's, stored apart from its checkpoint: no other library reads it."
        )
    return "\n\n".join(parts)


def reproduce(facts: Facts, command: str) -> str:
    """The command, and what it needs and gives."""
    own = facts.spec["dataset"].get("path")
    where = f"in the folder of {escape(Path(own).name)}" if own else "with the files of the dataset at hand"
    why = ""
    if facts.is_trial:
        why = (
            " It is a trial: the command makes the run with its settings, which is measured on test as well."
        )
    return (
        f"```sh\n{command}\n```\n\nRun it {where}. The fingerprints of the splits above tell whether the texts are "
        f"the same; in the same environment every prediction is.{why}"
    )


def cost(facts: Facts) -> str:
    """What was measured, and what it is worth."""
    if not facts.cost:
        return f"What it cost: {NOT_RECORDED}."
    rows = table(["what", "measured"], _flat(facts.cost))
    return (
        f"Measured on one machine, without evaluating and saving; compare within one machine only.\n\n{rows}"
    )


def environment(facts: Facts) -> str:
    """Where it was computed."""
    rows = _flat(facts.environment)
    return table(["what", "value"], rows) if rows else f"Versions and device: {NOT_RECORDED}."


# --- whose it is --------------------------------------------------------------------------------------------


def licence(facts: Facts) -> str:
    """Under what the parts stand."""
    shown = {
        True: "may be shown in public",
        False: "nobody has said that they may be passed on",
        None: NOT_RECORDED,
    }
    lines = [
        f"Licence of the checkpoint: {facts.of_checkpoint('licence')}",
        f"Licence of the dataset: {dataset_licence(facts)}",
        f"Texts of the dataset: {shown[facts.dataset.get('redistributable')]}",
        "This run adds no terms of its own: those of checkpoint and dataset bind whoever passes it on",
    ]
    return _bullets(lines)


def citation(facts: Facts) -> str:
    """What to cite, as far as it is known."""
    lines = [
        f"Dataset: {facts.of_dataset('citation')}",
        f"Checkpoint: {facts.of_checkpoint('paper')}",
        f"Method: {told(facts.run.get('method', {}), 'source', 'nothing to cite: it is elementary')}",
        "Tunebook:",
    ]
    return _bullets(lines) + f"\n\n```bibtex\n{terms.bibtex()}\n```"
