"""`list`, help and tables: names and nothing else on standard output, at every width and in every encoding."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.calls import here, shell
from tunebook.cli import _terminal

NAMES = {
    "checkpoints": ("name", {"distilbert-base-uncased", "all-minilm-l6-v2", "deberta-v3-xsmall"}),
    "datasets": ("name", {"sentiment140", "sst2", "stsb", "pocket"}),
    "methods": ("name", {"full", "linear_probe", "majority", "tfidf_logreg"}),
    "capabilities": ("method", {"lora", "bitfit", "prefix_tuning"}),
    "metrics": ("name", {"accuracy", "f1", "pearson", "log_loss"}),
    "experiments": ("file", {"experiments/mine.toml", "experiments/torn.toml"}),
    "runs": ("run", set()),
}


@pytest.fixture
def declared(user: Path) -> Path:
    """A folder with two declared experiments, one of which is torn."""
    (user / "experiments").mkdir()
    (user / "experiments" / "mine.toml").write_text('question = "Why?"\n')
    (user / "experiments" / "torn.toml").write_text("question = \n")
    return user


@pytest.mark.parametrize("what", NAMES)
def test_each_list_is_one_array_and_one_table(what: str, declared: Path) -> None:
    key, expected = NAMES[what]
    rows = here("list", what, "--json")
    assert rows.code == 0 and isinstance(rows.json, list)
    names = [row[key] for row in rows.json]
    assert expected <= set(names) and len(set(names)) == len(names)
    table = here("list", what)
    assert (table.err == "") == (what != "capabilities")  # its words are explained there
    assert [line.split()[0] for line in table.out.splitlines()[2:]] == names


def test_list_alone_counts_the_lists(declared: Path) -> None:
    counts = {row["what"]: row["count"] for row in here("list", "--json").json}
    assert counts.keys() == NAMES.keys()
    assert (counts["experiments"], counts["runs"]) == (2, 0)


def test_a_torn_experiment_does_not_hide_the_others(declared: Path) -> None:
    assert "not readable: not valid TOML" in here("list", "experiments").out


def test_an_unknown_list_is_refused() -> None:
    done = here("list", "checkpoint")
    assert (done.code, done.out) == (2, "")
    assert done.err == "tunebook: unknown list 'checkpoint'; did you mean 'checkpoints'?\n"


@pytest.mark.parametrize(
    "arguments, name",
    [
        (("lst",), "'list'"),
        (("list", "--jsn"), "--json"),
        (("show",), "run"),
        (("run", "--keep", "all"), "best"),
    ],
)
def test_a_wrong_command_line_is_told_in_plain_words(arguments: tuple[str, ...], name: str) -> None:
    done = here(*arguments)
    assert (done.code, done.out) == (2, "")
    assert name in done.err and "\x1b" not in done.err and done.err.isascii()


@pytest.mark.parametrize(
    "env", [{"COLUMNS": "20"}, {"LANG": "C", "LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii", "COLUMNS": "20"}]
)
def test_narrow_and_ascii_streams_get_everything(env: dict[str, str], declared: Path) -> None:
    (declared / "experiments" / "mine.toml").write_text('question = "Café?"\n')
    done = shell("list", "experiments", cwd=declared, env=env)
    assert (done.code, done.err) == (0, "")
    assert ("Caf\\xe9?" if "PYTHONIOENCODING" in env else "Café?") in done.out
    assert shell("run", "--help", cwd=declared, env=env).code == 0


def test_a_terminal_gets_shortened_notes(tmp_path: Path) -> None:
    """The names stay whole, the notes end in an ellipsis."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tunebook", "list", "checkpoints"],
        cwd=tmp_path,
        env=os.environ | {"COLUMNS": "100"},
        stdout=theirs,
    )
    os.close(theirs)
    parts = []
    while part := _read(ours):
        parts.append(part)
    os.close(ours)
    assert process.wait() == 0
    lines = b"".join(parts).decode().splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("distilbert-base-uncased ") for line in lines)
    assert sum("…" in line for line in lines) > 5
    assert "…" not in here("list", "checkpoints").out


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the other side is closed
        return b""


def test_cells() -> None:
    values = (None, True, 1234567, 0.83858, 1.0, 14321.96, {"a": 1}, ["x", "y"], "\x1b[1m\nb\u202e")
    assert [_terminal._cell(value) for value in values] == [
        "-", "yes", "1,234,567", "0.8386", "1.0000", "14,322.0", "a = 1", "x, y", "\\x1b[1m\\nb\\u202e",
    ]  # fmt: skip


def test_version_is_a_result() -> None:
    from importlib.metadata import version

    assert here("--version").out == version("tunebook") + "\n"
