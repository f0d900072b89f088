"""What is recorded of the code that a run came from, and what of an environment is compared."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tunebook import environment


def git(folder: Path, *words: str) -> None:
    user = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", str(folder), *user, *words], check=True, capture_output=True)


def test_the_source_is_the_commit_and_whether_the_tree_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "tunebook"
    package.mkdir()
    (package / "environment.py").write_text("")
    monkeypatch.setattr(environment, "__file__", str(package / "environment.py"))
    assert environment.source() is None
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    clean = environment.source()
    assert clean is not None and len(clean["commit"]) == 40 and clean["dirty"] is False
    (package / "environment.py").write_text("changed = True\n")
    assert environment.source() == {**clean, "dirty": True}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.source() is None


def test_the_processor_is_told_by_name_and_numbers(tmp_path: Path) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text(
        "processor\t: 0\nmodel name\t: AMD EPYC  7543\ncpu family\t: 25\nmodel\t\t: 1\ncpu MHz\t: 2795.1\n\n"
        "processor\t: 1\nmodel name\t: another\n"
    )
    assert environment.processor(told) == "AMD EPYC 7543, cpu family 25, model 1"
    told.write_text("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n")
    assert environment.processor(told) == "CPU implementer 0x41, CPU part 0xd40"
    assert environment.describe(None)["processor"] == environment.processor()


def test_another_processor_is_another_environment_unless_none_was_recorded() -> None:
    now = {"python": "3.12", "processor": "one"}
    assert environment.differences({"python": "3.12", "processor": "two"}, now) == ["processor: two -> one"]
    assert environment.differences({"python": "3.12"}, now) == []
    assert environment.differences(now, {"python": "3.12"}) == ["processor: one -> None"]


def test_another_commit_is_no_other_environment() -> None:
    before = {"python": "3.11", "source": {"commit": "a", "dirty": False}}
    now = {"python": "3.12", "source": {"commit": "b", "dirty": True}}
    assert environment.differences(before, now) == ["python: 3.11 -> 3.12"]
