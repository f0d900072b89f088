"""The Makefile: says what it can do, and refuses early and clearly where it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the project's Makefile in a folder that has no environment yet."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    # What an outer `make test` was given must not reach this one.
    given = (
        "SLOW",
        "WORKERS",
        "PYTHON",
        "TORCH_INDEX",
    )  # what is said on make's command line is in its environment
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name not in given
    }
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def python_of_version(folder: Path, version: str, *, old: bool) -> Path:
    """A stand-in for an interpreter: it tells its version and fails every check when it is old."""
    script = folder / "python"
    script.write_text(f"#!/bin/sh\n[ \"$1\" = -V ] && echo 'Python {version}' && exit 0\nexit {int(old)}\n")
    script.chmod(0o755)
    return script


def test_make_alone_lists_its_targets(tmp_path: Path) -> None:
    done = make(tmp_path)
    assert done.returncode == 0
    for word in ("make demo", "make test", "make clean", "TORCH_INDEX=URL", "PYTHON="):
        assert word in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_an_old_python_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    old = python_of_version(tmp_path, "3.10.2", old=True)
    done = make(tmp_path, "demo", f"PYTHON={old}")
    assert done.returncode != 0
    assert f"make: {old} is Python 3.10.2; Tunebook needs 3.11 or newer" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = make(tmp_path, "test", "PYTHON=python9.9")
    assert done.returncode != 0
    assert "make: there is no python9.9" in done.stderr


def test_the_index_for_torch_serves_torch_alone(tmp_path: Path) -> None:
    lines = make(tmp_path, "-n", "demo", "TORCH_INDEX=URL").stdout.splitlines()
    (install,) = [line for line in lines if "--index-url URL" in line]
    assert install.endswith("torch==2.13.0")
    assert lines[-1].endswith("tunebook run experiments/pocket.toml")


@pytest.mark.parametrize(
    ("words", "together", "after"),
    [
        ((), "not alone and not slow", "alone and not slow"),
        (("SLOW=1",), "not alone", "alone"),
    ],
)
def test_tests_that_measure_run_after_the_others_one_by_one(
    tmp_path: Path, words: tuple[str, ...], together: str, after: str
) -> None:
    lines = make(tmp_path, "-n", "test", "WORKERS=3", *words).stdout.splitlines()
    first, second = (line for line in lines if "pytest" in line)
    assert first.startswith("OMP_NUM_THREADS=1 ") and "-n 3" in first and f'-m "{together}"' in first
    assert "-n " not in second and f'-m "{after}"' in second


def test_the_browser_is_set_up_before_the_tests(tmp_path: Path) -> None:
    lines = make(tmp_path, "-n", "test").stdout.splitlines()
    (browser,) = [place for place, line in enumerate(lines) if line.endswith("-m tests.browser")]
    assert browser < min(place for place, line in enumerate(lines) if "-m pytest" in line)
