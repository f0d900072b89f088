"""Notebooks: they run from top to bottom without Tunebook, give the same bytes again, and tell when they are stale."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.publish.made import HOSTILE, book_of, published
from tunebook.errors import Failure
from tunebook.publish import notebooks
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
    assert "every accuracy is what the predictions give" in texts and "group 1" in texts
    images = [
        one
        for cell in found["cells"]
        for one in cell.get("outputs", [])
        if "image/png" in one.get("data", {})
    ]
    assert len(images) == 2
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
