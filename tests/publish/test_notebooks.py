"""Notebooks: they run from top to bottom without Tunebook, give the same bytes again, and tell when they are stale."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests import results
from tests.publish.made import HOSTILE, TOML, book_of, published
from tunebook.errors import Failure, UsageError
from tunebook.publish import notebook_code, notebooks, palette
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
    assert "every accuracy is what the predictions give" in texts and "1  full" in texts
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
    cells = [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "x"}]
    path.write_bytes(notebooks._as_bytes(cells, notebooks.digest(study)))
    assert notebooks.fault(path, study) is None
    path.write_text(path.read_text().replace('"source": "x"', '"source": "y"'))
    assert notebooks.fault(path, study) == "was edited by hand"
    path.write_bytes(notebooks._as_bytes(cells, "other runs"))
    assert notebooks.fault(path, study) == "is out of date"
    path.write_text("[]")
    assert notebooks.fault(path, study) == "is no notebook of this catalogue"


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
    assert "0 runs compared" in texts and "1  full" in texts


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
}  # fmt: skip


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the notebook's cells define, without data."""
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("Agg")
    known: dict[str, Any] = {"DATA": None, "CHARTS": [], "ROWS": [], "FAMILIES": [], "json": json}
    exec(notebook_code.LOAD.partition("def find_data")[0] + notebook_code.RESULTS, known)
    exec(notebook_code.CHARTS, known)
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
