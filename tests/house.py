"""The checkers behind test_house.py: functions over source texts, tables or lists that return faults."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
Public = Function | ast.ClassDef

FORBIDDEN_ROOMS = {"base", "common", "core", "helpers", "manager", "misc", "utils"}
FAMILY_FOLDERS = {"families", "methods"}
"""Folders whose modules are members of one family: a scan finds them, and they know nothing of each other."""


# --- modules and what they import ---------------------------------------------------------------------------


def module_name(path: Path, root: Path) -> str:
    """The dotted name of a source file under `root`; a package goes by its folder's name."""
    parts = list(path.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def read_package(root: Path, package: str = "tunebook") -> dict[str, str]:
    """Source text by module name, for every file of a package."""
    return {module_name(path, root): path.read_text() for path in sorted((root / package).rglob("*.py"))}


def unreadable(sources: Mapping[str, str]) -> list[str]:
    """Files that this Python cannot parse."""
    faults = []
    for module, source in sources.items():
        try:
            ast.parse(source)
        except SyntaxError as error:
            faults.append(f"{module}:{error.lineno}: {error.msg}: {(error.text or '').strip()!r}")
    return faults


def imported_modules(source: str, known: Iterable[str], package: str = "tunebook") -> set[str]:
    """Which modules of the package a source imports: at its top, inside functions, and for types only."""
    names = set(known)
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in names else node.module for name in whole}
    return {name for name in found if name == package or name.startswith(f"{package}.")}


def entry(module: str) -> str:
    """The entry of the package that a module belongs to: `tunebook.data.rows.glue` belongs to `data`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def read_layers(design: str) -> dict[str, int]:
    """The layer of each entry, from the table in DESIGN.md that starts with `layer  entry`."""
    block = re.search(r"```\nlayer .*?\n(.*?)```", design, re.DOTALL)
    rows = re.findall(r"^(\d+)\s+(\S+?)(?:/|\.py)\s", block.group(1) if block else "", re.MULTILINE)
    return {name: int(layer) for layer, name in rows}


def wrong_imports(sources: Mapping[str, str], layers: Mapping[str, int]) -> list[str]:
    """Imports that point up or sideways, and modules that have no layer."""
    faults = [f"{module}: has no layer" for module in sources if entry(module) not in layers]
    for module, source in sources.items():
        for target in sorted(imported_modules(source, sources)):
            here, there = entry(module), entry(target)
            if here == there or there == "errors" or here not in layers or there not in layers:
                continue
            if layers[there] >= layers[here]:
                faults.append(f"{module} (layer {layers[here]}) imports {target} (layer {layers[there]})")
    return faults


def families(modules: Iterable[str]) -> dict[str, set[str]]:
    """Members of each family folder; a module that starts with an underscore is what they share."""
    members: dict[str, set[str]] = {}
    for module in modules:
        folder, _, name = module.rpartition(".")
        if folder.rpartition(".")[2] in FAMILY_FOLDERS and not name.startswith("_"):
            members.setdefault(folder, set()).add(module)
    return members


def sibling_imports(sources: Mapping[str, str]) -> list[str]:
    """Imports between members of one family."""
    return [
        f"{module} imports its sibling {target}"
        for members in families(sources).values()
        for module in sorted(members)
        for target in sorted(imported_modules(sources[module], sources) & (members - {module}))
    ]


def forbidden_rooms(modules: Iterable[str]) -> list[str]:
    """Modules whose name says nothing."""
    return [module for module in modules if FORBIDDEN_ROOMS & set(module.split("."))]


# --- docstrings ---------------------------------------------------------------------------------------------


def public_definitions(source: str) -> Iterator[tuple[str, Public]]:
    """Public functions and classes of a module and public methods of its public classes, by dotted name."""
    for node in ast.parse(source).body:
        if isinstance(node, Public) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                for member in node.body:
                    if isinstance(member, Function) and not member.name.startswith("_"):
                        yield f"{node.name}.{member.name}", member


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Nodes of a function's body without those of functions and classes defined inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Public | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def raised_names(function: Function) -> set[str]:
    """Names of the exceptions that a function raises itself."""
    names = set()
    for node in own_nodes(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            call = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            names.add(ast.unparse(call).split(".")[-1])
    return names


def is_verb_file(module: str) -> bool:
    """Whether a module holds verbs of the command line: their docstrings are help, without sections."""
    parts = module.split(".")
    return "cli" in parts[:-1] and not parts[-1].startswith("_")


def has_arrays(function: Function) -> bool:
    """Whether an annotation of the signature names a tensor or an array."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    annotations = [argument.annotation for argument in arguments] + [function.returns]
    text = " ".join(ast.unparse(annotation) for annotation in annotations if annotation)
    return re.search(r"\b(Tensor|ndarray|NDArray|ArrayLike)\b", text) is not None


_SHAPE = re.compile(r"\(\w[\w +*/-]*,[\w ,+*/.-]*\)|\bscalar\b|\bany shape\b|\bsame shape\b")
_SIGNALS = {"Exit", "Abort", "StopIteration", "KeyboardInterrupt", "NotImplementedError", "AssertionError"}


def docstring_faults(module: str, source: str) -> list[str]:
    """What is missing from docstrings: the first line of the module, sections that apply to a definition."""
    faults = (
        [] if ast.get_docstring(ast.parse(source)) or not source.strip() else [f"{module}: no first line"]
    )
    for name, definition in public_definitions(source):
        where, text = f"{module}.{name}", ast.get_docstring(definition) or ""
        if not text:
            faults.append(f"{where}: no docstring")
        elif isinstance(definition, Function) and not is_verb_file(module):
            raised = raised_names(definition) - _SIGNALS
            if raised and "Raises:" not in text:
                faults.append(f"{where}: raises {', '.join(sorted(raised))}, but has no 'Raises:'")
            if has_arrays(definition) and not _SHAPE.search(text):
                faults.append(f"{where}: takes or gives arrays, but names no shape such as `(texts,)`")
    return faults


# --- documents and files ------------------------------------------------------------------------------------


def tree_entries(readme: str) -> set[str]:
    """The entries right under `tunebook/` in the tree of a README, folders with their slash taken off."""
    block = re.search(r"^tunebook/.*\n((?:[ \t│├└].*\n)+)", readme, re.MULTILINE)
    rows = re.findall(r"^([\s│├└─]+)([\w.]+)/?(?=\s|$)", block.group(1) if block else "", re.MULTILINE)
    return {name for indent, name in rows if len(indent) == len(rows[0][0])}


def missing_entries(readme: str, names: Iterable[str]) -> list[str]:
    """Entries of the package that the tree of README does not name."""
    return sorted(set(names) - tree_entries(readme))


def undocumented_verbs(readme: str, verbs: Iterable[str]) -> list[str]:
    """Verbs of the command line that README never shows."""
    return [verb for verb in verbs if not re.search(rf"\btunebook {re.escape(verb)}(?![\w-])", readme)]


def verbs_without_example(helps: Mapping[str, str]) -> list[str]:
    """Verbs whose help, given by verb, shows no example of itself."""
    return [
        verb for verb, text in helps.items() if not re.search(rf"Example.*tunebook {verb}", text, re.DOTALL)
    ]


def table_codes(design: str) -> set[int]:
    """Exit codes in the table of DESIGN.md that starts with `| code |`."""
    block = re.search(r"^\| code \|.*\n\|[-|]+\n((?:\|.*\n)+)", design, re.MULTILINE)
    return {int(code) for code in re.findall(r"^\| (\d+) \|", block.group(1) if block else "", re.MULTILINE)}


def incomplete_fields(row: object, required: Iterable[str]) -> list[str]:
    """Required attributes of a row that are missing or empty."""
    return [name for name in required if getattr(row, name, None) in (None, "", (), [], {})]


def long_files(sources: Mapping[str, str], limit: int = 350) -> list[str]:
    """Files with more lines than a reader holds."""
    lengths = {name: source.count("\n") for name, source in sources.items()}
    return [f"{name}: {length} lines, over {limit}" for name, length in lengths.items() if length > limit]


_FOREIGN = {
    "a folder of somebody's machine": re.compile(r"(?<![\w.:/~])/(?:home|root|Users|work|mnt|media)/\w"),
    "a host of a package index": re.compile(r"index-url[ =]+https?://|https?://[^\s)]+/(?:simple|whl)\b"),
    "the number of a ticket": re.compile(r"(?<![\w/])(?:issues?|tickets?|sprints?) #?\d+\b", re.IGNORECASE),
    "a folder beside the repository": re.compile(r"\.\./shared"),
}


def foreign_words(path: str, text: str) -> list[str]:
    """Words that tie the repository to one machine or to how it came about, with their lines."""
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {kind}: {match.group(0)!r}"
        for kind, pattern in _FOREIGN.items()
        for match in pattern.finditer(text)
        # Only the check of a change may look beside the repository: data lies there where it runs.
        if not (path == ".ci/run" and kind == "a folder beside the repository")
    ]
