"""Each checker of house.py finds a planted fault, and finds nothing where there is none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import documents, house

DESIGN = """
```
layer  entry of tunebook/   what it does
5      train.py             the loop
2      data/                rows
2      models/              checkpoints
0      names.py             names
0      errors.py            errors
```

| code | when |
|---|---|
| 0 | well |
| 75 | busy |

| other | table |
|---|---|
| 7 | seven |
"""
LAYERS = {"train": 5, "data": 2, "models": 2, "names": 0, "errors": 0}


def package(**more: str) -> dict[str, str]:
    """A package without a fault, with modules added or replaced; `__` in a name stands for a dot."""
    sources = {
        "tunebook.train": "from tunebook import data\nfrom tunebook.models import load\n",
        "tunebook.data": "from tunebook.errors import DataRejected\n",
        "tunebook.data.lines": "from tunebook.names import inside\n",
        "tunebook.data.families.films": "from tunebook.data.lines import read\n",
        "tunebook.data.families.tweets": "from tunebook.data.families._shared import label\n",
        "tunebook.data.families._shared": "label = 1\n",
        "tunebook.models": "",
        "tunebook.names": "from tunebook.errors import UsageError\n",
        "tunebook.errors": "",
    }
    return sources | {name.replace("__", "."): source for name, source in more.items()}


def test_layers_are_read_from_the_document() -> None:
    assert house.read_layers(DESIGN) == LAYERS


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"tunebook__data__lines": "import tunebook.train"}, "imports tunebook.train (layer 5)"),
        ({"tunebook__data__lines": "from tunebook import train"}, "imports tunebook.train (layer 5)"),
        ({"tunebook__data__lines": "def read():\n    import tunebook.train"}, "imports tunebook.train"),
        ({"tunebook__data": "from tunebook.models import load"}, "imports tunebook.models (layer 2)"),
        ({"tunebook__attic": "x = 1"}, "tunebook.attic: has no layer"),
        ({"tunebook__data": "if TYPE_CHECKING:\n    from tunebook.models import load"}, "tunebook.models"),
    ],
)
def test_imports_up_and_sideways_are_found(fault: dict[str, str], said: str) -> None:
    assert house.wrong_imports(package(), LAYERS) == []
    (found,) = house.wrong_imports(package(**fault), LAYERS)
    assert said in found


def test_imports_between_families_are_found() -> None:
    assert house.sibling_imports(package()) == []
    fault = {"tunebook__data__families__films": "from tunebook.data.families import tweets"}
    assert house.sibling_imports(package(**fault)) == [
        "tunebook.data.families.films imports its sibling tunebook.data.families.tweets"
    ]


def test_a_room_that_says_nothing_is_found() -> None:
    assert house.forbidden_rooms(["tunebook.data", "tunebook.data.utils"]) == ["tunebook.data.utils"]


def test_a_file_that_does_not_parse_is_found() -> None:
    (found,) = house.unreadable({"tunebook.a": "x = 1\n", "tunebook.b": "x = 1\ndef y(:\n"})
    assert found.startswith("tunebook.b:2: ")


GOOD = '''"""A file."""
def score(logits: np.ndarray) -> float:
    """The score of `(texts, labels)` logits.

    Raises:
        ValueError: there are none.
    """
    raise ValueError(logits)

def again(table: dict) -> None:
    """Look again; nobody here raises anything but what is passed on."""
    try:
        table.pop()
    except KeyError:
        raise

def outer() -> None:
    """Make something that raises later."""
    def inner() -> None:
        raise ValueError

def _private(x: Tensor): raise ValueError

class Store:
    """A store."""
    def __len__(self): return 0
    def get(self):
        """What is in it."""
'''


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"""A file."""\n', "", "m: no first line"),
        ('    """A store."""\n', "", "m.Store: no docstring"),
        ('        """What is in it."""\n', "        return 1\n", "m.Store.get: no docstring"),
        ("    Raises:\n        ValueError: there are none.\n", "", "m.score: raises ValueError"),
        ("`(texts, labels)` ", "", "m.score: takes or gives arrays"),
        ("        raise\n", "        raise errors.UsageError('no')\n", "m.again: raises UsageError"),
    ],
)
def test_missing_sections_are_found(old: str, new: str, said: str) -> None:
    assert house.docstring_faults("m", GOOD) == []
    assert old in GOOD
    (found,) = house.docstring_faults("m", GOOD.replace(old, new))
    assert found.startswith(said)


def test_help_needs_no_sections() -> None:
    source = '"""File."""\ndef command() -> None:\n    """Help."""\n    raise UsageError("no")\n'
    assert house.docstring_faults("tunebook.cli.run", source) == []
    assert len(house.docstring_faults("tunebook.cli._options", source)) == 1


README = """
# Title

Run `tunebook run FILE`, then `tunebook data check FILE`.

tunebook/        the package
  data/          rows
    films.py     a family
  run.py         a run

experiments/     TOML
"""


def test_a_gap_in_the_tree_is_found() -> None:
    assert house.tree_entries(README) == {"data", "run.py"}
    assert house.missing_entries(README, ["data", "run.py", "train.py"]) == ["train.py"]


def test_verbs_that_nobody_wrote_about_are_found() -> None:
    assert house.undocumented_verbs(README, ["run", "data check", "data", "gc", "ru"]) == ["gc", "ru"]
    helps = {"run": "Example:\n  tunebook run a.toml", "gc": "Remove what can go.", "show": "Example: show a"}
    assert house.verbs_without_example(helps) == ["gc", "show"]


def test_exit_codes_are_read_from_their_table_alone() -> None:
    assert house.table_codes(DESIGN) == {0, 75}


def test_empty_fields_of_a_row_are_found() -> None:
    row = SimpleNamespace(name="a", licence="", splits=(), parameters=0)
    assert house.incomplete_fields(row, ["name", "licence", "splits", "parameters", "paper"]) == [
        "licence",
        "splits",
        "paper",
    ]


def test_long_files_are_found() -> None:
    assert house.long_files({"a": "\n" * 350, "b": "\n" * 351}) == ["b: 351 lines, over 350"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("see " + "/home/" + "ada/notes", "machine"),
        ("cd " + "/work/" + "main", "machine"),
        ("pip install --index-url " + "https://" + "wheels.example.org/cpu", "package index"),
        ("https://" + "wheels.example.org/simple", "package index"),
        ("as asked in issue" + " 12", "ticket"),
        ("cat ../" + "shared/data/README.md", "beside"),
    ],
)
def test_foreign_words_are_found(text: str, kind: str) -> None:
    (found,) = house.foreign_words("README.md", "first line\n" + text + "\n")
    assert found.startswith("README.md:2: ")
    assert kind in found


def test_plain_words_are_not() -> None:
    text = "../DESIGN.md, https://arxiv.org/abs/1910.01108, transformers#39501, ~/work/x, Task 1, a/home/x"
    assert house.foreign_words("README.md", text) == []
    assert house.foreign_words(".ci/run", "data=../" + "shared/data") == []


def test_a_package_is_read_by_module_names(tmp_path: Path) -> None:
    folder = tmp_path / "tunebook" / "data"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("a = 1")
    (folder / "lines.py").write_text("b = 2")
    assert house.read_package(tmp_path) == {"tunebook.data": "a = 1", "tunebook.data.lines": "b = 2"}


def test_generated_parts_are_replaced_and_nothing_else() -> None:
    text = "before\n<!-- t:begin -->\nold\n<!-- t:end -->\nafter\n"
    assert documents.part(text, "t") == "old\n"
    new = documents.with_part(text, "t", "| new |")
    assert new == "before\n<!-- t:begin -->\n| new |\n<!-- t:end -->\nafter\n"
    with pytest.raises(ValueError, match="0 parts are marked 'u'"):
        documents.part(text, "u")
