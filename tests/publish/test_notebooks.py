"""Notebooks: they run from top to bottom without Tunebook, give the same bytes again, and tell when they are stale."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests import results
from tests.publish.made import HOSTILE, TOML, book_of, published
from tunebook.errors import Failure, UsageError
from tunebook.publish import notebook_code, notebook_outputs, notebooks, palette
from tunebook.publish.report import Axis, Chart, Mark, MarkKind
from tunebook.publish.study import Study, studies

DIE = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"


def study_of(folder: Path, **same: object) -> Study:
    book = book_of(folder / "book", **same)  # type: ignore[arg-type]
    data, _ = published(book, folder / "repository" / "catalogue" / "data")
    (study,) = studies(data)
    return study


def test_it_runs_tells_the_scores_and_is_the_same_bytes_again(tmp_path: Path) -> None:
    study = study_of(tmp_path, tuned=True)
    made = notebooks.build(study)
    assert notebooks.build(study) == made
    found = json.loads(made)
    texts = "".join(one.get("text", "") for cell in found["cells"] for one in cell.get("outputs", []))
    assert "every accuracy is what the predictions give" in texts and " %  " in texts and " points " in texts
    images = [
        base64.b64decode(one["data"]["image/png"])
        for cell in found["cells"]
        for one in cell.get("outputs", [])
        if "image/png" in one.get("data", {})
    ]
    # Every seed; differences, the front and the trials; the best row.
    assert len(images) == 5
    assert not any(kind in image for image in images for kind in (b"tEXt", b"tIME"))
    assert "version" not in found["metadata"]["language_info"]
    path = tmp_path / "study.ipynb"
    path.write_bytes(made)
    assert notebooks.fault(path, study) is None


def test_stale_edited_and_missing_ones_are_told_apart(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    path = tmp_path / "study.ipynb"
    assert notebooks.fault(path, study) == "is missing"
    cells = stored(study)
    path.write_bytes(notebooks._as_bytes(cells, notebooks.digest(study)))
    assert notebooks.fault(path, study) is None
    path.write_text(path.read_text().replace('"text": "told"', '"text": "tald"'))
    assert notebooks.fault(path, study) == "was edited by hand"
    path.write_bytes(notebooks._as_bytes(cells, "other runs"))
    assert notebooks.fault(path, study) == "is out of date"
    path.write_text("[]")
    assert notebooks.fault(path, study) == "is no notebook of this catalogue"


def stored(study: Study) -> list[dict[str, Any]]:
    """The cells of a notebook as it is stored, each with an output that somebody made up."""
    told: dict[str, Any] = {"outputs": [{"output_type": "stream", "name": "stdout", "text": "told"}]}
    return [
        notebooks._plain({"cell_type": kind, "id": f"cell-{place}", "source": text, **told})
        for place, (kind, text) in enumerate(notebooks.cells(study))
    ]


FORGED: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "a source": lambda cells: cells[0].update(source="All is well."),
    "a code's source": lambda cells: cells[2].update(source=cells[2]["source"] + "\n"),
    "a cell's metadata": lambda cells: cells[0].update(metadata={"collapsed": True}),
    "a cell's id": lambda cells: cells[0].update(id="mine"),
    "a cell more": lambda cells: cells.append({**cells[0], "id": f"cell-{len(cells)}"}),
    "a cell less": lambda cells: cells.pop(),
    "a count": lambda cells: cells[2].update(execution_count=3),
    "an output that acts": lambda cells: cells[2]["outputs"].append(
        {"output_type": "display_data", "data": {"text/html": "<script>1</script>"}, "metadata": {}}
    ),
    "an output in pieces": lambda cells: cells[2]["outputs"].append(cells[2]["outputs"][0]),
    "no list of outputs": lambda cells: cells[2].update(outputs=3),
}  # fmt: skip


@pytest.mark.parametrize("forged", FORGED)
def test_what_is_not_generated_is_found_though_every_digest_was_computed_anew(
    tmp_path: Path, forged: str
) -> None:
    study = study_of(tmp_path)
    path, cells = tmp_path / "study.ipynb", stored(study)
    FORGED[forged](cells)
    path.write_bytes(notebooks._as_bytes(cells, notebooks.digest(study)))
    assert notebooks.fault(path, study) == "was edited by hand"


@pytest.mark.parametrize("key", ["kernelspec", "language_info", "more", "nbformat_minor"])
def test_other_metadata_of_a_notebook_are_found(tmp_path: Path, key: str) -> None:
    study = study_of(tmp_path)
    made = json.loads(notebooks._as_bytes(stored(study), notebooks.digest(study)))
    made.update({key: 4}) if key == "nbformat_minor" else made["metadata"].update({key: {"name": "other"}})
    path = tmp_path / "study.ipynb"
    path.write_text(json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    assert notebooks.fault(path, study) == "was edited by hand"


def test_outputs_that_running_does_not_give_are_found_by_running(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    path = tmp_path / "study.ipynb"
    path.write_bytes(made := notebooks.build(study))
    assert notebook_outputs.other_outputs(path, study) is None
    told = json.loads(made)["cells"]
    text = next(one for cell in told for one in cell.get("outputs", []) if "every" in one.get("text", ""))
    text["text"] = text["text"].replace("every", "no")
    path.write_bytes(notebooks._as_bytes(told, notebooks.digest(study)))
    assert notebooks.fault(path, study) is None, "which no digest can tell"
    assert notebook_outputs.other_outputs(path, study) == "has outputs that running it does not give"
    drawn = json.loads(made)["cells"]
    picture = next(
        one for cell in drawn for one in cell.get("outputs", []) if "image/png" in one.get("data", {})
    )
    picture["data"]["image/png"] = base64.b64encode(
        base64.b64decode(picture["data"]["image/png"])[:8]
    ).decode()
    path.write_bytes(notebooks._as_bytes(drawn, notebooks.digest(study)))
    assert (
        notebook_outputs.other_outputs(path, study)
        == "has pictures of other bytes than are drawn here: look at them"
    )


def test_a_run_more_makes_it_stale(tmp_path: Path) -> None:
    one, more = study_of(tmp_path / "a", seeds=2), study_of(tmp_path / "b", seeds=3)
    assert notebooks.digest(one) != notebooks.digest(more)


def test_its_code_needs_no_tunebook(tmp_path: Path) -> None:
    """Run as a script where Tunebook cannot be imported."""
    study = study_of(tmp_path)
    guard = "import sys\nsys.modules['tunebook'] = None\nimport matplotlib\nmatplotlib.use('Agg')\n"
    sources = [text for kind, text in notebooks.cells(study) if kind == "code"]
    folder = study.published.folder.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([guard, *sources])], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "every accuracy is what the predictions give" in done.stdout


def test_without_a_clone_it_says_what_to_set(tmp_path: Path) -> None:
    sources = [text for kind, text in notebooks.cells(study_of(tmp_path)) if kind == "code"][:2]
    done = subprocess.run([sys.executable, "-c", "\n".join(sources)], cwd="/", capture_output=True, text=True)
    assert done.returncode == 1 and "set TUNEBOOK_CATALOGUE_URL" in done.stderr


def test_without_a_clone_it_reads_what_is_served(tmp_path: Path) -> None:
    import functools
    import http.server
    import threading

    study = study_of(tmp_path)
    serve = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(study.published.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sources = [text for kind, text in notebooks.cells(study) if kind == "code"][:3]
        address = f"http://127.0.0.1:{server.server_port}"
        done = subprocess.run(
            [sys.executable, "-c", "\n".join(sources)], cwd="/", capture_output=True, text=True,
            env={"TUNEBOOK_CATALOGUE_URL": address, "no_proxy": "*"},
        )  # fmt: skip
        server.shutdown()
    assert "every accuracy is what the predictions give" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("cell", "says"),
    [(DIE, "the kernel died in cell 1 of the notebook: import os, signal"),
     ("while True: pass", "cell 1 of the notebook took over 3 s"),
     ("1 / 0", "cell 1 of the notebook failed: ZeroDivisionError")],
)  # fmt: skip
def test_a_cell_that_fails_is_named(tmp_path: Path, cell: str, says: str) -> None:
    with pytest.raises(Failure, match=says):
        notebooks.executed([("code", "print('well')"), ("code", cell)], tmp_path, seconds=3)


def test_hostile_texts_are_letters(tmp_path: Path) -> None:
    made = notebooks.cells(study_of(tmp_path, dataset=HOSTILE, checkpoint=HOSTILE))
    for kind, text in made:
        assert "\x1b" not in text and "\u202e" not in text
        assert kind == "code" or "<script>" not in text.replace("\\<", "")
    compile("\n".join(text for kind, text in made if kind == "code"), "notebook", "exec")


def test_outputs_show_hostile_names_as_letters(tmp_path: Path) -> None:
    examples = results.examples()
    named = results.Examples(examples.labels, examples.hardness, (HOSTILE, "positive"))
    toml = TOML.replace("Does it pay?", "<b>`````\u202e") + "# ```\n"
    study = study_of(tmp_path, examples=named, toml=toml, checkpoint=HOSTILE)
    made = notebooks.build(study).decode()
    assert "\\u001b" not in made.replace("\\\\u001b", "") and "\u202e" not in made
    told = "".join(
        one.get("text", "") for cell in json.loads(made)["cells"] for one in cell.get("outputs", [])
    )
    assert "\\u001b[31m\\u202e" in told


def test_the_experiments_file_is_one_block_of_code(tmp_path: Path) -> None:
    from markdown_it import MarkdownIt

    toml = TOML + "# ````` <script>\n[train]\nepochs = 3\n"
    setting = notebooks.cells(study_of(tmp_path, toml=toml))[1][1]
    blocks = [one for one in MarkdownIt("commonmark").parse(setting) if one.type in ("fence", "html_block")]
    assert [(one.info, one.content) for one in blocks] == [("toml", toml)]


def test_scores_make_a_notebook_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.publish.made.SKILLS", {"full": 1.2, "linear_probe": 0.2})
    made = json.loads(notebooks.build(study_of(tmp_path, examples=results.examples(classes=0))))
    texts = "".join(one.get("text", "") for cell in made["cells"] for one in cell.get("outputs", []))
    assert (
        "0 runs compared" in texts and "full" in texts and not re.search(r"\d %", texts.replace("95 %", ""))
    )


def test_another_generator_makes_it_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of(tmp_path)
    before = notebooks.digest(study)
    other = tmp_path / "other.py"
    other.write_text(Path(notebook_code.__file__).read_text() + "\n")
    monkeypatch.setattr(notebook_code, "__file__", str(other))
    assert notebooks.digest(study) != before


@pytest.mark.parametrize("library", ["nbformat", "nbclient", "ipykernel", "matplotlib"])
def test_what_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match=f"notebooks need {library}"):
        notebooks.executed([("code", "1")], tmp_path)


# --- drawing -----------------------------------------------------------------------------------------------------

NAMES = Axis("$x", "names", names=("a $ b", HOSTILE))
SHARES = Axis("share", unit="share", low=0.0, high=1.0)
SOME: tuple[dict[str, Any], ...] = (
    {"x": 0.2, "y": 0.1, "x_low": 0.1, "x_high": 0.3, "y_low": 0.0, "y_high": 0.4, "group": "one", "label": "$a"},
    {"x": 0.7, "y": 0.6, "x_low": None, "x_high": None, "y_low": 0.5, "y_high": 0.8, "group": "$two"},
    {"x": 0.9, "y": None, "group": "one"},
)  # fmt: skip
DRAWN: dict[MarkKind, tuple[Chart, dict[str, int]]] = {
    "point": (Chart("c", "t", SHARES, SHARES, (Mark("point", SOME),)), {"lines": 2, "legends": 1}),
    "interval": (Chart("c", "t", SHARES, SHARES, (Mark("interval", SOME),)), {"lines": 5, "texts": 1}),
    "line": (Chart("c", "t", Axis("x", "log"), SHARES, (Mark("line", SOME),)), {"lines": 2, "legends": 1}),
    "band": (Chart("c", "t", SHARES, SHARES, (Mark("band", SOME[:1]),)), {"collections": 1, "legends": 0}),
    "bar": (Chart("c", "t", SHARES, NAMES, (Mark("bar", ({"x": 0.4, "y": HOSTILE},)),)), {"patches": 1}),
    "cell": (
        Chart("c", "t", NAMES, NAMES, (Mark("cell", ({"x": "a $ b", "y": HOSTILE, "value": 0.9, "label": "$"},)),)),
        {"patches": 1, "texts": 1},
    ),
    "rule": (Chart("c", "t", SHARES, SHARES, (Mark("rule", ({"x": 0.0}, {"y": 0.5})),)), {"lines": 2}),
    "aside": (Chart("c", "t", SHARES, NAMES, (Mark("aside", ({"y": HOSTILE, "label": "$ off"},)),)), {"texts": 1}),
}  # fmt: skip


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the notebook's cells define, without data."""
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("Agg")
    known: dict[str, Any] = {"DATA": None, "CHARTS": [], "ROWS": [], "FAMILIES": [], "json": json}
    exec(notebook_code.LOAD.partition("def find_data")[0] + notebook_code.RESULTS, known)
    exec(notebooks._LABELS + notebook_code.CHARTS, known)
    monkeypatch.setattr(pyplot, "show", lambda: None)
    return known


@pytest.mark.parametrize("kind", DRAWN)
def test_every_kind_of_mark_is_drawn(drawing: dict[str, Any], kind: MarkKind) -> None:
    from matplotlib import pyplot

    chart, expected = DRAWN[kind]
    drawing["draw"](json.loads(json.dumps(asdict(chart))))
    figure = pyplot.gcf()
    figure.canvas.draw()
    (axes,) = figure.axes
    found = {"lines": len(axes.lines), "patches": len(axes.patches), "texts": len(axes.texts),
             "collections": len(axes.collections), "legends": len(figure.legends)}  # fmt: skip
    ticks = [tick.get_text() for tick in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    pyplot.close(figure)
    assert found == found | expected
    if NAMES in (chart.x, chart.y):
        assert "a $ b" in ticks and not any("\x1b" in tick for tick in ticks)
        assert axes.yaxis.get_inverted() and not axes.xaxis.get_inverted()


def test_the_notebooks_colours_are_the_catalogues(drawing: dict[str, Any]) -> None:
    assert tuple(drawing["COLOURS"]) == palette.COLOURS
    assert len(drawing["MARKERS"]) == len(drawing["DASHES"]) == len(palette.COLOURS)
    assert set(drawing["DRAWN"]) == set(DRAWN)


def test_labels_of_a_front_are_written_and_lie_on_nothing(drawing: dict[str, Any]) -> None:
    from matplotlib import pyplot

    near = [
        {"x": 24 + place / 3, "y": 0.79 + place / 900, "label": f"a method {place}"} for place in range(6)
    ]
    near[0] |= {"x_low": -3.0, "x_high": 50.0}  # which has no place on the axis
    near.append({"x": 2.0, "y": 0.7, "label": "far"})
    front = Chart(
        "f", "t", Axis("s", "log", "seconds"), Axis("y", unit="share"), (Mark("interval", tuple(near)),)
    )
    drawing["draw"](json.loads(json.dumps(asdict(front))))
    figure = pyplot.gcf()
    figure.canvas.draw()
    texts = figure.axes[0].texts
    boxes = [text.get_window_extent() for text in texts]
    told, ticks = [text.get_text() for text in texts], figure.axes[0].get_xticklabels()
    lines = [line for line in figure.axes[0].lines if line.get_color() == palette.COLOURS[0]]
    pyplot.close(figure)
    assert len(lines) == 1 and "20 s" in [tick.get_text() for tick in ticks]
    assert told == [one["label"] for one in near]
    assert not [(a, b) for place, a in enumerate(boxes) for b in boxes[:place] if a.overlaps(b)]


def test_differences_are_in_points_and_square_charts_have_equal_axes(drawing: dict[str, Any]) -> None:
    from matplotlib import pyplot

    points = Axis("difference in accuracy (points)", unit="points", low=-0.03, high=0.01)
    for chart in (
        Chart("f", "t", points, NAMES, (Mark("interval", ({"x": -0.02, "y": HOSTILE},)),)),
        Chart("r", "t", SHARES, SHARES, (Mark("point", SOME[:1]),), is_square=True),
    ):
        drawing["draw"](json.loads(json.dumps(asdict(chart))))
        (axes,) = pyplot.gcf().axes
        pyplot.gcf().canvas.draw()
        ticks, aspect = [tick.get_text() for tick in axes.get_xticklabels()], axes.get_aspect()
        pyplot.close()
        assert aspect == (1.0 if chart.is_square else "auto")
        assert chart.is_square or ("\u22122" in ticks and not any("%" in tick for tick in ticks))


def test_a_chart_with_nothing_to_draw_is_left_out_as_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunebook.publish.site import Site

    monkeypatch.setattr("tests.publish.made.SKILLS", {"full": 1.2, "majority": -1.0})
    study = study_of(tmp_path)
    page = Site(study.published).render("experiments/study.html").decode()
    assert [chart["name"] for chart in notebooks._charts(study)] == ["front"]
    assert (
        "Accuracy against seconds" in page and "Difference to" not in page and "nothing to draw" not in page
    )
