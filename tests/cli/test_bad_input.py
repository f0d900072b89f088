"""Bad input: one clear answer with its exit code, at once, and nothing is made or lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.book.test_disk import READ_ONLY, require_mounts
from tests.cli.calls import here
from tests.cli.conftest import reviews

OWN = ("--dataset", "reviews.csv", "--text", "body", "--label", "stars", "--checkpoint", "./tiny")
GRID = "checkpoints = ['./tiny']\ndatasets = ['pocket']\n"


def everything(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if "book" not in path.parts)


# --- options ------------------------------------------------------------------------------------------------

OPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing": (("run",), "give an experiment's file, or --dataset and --checkpoint"),
    "both": (("run", "x.toml", *OWN), "give a file, or --dataset and --checkpoint, not both"),
    "dataset": (("run", "--dataset", "sst3", "--checkpoint", "./tiny"), "unknown dataset 'sst3'; did you mean 'sst2'"),
    "checkpoint": (("run", *OWN[:6], "--checkpoint", "bert-bse"), "unknown checkpoint 'bert-bse'; did you mean"),
    "no checkpoint": (("run", *OWN[:6], "--checkpoint", "../up"), "'../up'"),
    "method": (("run", *OWN, "--method", "ful"), "methods[0]: unknown method 'ful'; did you mean 'full'?"),
    "method with ..": (("run", *OWN, "--method", "../full"), "unknown method '../full'"),
    "setting": (("run", *OWN, "--set", "method.learning_rat=1"), "did you mean 'learning_rate'?"),
    "setting's type": (("run", *OWN, "--set", "method.learning_rate=fast"), "learning_rate: got 'fast'"),
    "setting's range": (("run", *OWN, "--set", "method.learning_rate=inf"), "learning_rate: got inf"),
    "no =": (("run", *OWN, "--set", "train.epochs"), "--set 'train.epochs': expected key.path=value"),
    "no key": (("run", *OWN, "--set", "=3"), "--set '=3': expected key.path=value"),
    "no table": (("run", *OWN, "--set", "train.epochs.x=3"), "train.epochs: got {'x': 3}"),
    "long value": (("run", *OWN, "--set", f"question={'x' * 5000}"), "--set: 5,009 characters; at most 4,096"),
    "deep key": (("run", *OWN, "--set", ".".join("a" * 40) + "=1"), "a key of over 16 levels"),
    "huge": (("run", *OWN, "--set", f"train.epochs={10**30}"), "train.epochs: got 1000000000000000000000000000000"),
    "metric": (("run", *OWN, "--select-on", "acuracy"), "unknown metric 'acuracy' in select_on; did you mean"),
    "long": (("run", *OWN, "--long", "middle"), "train.long: got 'middle'; input should be 'head', 'head+tail' or"),
    "task": (("run", *OWN, "--task", "ranking"), "datasets[0].task: got 'ranking'"),
    "seeds": (("run", *OWN, "--seeds", str(10**9)), "the grid has 1,000,000,000 runs, max_runs is 1,000"),
    "seed": (("run", *OWN, "--seed", "-1"), "seeds[0]: got -1; input should be greater than or equal to 0"),
    "seed and seeds": (("run", *OWN, "--seed", "1", "--seeds", "2"), "give one of them"),
    "long name": (("run", *OWN[:6], "--checkpoint", "x" * 300), "a name is longer than this system allows: xxx"),
    "control characters": (("run", "--dataset", "\x1b[31m.csv", *OWN[2:]), "there is no file \\x1b[31m.csv"),
    "device": (("run", *OWN, "--device", "tpu"), "unknown device 'tpu'; expected auto, cpu, cuda, cuda:N or mps"),
    "three columns": (("run", *OWN, "--text", "a,b,c"), "datasets[0].text: got 'a,b,c'"),
    "no columns": (("run", "--dataset", "reviews.csv", "--checkpoint", "./tiny"), "needs text (one column, or two"),
    "column": (("run", *OWN, "--text", "txt"), "there is no column 'txt'; The columns are: 'body', 'stars', 'author'"),
    "label column": (("run", *OWN, "--label", "star"), "did you mean 'stars'? The columns are: 'body'"),
    "group column": (("run", *OWN, "--group", "autor"), "did you mean 'author'?"),
    "no file": (("run", "--dataset", "x.csv", *OWN[2:]), "there is no file x.csv"),
    "no test file": (("run", *OWN, "--test", "x.csv"), "there is no file x.csv"),
    "no toml": (("run", "x.toml"), "there is no file 'x.toml'; `tunebook list experiments` shows the declared ones"),
    "no such run": (("show", "3f9a"), "unknown run '3f9a': there are no runs in this book yet"),
    "run with ..": (("show", "../../etc/passwd"), "unknown run '../../etc/passwd'"),
    "run to predict": (("predict", "../book", "x"), "unknown run '../book'"),
    "list with ..": (("list", "../runs"), "unknown list '../runs'; did you mean 'runs'?"),
    "compare metric": (("compare", "--metric", "acuracy"), "unknown metric 'acuracy'; did you mean 'accuracy'?"),
    "compare nothing": (("compare",), "no finished run has results on test"),
    "data": (("data", "check", "pockt"), "unknown dataset 'pockt'; did you mean 'pocket'?"),
    "data not here": (("data", "check", "sst2"), "TUNEBOOK_DATA is not set"),
    "data with ..": (("data", "check", "../../etc/passwd"), "unknown dataset '../../etc/passwd'"),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_refused(name: str, user: Path) -> None:
    arguments, message = OPTIONS[name]
    before = everything(user)
    done = here(*arguments)
    assert (done.code, done.out) == (2, ""), done.err
    assert message in done.err and done.err.startswith("tunebook: ")
    assert done.err.count("\n") < 5
    assert everything(user) == before


# --- files that declare -------------------------------------------------------------------------------------

MANY = """
question = 3
checkpoints = ["minilm-l7", "../../etc/passwd"]
datasets = ["pockt", { name = "pocket", train_siz = 3 }, { path = "x.csv", text = ["a"] }]
methods = ["ful", { name = "full", learning_rate = inf }, 3]
seds = 2
seeds = [0, -1]
[train]
epocs = 3
batch_size = 1e400
weight_decay = nan
max_length = 99999999999999999999999
long = "mid"
"""


def test_every_fault_of_a_file_is_told_at_once_with_its_key(user: Path) -> None:
    (user / "many.toml").write_text(MANY)
    done = here("plan", "many.toml")
    assert (done.code, done.out) == (2, "")
    first, *faults = done.err.splitlines()
    assert first == f"tunebook: many.toml: {len(faults)} faults"
    told = dict(fault.strip().split(": ", 1) for fault in faults)
    assert told.keys() == {
        "question", "checkpoints[0]", "checkpoints[1]", "datasets[0]", "datasets[1].train_siz", "datasets[2]",
        "methods[0]", "methods[1]", "methods[2]", "seds", "seeds[1]", "train.epocs", "train.batch_size",
        "train.weight_decay", "train.max_length", "train.long",
    }  # fmt: skip
    assert "did you mean 'minilm-l6'" in told["checkpoints[0]"]
    assert told["datasets[1].train_siz"] == "unknown key; did you mean 'train_size'?"
    assert told["seeds[1]"] == "got -1; input should be greater than or equal to 0"
    assert told["train.epocs"].startswith("unknown key; did you mean 'epochs'")


def dots(count: int) -> bytes:
    """A key of so many levels."""
    return b".".join([b"a"] * count)


TOMLS: dict[str, tuple[bytes, str]] = {
    "size": (b"#" * 100 + b"\n" + b"# one of many lines\n" * 4000, "at most 65,536 are read"),
    "line": (b"question = '" + b"x" * 5000 + b"'", "line 1: over 4,096 bytes; break the line"),
    "line ends": (b"question = '" + b"x\xc2\x85" * 2000 + b"'", "line 1: over 4,096 bytes"),
    "40 KB of dots": (dots(20_000) + b" = 1", "line 1: over 4,096 bytes"),
    "dots": (b"".join(b"k%d.%s = 1\n" % (n, dots(2000)) for n in range(15)), "a key of over 16 levels"),
    "dots inside": (b"k = {" + dots(2000) + b" = 1}", "a key of over 16 levels"),
    "dots after a string": (b'"=".' + dots(2000) + b" = 1", "a key of over 16 levels"),
    "a deep table": (b"[" + dots(30) + b"]", "a key of over 16 levels"),
    "brackets": (b"a = " + b"[\n" * 5000 + b"]\n" * 5000, "brackets nested 5000 deep; at most 16"),
    "a long integer": (GRID.encode() + b"seeds = " + b"9" * 4000, "the grid has 9,999"),
    "seeds": (GRID.encode() + b"seeds = 1000000000", "the grid has 1,000,000,000 runs, max_runs is 1,000"),
    "no seeds": (GRID.encode() + b"seeds = []", "seeds: got []"),
    "no integer": (GRID.encode() + b"seeds = 'x'", "seeds: got 'x'; input should be a valid integer or a valid list"),
    "text for a number": (GRID.encode() + b"[train]\nepochs = '3'", "train.epochs: got '3'"),
    "twice": (GRID.encode() + b"seeds = 1\nseeds = 2", "not valid TOML"),
    "yaml": (b"checkpoints: [a]", "not valid TOML: Expected '='"),
    "nul": (b"question = 'a\0b'", "not valid TOML"),
    "latin-1": (b"question = '\xe9'", "not UTF-8 at byte 12; save the file as UTF-8"),
    "empty": (b"", "checkpoints: missing"),
    "a path with ..": (b"checkpoints = ['../../etc']\ndatasets = ['../x']\nmethods = ['../y']", "3 faults"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOMLS)
def test_a_hostile_file_is_refused_in_half_a_second(name: str, user: Path) -> None:
    content, message = TOMLS[name]
    (user / "x.toml").write_bytes(content)
    begin = time.process_time()
    done = here("plan", "x.toml")
    assert time.process_time() - begin < 0.5
    assert (done.code, done.out) == (2, ""), done.err
    assert message in done.err and done.err.startswith("tunebook: ")


def test_dots_and_brackets_in_a_question_are_only_text(user: Path) -> None:
    question = "What ....................... is [[[[[[[[[[[[[[[[[[[[ that?"
    (user / "x.toml").write_text(f'question = """\n{question}"""  # {"." * 20}\n{GRID}seeds = 1\n')
    assert here("plan", "x.toml", "--json").json["question"] == question


# --- rows -----------------------------------------------------------------------------------------------------

GOOD = reviews()
DATA: dict[str, tuple[str, bytes, tuple[str, ...], str]] = {
    "encoding": ("x.csv", GOOD.encode() + "café,positive,a1\n".encode("latin-1"), (), "row 82, byte"),
    "ragged": ("x.csv", (GOOD + "one field\na,b,c,d\n").encode(), (), "line 83: 4 fields where 3 are expected"),
    "too many": ("x.csv", (GOOD + "one\na,b,c,d\n").encode(), ("--drop-bad", "1"), "2 bad rows of 82, at most 1"),
    "nul": ("x.csv", (GOOD + "a\0b,positive,a1\n").encode(), (), "line 82: a NUL byte"),
    "empty": ("x.csv", b"", (), "x.csv is empty"),
    "header only": ("x.csv", b"body,stars\n", (), "0 rows with a text and a label"),
    "one class": ("x.csv", GOOD.replace("negative", "positive").encode(), (), "has one label only, 'positive'"),
    "labels missing": ("x.csv", (GOOD + "hello,,a1\n").encode(), (), "line 82: label '' where a value is expected"),
    "several labels": (
        "x.jsonl",
        b"".join(json.dumps({"body": f"t {n}", "stars": ["a", "b"]}).encode() + b"\n" for n in range(9)),
        (),
        "several labels for one text: ['a', 'b']",
    ),
    "no json": ("x.jsonl", b'{"body": "a", "stars": 1}\n{bad\n', (), "x.jsonl line 2: no JSON"),
    "no parquet": ("x.parquet", b"PAR1 and no more", (), "x.parquet is no whole Parquet file"),
    "no gzip": ("x.csv.gz", b"not packed", (), "x.csv.gz is a damaged gzip file"),
}  # fmt: skip


@pytest.mark.parametrize("name", DATA)
def test_bad_rows_are_refused(name: str, user: Path) -> None:
    file, content, options, message = DATA[name]
    (user / file).write_bytes(content)
    columns = ("--text", "body", "--label", "stars", *options)
    for arguments in (("data", "check", file), ("run", "--checkpoint", "./tiny", "--dataset", file)):
        done = here(*arguments, *columns)
        assert (done.code, done.out) == (3, ""), done.err
        assert message in done.err


def test_a_class_that_train_lacks_is_refused(user: Path) -> None:
    (user / "other.csv").write_text("body,stars\nsome text,mixed\n")
    done = here("run", *OWN, "--test", "other.csv")
    assert done.code == 3 and "label 'mixed' where" in done.err


def test_bad_rows_may_be_dropped_and_are_counted(user: Path) -> None:
    (user / "x.csv").write_text(GOOD + "one field\n" + 'NA,positive,a\nnull,negative,a\n"",negative,a\n')
    done = here("data", "check", "x.csv", *OWN[2:6], "--drop-bad", "1", "--no-baselines", "--json")
    assert done.code == 0, done.err
    notes = done.json["notes"]
    assert (notes["bad_dropped"], notes["rows_read"], notes["empty_dropped"]) == (
        1,
        {"train": 83},
        {"train": 1},
    )
    assert sum(split["rows"] for split in done.json["splits"].values()) == 82


def test_a_million_characters_are_one_text(user: Path) -> None:
    (user / "x.csv").write_text(GOOD + "x " * 500_000 + ",positive,a1\n")
    begin = time.process_time()
    done = here("data", "check", "x.csv", *OWN[2:6], "--no-baselines", "--json")
    assert time.process_time() - begin < 1
    longest = max(split["characters"]["largest"] for split in done.json["splits"].values())
    assert done.code == 0 and longest == 1_000_000


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("data", [("pocket",), ("reviews.csv", *OWN[2:6])])
def test_data_check_counts_and_fits_baselines(
    data: tuple[str, ...], options: tuple[str, ...], user: Path
) -> None:
    done = here("data", "check", *data, *options)
    assert done.code == 0, done.err
    if options:
        assert done.json["splits"].keys() == {"train", "validation", "test"}
        assert done.json["baselines"].keys() == {"split", "majority", "tfidf_logreg"}
    for word in ("train", "validation", "duplicates", "contradictions", "tfidf_logreg"):
        assert word in done.out


# --- files that are not to be trusted, and a book that is not to be written -------------------------------------


def test_pickled_weights_and_foreign_code_are_refused(user: Path) -> None:
    pickled, coded = user / "pickled", user / "coded"
    for folder in (pickled, coded):
        folder.mkdir()
        for path in (user / "tiny").iterdir():
            if path.suffix != ".safetensors" or folder == coded:
                (folder / path.name).write_bytes(path.read_bytes())
    (pickled / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")
    config = json.loads((coded / "config.json").read_bytes())
    (coded / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "evil.Model"}}))
    for name, message in (("pickled", "could run code"), ("coded", "asks for foreign code")):
        done = here("run", *OWN[:6], "--checkpoint", f"./{name}", "--no-baselines", "--json")
        assert done.code == 5, done.err
        assert message in done.lines[0]["error"] and done.lines[0]["status"] == "failed"
    assert not (user / "canary").exists()


def test_a_book_that_cannot_be_written_is_refused_before_any_work(user: Path) -> None:
    (user / "file").write_text("not a folder")
    done = here("run", *OWN, "--root", user / "file")
    assert done.code == 2 and str(user / "file") in done.err


def test_a_read_only_book_is_read_and_not_written(user: Path) -> None:
    require_mounts()
    (user / "book").mkdir()
    mounted = READ_ONLY.format(user / "book") + ' && exec "$@"'
    for arguments, code, message in ((("run", *OWN), 2, "read-only"), (("list", "runs"), 0, "")):
        command = ["unshare", "-m", "sh", "-c", mounted, "sh", sys.executable, "-m", "tunebook", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr
        assert message in done.stderr.lower() and "Traceback" not in done.stderr
    assert list((user / "book").iterdir()) == []
