"""Notebooks: one for every published experiment, generated, executed, and the same bytes whenever it is made again."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunebook.durable import canonical_json
from tunebook.errors import Failure, UsageError
from tunebook.publish import (
    behaviour_reports,
    charts,
    labels,
    pictures,
    reports,
    study_reports,
    transfer_reports,
)
from tunebook.publish import notebook_code as code
from tunebook.publish.open_data import file_bytes
from tunebook.publish.report import Chart
from tunebook.publish.study import Study
from tunebook.text.markdown import escape, visible

CELL_SECONDS = 120
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def build(study: Study) -> bytes:
    """An experiment's notebook, run from top to bottom, its outputs stored.

    Raises:
        UsageError: what runs notebooks is not installed.
        Failure: a cell failed, took too long, or its kernel died; the message names the cell.
    """
    return _as_bytes(executed(cells(study), study.published.folder.parent.parent), digest(study))


def digest(study: Study) -> str:
    """A hash of all that a notebook is made from: runs, splits, the experiment's file, and the code that makes it."""
    found = hashlib.sha256(canonical_json(_sources(cells(study))).encode())
    for source in (__file__, code.__file__):
        found.update(Path(source).read_bytes())
    published = [study.published.runs[name] for name in sorted({run["folder"] for run in study.runs})]
    splits = {one["examples"] for run in published for one in run["predictions"].values()}
    for value in (*published, *(study.published.splits[name] for name in sorted(splits))):
        found.update(file_bytes(value))
    return found.hexdigest()


def fault(path: Path, study: Study) -> str | None:
    """What is wrong with an experiment's notebook, nothing if it is what `build` made of these runs."""
    if not path.is_file():
        return "is missing"
    try:
        found = json.loads(path.read_bytes())
        told = found["metadata"]["tunebook"]
    except (ValueError, KeyError, TypeError):
        return "is no notebook of this catalogue"
    if told.get("inputs") != digest(study):
        return "is out of date"
    return None if _is_as_made(path.read_bytes(), found["cells"], study) else "was edited by hand"


def _is_as_made(stored: bytes, found: Any, study: Study) -> bool:
    """Whether all but the outputs of cells is what `build` writes, byte by byte, and outputs are of its forms."""
    try:
        plain = [_plain(cell) for cell in found]
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    made = [(cell["cell_type"], cell["source"]) for cell in plain]
    named = [cell["id"] for cell in plain] == [f"cell-{place}" for place in range(len(plain))]
    return plain == found and named and made == cells(study) and stored == _as_bytes(plain, digest(study))


# --- what is in it -----------------------------------------------------------------------------------------------


def cells(study: Study) -> list[tuple[str, str]]:
    """The cells of an experiment's notebook, each with its kind (`markdown` or `code`) and its source."""
    answers = [f"**{escape(reports.answer(family))}**" for family in study.families] or [
        escape(study.trouble)
    ]
    if study.behaviour is not None and (says := transfer_reports.says(study.behaviour)):
        answers.append(escape(says))
    title = (
        f"# {escape(study.question)}\n\nExperiment {escape(study.name)}, from the open data of the catalogue."
    )
    file = f"experiments/{visible(study.name)}.toml"
    again = f"tunebook run {file}\ntunebook compare {file} --pairs\ntunebook verify catalogue/data"
    return [
        ("markdown", "\n\n".join([title, *answers])),
        ("markdown", "## What was run\n\n" + _setting(study)),
        ("code", _judged(study)),
        ("markdown", _DATA),
        ("code", code.LOAD),
        ("markdown", _DO_THEY),
        ("code", code.SCORES),
        ("markdown", _RESULTS),
        ("code", code.RESULTS),
        *([("markdown", _JUDGED), ("code", _LABELS + code.CHARTS)] if _charts(study) else []),
        ("markdown", "## The best row, one seed of it\n\nConfusion, reliability and losses."),
        ("code", code.BEST),
        (
            "markdown",
            "## Its most confident errors\n\nTexts where their licence allows it, else the ids of examples.",
        ),
        ("code", code.ERRORS),
        ("markdown", "## Do it again\n\nIn a clone with Tunebook installed.\n\n" + _fenced(again, "sh")),
    ]


_DATA = """## The data

Read from the clone that this notebook lies in. Elsewhere, as on Kaggle or Colab, it needs only numpy, matplotlib and
the address where `catalogue/data` is served at a fixed commit: in the environment variable `TUNEBOOK_CATALOGUE_URL`,
or as `ADDRESS` in the next cell."""
_JUDGED = (
    "## Differences, costs, tuning and behaviour\n\nJudged by `tunebook compare`, as the intervals above, and examined "
    "by `tunebook behave`. What they found stands in the first cell, as `CHARTS`, and is only drawn here."
)
_DO_THEY = (
    "## Do the predictions give the scores?\n\nEvery run's predictions are there, and give its accuracy."
)
_RESULTS = (
    "## Results\n\nMeans, intervals over seeds and test examples, and groups of ties were judged by `tunebook "
    "compare`; every seed is drawn from the data."
)


_LABELS = inspect.getsource(labels).partition("annotations\n\n")[2] + "\n"
"""How labels are placed, as the catalogue's drawings place them."""


def _setting(study: Study) -> str:
    runs = study.runs
    budget = next((search["budget"]["trials"] for search in study.tuning.values()), None)
    told = {
        "checkpoints": sorted({run["checkpoint"] for run in runs}),
        "datasets": sorted({run["dataset"] for run in runs}),
        "methods": sorted({run["method"] for run in runs}),
        "seeds": sorted({str(run["seed"]) for run in runs}, key=int),
    }
    lines = [f"- {key}: {escape(', '.join(values))}" for key, values in told.items()]
    lines += [f"- tuned with {budget} trials a method, on validation"] if budget else []
    return "\n".join([*lines, "", _fenced(study.toml, "toml")])


def _fenced(text: str, language: str) -> str:
    """Lines shown as they are, between fences longer than any in them."""
    lines = [visible(line) for line in text.splitlines()]
    longest = max((len(ticks) for line in lines for ticks in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence + language, *lines, fence])


def _charts(study: Study) -> list[dict[str, Any]]:
    """What was judged, to be drawn: each chart as plain data, with what it is about."""
    return [{"about": about, **asdict(chart)} for about, chart in _all_charts(study) if chart.has_values]


def _all_charts(study: Study) -> Iterator[tuple[str, Chart]]:
    for family in study.families:
        for chart in (charts.forest(family), charts.front(family), study_reports.expected(family)):
            if chart is not None:
                yield reports.place(family), chart
    if study.behaviour is not None:
        found = study.behaviour
        drawn = [behaviour_reports.failures(found, name) for name in behaviour_reports.datasets(found)]
        for chart in [*transfer_reports.matrices(found), *drawn]:
            yield "How these models behave", chart
    if (curve := charts.data_curve(study.families)) is not None:
        yield study.question, curve


_TOLD = ("name", "metric", "split", "mean", "low", "high", "deviation", "seeds", "train_seconds")


def _judged(study: Study) -> str:
    """The cell with what was judged: the rows of every family, and the names of their runs."""
    rows = [
        {"family": reports.place(family), **{key: row[key] for key in _TOLD}, "group": row["tie_group"],
         "unit": reports.unit(row["metric"]), "is_off": row is charts.off_axis(family),
         "runs": [run["folder"] for run in study.runs_of(row)]}
        for family in study.families for row in family["rows"] if row["mean"] is not None
    ]  # fmt: skip
    families = list(dict.fromkeys(row["family"] for row in rows))
    names = sorted({name for row in rows for name in row["runs"]})
    return (
        f"# judged by `tunebook compare`\nimport json\nROWS = json.loads({_literal(rows)})\n"
        f"FAMILIES = json.loads({_literal(families)})\nNAMES = json.loads({_literal(names)})\n"
        f"CHARTS = json.loads({_literal(_charts(study))})\n"
    )


def _literal(value: Any) -> str:
    """A value as a Python text that is JSON, a line for each row; ASCII alone, so that nothing in it acts or hides."""
    lines = ",\n".join(json.dumps(one) for one in value)
    return "r'''[" + lines.replace("'", "\\u0027") + "]'''"


# --- running it --------------------------------------------------------------------------------------------------


def executed(
    made: Sequence[tuple[str, str]], folder: Path, *, seconds: int = CELL_SECONDS
) -> list[dict[str, Any]]:
    """The cells with their outputs, run in one kernel that starts in a folder.

    Raises:
        UsageError: what runs notebooks is not installed.
        Failure: a cell failed, took too long, or its kernel died; the message names the cell.
    """
    for library in ("ipykernel", "matplotlib"):  # used in the kernel's process, where lacking them says less
        if find_spec(library) is None:
            raise UsageError(f"notebooks need {library}: pip install 'tunebook[notebooks]'")
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    except ImportError as error:
        raise UsageError(f"notebooks need {error.name}: pip install 'tunebook[notebooks]'") from error
    make: dict[str, Any] = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    notebook = nbformat.v4.new_notebook(
        cells=[make[kind](text, id=f"cell-{place}") for place, (kind, text) in enumerate(made)]
    )
    notebook.metadata["kernelspec"] = KERNEL
    # Warnings of the kernel's own libraries are not the notebook's.
    client = NotebookClient(
        notebook,
        timeout=seconds,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--IPKernelApp.log_level=50"],
    )
    place = -1

    def begin(cell: Any, cell_index: int) -> None:
        nonlocal place
        place = cell_index

    client.on_cell_start = begin
    try:
        quiet = {
            **os.environ,
            "PYTHONWARNINGS": "ignore",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }
        client.execute(env=quiet)
    except CellTimeoutError as error:
        raise Failure(
            f"cell {place} of the notebook took over {seconds} s: {_first_line(made, place)}"
        ) from error
    except DeadKernelError as error:
        raise Failure(
            f"the kernel died in cell {place} of the notebook: {_first_line(made, place)}"
        ) from error
    except CellExecutionError as error:
        raise Failure(f"cell {place} of the notebook failed: {error.ename}: {error.evalue}") from error
    for one in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if "image/png" in one.get("data", {}):
            one["data"]["image/png"] = pictures.of_few_colours(one["data"]["image/png"])
    return [_plain(cell) for cell in notebook.cells]


def _first_line(made: Sequence[tuple[str, str]], place: int) -> str:
    return made[place][1].splitlines()[0] if 0 <= place < len(made) else "before the first one"


def _plain(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A cell as it is stored: without times, and with outputs that are the same each time."""
    kept = {"cell_type": cell["cell_type"], "id": cell["id"], "metadata": {}, "source": cell["source"]}
    if cell["cell_type"] == "code":
        kept |= {"execution_count": None, "outputs": _joined([_output(one) for one in cell["outputs"]])}
    return kept


def _joined(outputs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Outputs in which what was printed on end is one: a busy machine hands it on in pieces."""
    found: list[dict[str, Any]] = []
    for one in outputs:
        last = found[-1] if found else {}
        if one["output_type"] == "stream" == last.get("output_type") and one["name"] == last["name"]:
            found[-1] = {**last, "text": last["text"] + one["text"]}
        else:
            found.append(one)
    return found


def _output(one: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in one.items() if key not in ("metadata", "execution_count")}
    if "data" in found:
        found["data"] = {
            key: pictures.without_notes(value) if key == "image/png" else value
            for key, value in one["data"].items()
            if key in ("image/png", "text/plain")
        }
        found["metadata"] = {}
    if one["output_type"] == "execute_result":
        found["execution_count"] = None
    return found


def _as_bytes(made: list[dict[str, Any]], inputs: str) -> bytes:
    told = {"inputs": inputs, "cells": _hash_of(made)}
    language = {"name": "python"}
    notebook = {
        "cells": made,
        "metadata": {"kernelspec": KERNEL, "language_info": language, "tunebook": told},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _hash_of(made: Sequence[Mapping[str, Any]]) -> str:
    return hashlib.sha256(canonical_json(made).encode()).hexdigest()


def _sources(made: Sequence[tuple[str, str]]) -> list[list[str]]:
    return [list(one) for one in made]
