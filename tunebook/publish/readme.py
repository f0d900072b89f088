"""The README's block: what was run, with its uncertainty, the state of every declared experiment, and what to read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebook import methods
from tunebook.claims import Verdict
from tunebook.comparison import method_of
from tunebook.errors import UsageError
from tunebook.models.rows import rows as checkpoint_rows
from tunebook.publish import reports
from tunebook.publish.report import Kind, format_value
from tunebook.publish.study import Study
from tunebook.spec import NO_CHECKPOINT
from tunebook.text.markdown import escape

BEGIN, END = "<!-- catalogue:begin -->", "<!-- catalogue:end -->"
_ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")


def block(studies: Sequence[Study], declared: Sequence[str], verdicts: Sequence[Verdict]) -> str:
    """The block as Markdown; `declared` names the experiments with a file, `verdicts` are those on claims."""
    entries = list(_entries(studies))
    columns = [
        "model and method",
        "base checkpoint",
        "data",
        "set-up",
        "result on test, 95 % interval",
        "group",
        "training",
        "more",
    ]
    head = f"| {' | '.join(columns)} |"
    return "\n".join(
        [
            BEGIN,
            *([head, "|---|---|---|---|---|---|---|---|", *entries, ""] if entries else []),
            "| experiment | state | reported elsewhere |",
            "|---|---|---|",
            *(_state(name, studies, _reported(name, verdicts)) for name in declared),
            "",
            "References: " + "; ".join(_references(studies)) + ".",
            END,
        ]
    )


def _entries(studies: Sequence[Study]) -> Iterator[str]:
    """A line for each row; of one that several experiments have, where it stands first, with the pages of all."""
    found: dict[tuple[str, ...], tuple[str, list[str]]] = {}
    for study in studies:
        page = f"[page](catalogue/experiments/{study.slug}.html), [notebook](notebooks/{study.slug}.ipynb)"
        for family in study.families:
            for row in (one for one in family["rows"] if one["method"] != "majority"):
                runs = tuple(row["runs"])
                if runs in found:
                    also = f"[{escape(study.name)}](catalogue/experiments/{study.slug}.html)"
                    found[runs][1].append(also)
                else:
                    found[runs] = (_entry(row, reports.unit(family["metric"])), [page])
    for line, pages in found.values():
        yield f"| {line} | {', '.join(pages)} |"


def _entry(row: Mapping[str, Any], of: Kind) -> str:
    known = {one.name: one for one in checkpoint_rows().values()}
    repository = known[row["checkpoint"]].repository if row["checkpoint"] in known else None
    base = f"[{escape(repository)}](https://huggingface.co/{repository})" if repository else "none"
    mean, low, high = (format_value(row[key], of) for key in ("mean", "low", "high"))
    interval = f" ({low} to {high})" if row["low"] is not None else ""
    rate = format_value(row["samples_per_second"], "rate")
    cells = [
        escape(_name(row)),
        base,
        f"{escape(row['dataset'])}, {row['train_size']:,} texts",
        f"{row['seeds']} seed{'s' * (row['seeds'] != 1)}"
        + (f", {row['trials']} trials" if row.get("trials") else ""),
        f"{escape(row['metric'].replace('_', ' '))} {mean}{interval}, n = {row['examples']:,}",
        str(row["tie_group"] or "-"),
        f"{format_value(row['train_seconds'], 'seconds')}, {rate} samples/s",
    ]
    return " | ".join(cells)


def _name(row: Mapping[str, Any]) -> str:
    method = str(row["method"])
    return method if row["checkpoint"] == NO_CHECKPOINT else f"{row['checkpoint']}, {method}"


def _state(name: str, studies: Sequence[Study], reported: Sequence[str]) -> str:
    found = next((study for study in studies if study.name == name and study.runs), None)
    if found is None:
        state = f"planned: `tunebook run experiments/{name}.toml`"
    elif found.lacking:
        state = f"{len(found.runs)} of {found.expected} runs reproduced here"
    else:
        state = f"reproduced here, {len(found.runs)} runs"
    return f"| `{name}` | {state} | {'; '.join(map(escape, reported))} |"


def _reported(name: str, verdicts: Sequence[Verdict]) -> list[str]:
    """What was claimed of just what an experiment does, the first few of it."""
    command = f"experiments/{name}.toml"
    found = [
        one.claim for one in verdicts if command in (one.command or "") and one.claim.kind == "experiment"
    ]
    return [
        f"{one.metric.replace('_', ' ')} {one.value:g} {'%' if one.unit == 'percent' else ''} ({one.source})"
        for one in found[:3]
    ]


def _references(studies: Iterable[Study]) -> list[str]:
    """The papers of the checkpoints and methods that have results, with their arXiv addresses."""
    rows = [row for study in studies for family in study.families for row in family["rows"]]
    used = {row["checkpoint"] for row in rows}
    told = [row.paper for row in checkpoint_rows().values() if row.name in used]
    names = {method_of(row["method"]) for row in rows}
    told += [methods.rows()[name].function.__doc__ or "" for name in sorted(names) if name in methods.rows()]
    found: dict[str, str] = {}
    for text in told:
        source = " ".join(text.partition("Source:")[2].split() if "Source:" in text else text.split())
        for one in source.split(";"):
            if match := _ARXIV.search(one):
                words = one[: match.start()].strip(" ,.")
                found.setdefault(
                    match[1], f"{escape(words)}, [arXiv {match[1]}](https://arxiv.org/abs/{match[1]})"
                )
    return list(found.values())


def with_block(text: str, made: str) -> str:
    """A README with its block replaced; all else stays as it is.

    Raises:
        UsageError: it lacks one of the two markers, has them twice, or the wrong way round.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise UsageError(
            f"README.md needs the lines {BEGIN} and {END} once each, in this order: the block goes between"
        )
    return text[: text.index(BEGIN)] + made + text[text.index(END) + len(END) :]


def declared_names(folder: Path) -> list[str]:
    """The names of the experiments that have a file in a folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))
