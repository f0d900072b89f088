"""README does what it shows: its own commands and its own Python, on a small file of reviews."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from tests import documents
from tests.cli.conftest import reviews

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def codes(text: str) -> list[str]:
    """The rows of the table of exit codes."""
    return re.findall(r"^\| \d+ \| .*$", text, re.MULTILINE)


def test_your_own_texts(tiny_checkpoint: Callable[..., Path], tmp_path: Path, book_root: Path) -> None:
    """As it stands, but for the checkpoint: a tiny one takes the place of the 22 million weights."""
    (tmp_path / "reviews.csv").write_text(reviews())
    (tmp_path / "tiny").symlink_to(tiny_checkpoint("bert"))
    own = documents.part(README, "own")
    own = own.replace("all-minilm-l6-v2--", "tiny--").replace("minilm-l6", "./tiny")
    (shell,), (python,) = blocks(own, "sh"), blocks(own, "python")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
    for command in (["sh", "-euxc", shell], [sys.executable, "-c", python]):
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
    assert re.match(r"finished \d\.\d+ \d+\.\d+\n", done.stdout)
    assert re.search(r"^full accuracy \d\.\d+ None 1$", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^(?:negative|positive) 0\.\d+$", done.stdout, re.MULTILINE)) == 2
    assert len(list((book_root / "runs").iterdir())) == 3, "Python found the run that the command line made"


def test_every_declared_experiment_has_its_row() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", documents.part(README, "catalogue"), re.MULTILINE)
    assert set(rows) == {path.stem for path in (ROOT / "experiments").glob("*.toml")}
    for path in (ROOT / "experiments").glob("*.toml"):
        assert tomllib.loads(path.read_text())["question"].endswith("?")


def test_exit_codes_are_those_of_the_design() -> None:
    assert codes(README) == codes((ROOT / "DESIGN.md").read_text())


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", README):
        assert target.startswith("https://") or (ROOT / target).is_file(), target
