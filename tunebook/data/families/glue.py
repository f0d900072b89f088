"""Tasks of the GLUE benchmark, in the files that GLUE and their authors distribute."""

from __future__ import annotations

from tunebook.data.rows import Cut, DatasetRow, File, Form

_SST2_LABELS = {"0": "negative", "1": "positive"}
_SST2_COLUMNS = {"label": "label", "text": ("sentence|content",)}


def _sst2(path: str) -> tuple[File, ...]:
    return (File(path, "tsv", _SST2_COLUMNS, labels=_SST2_LABELS),)


_COLA_LABELS = {"0": "unacceptable", "1": "acceptable"}
_COLA_COLUMNS = {"widths": (4,), "label": 1, "text": (3,)}


def _cola(*paths: str) -> tuple[File, ...]:
    return tuple(File(path, "tsv", _COLA_COLUMNS, labels=_COLA_LABELS) for path in paths)


def _mrpc(path: str) -> tuple[File, ...]:
    columns = {"label": "Quality", "text": ("#1 String",), "pair": "#2 String"}
    return (File(path, "tsv", columns, labels={"0": "not_equivalent", "1": "equivalent"}),)


def _rte(path: str) -> tuple[File, ...]:
    columns = {"label": "label", "text": ("sentence1",), "pair": "sentence2"}
    names = ("entailment", "not_entailment")
    return (File(path, "tsv", columns, labels={name: name for name in names}),)


def _stsb(pattern: str) -> dict[str, tuple[File, ...]]:
    columns = {"widths": (7, 9), "label": 4, "text": (5,), "pair": 6}
    parts = {"train": "train", "validation": "dev", "test": "test"}
    return {part: (File(pattern.format(stem), "tsv", columns),) for part, stem in parts.items()}


def _stsb_glue(path: str) -> tuple[File, ...]:
    return (File(path, "tsv", {"label": "score", "text": ("sentence1",), "pair": "sentence2"}),)


_GLUE = "https://gluebenchmark.com/tasks"

ROWS = (
    DatasetRow(
        name="sst2",
        task="classification",
        label_names=("negative", "positive"),
        label_space="sentiment",
        language="en",
        licence="research use",
        redistributable=False,
        citation="Socher et al. (2013). Recursive deep models for semantic compositionality over a sentiment "
        "treebank. EMNLP. Through GLUE, Wang et al. (2019).",
        homepage=_GLUE,
        hub_repository="stanfordnlp/sst2",
        forms=(
            Form(
                "GLUE's files (columns in any order)",
                {"train": _sst2("train.tsv"), "test": _sst2("dev.tsv"), "test_labelled": _sst2("test.tsv")},
                optional=("test_labelled",),
                cut=Cut(of=67_349, validation=1_000),
                unpacked="SST-2",
            ),
        ),
        split_rule="The official validation split is `test`, as in published results, because GLUE's own "
        "test labels are not public; where they are, that split is `test_labelled`. Validation is cut from "
        "train by rank of the text's hash.",
        note="Train holds phrases of sentences, so validation is easier than test: phrases of one sentence "
        "stand on both sides. Read without quote handling.",
    ),
    DatasetRow(
        name="cola",
        task="classification",
        label_names=("unacceptable", "acceptable"),
        language="en",
        licence="research use",
        redistributable=False,
        citation="Warstadt, Singh and Bowman (2019). Neural network acceptability judgments. TACL. Through "
        "GLUE.",
        homepage="https://nyu-mll.github.io/CoLA/",
        hub_repository="nyu-mll/glue",
        forms=(
            Form(
                "GLUE's files",
                {"train": _cola("train.tsv"), "test": _cola("dev.tsv")},
                cut=Cut(of=8_551, validation=850),
                unpacked="CoLA",
            ),
            Form(
                "the authors' files (cola_public_1.1.zip, unpacked)",
                {
                    "train": _cola("in_domain_train.tsv"),
                    "test": _cola("in_domain_dev.tsv", "out_of_domain_dev.tsv"),
                },
                cut=Cut(of=8_551, validation=850),
                unpacked="cola_public/raw",
            ),
        ),
        split_rule="The official validation split (1,043 sentences, in and out of domain) is `test`, "
        "because the official test labels are not public. Validation is cut from train by rank of the "
        "text's hash.",
        note="No file has a header. Read without quote handling.",
    ),
    DatasetRow(
        name="mrpc",
        task="classification",
        label_names=("not_equivalent", "equivalent"),
        language="en",
        licence="Microsoft Research, research use",
        redistributable=False,
        citation="Dolan and Brockett (2005). Automatically constructing a corpus of sentential paraphrases. "
        "IWP.",
        homepage="https://www.microsoft.com/en-us/download/details.aspx?id=52398",
        hub_repository="nyu-mll/glue",
        forms=(
            Form(
                "the authors' files",
                {"train": _mrpc("msr_paraphrase_train.txt"), "test": _mrpc("msr_paraphrase_test.txt")},
                cut=Cut(of=4_076, validation=408),
                unpacked="MRPC",
            ),
        ),
        split_rule="Official test; validation is cut from train by rank of the pair's hash, as many pairs "
        "as GLUE sets aside (not the same ones).",
        note="Files start with a byte order mark. Read without quote handling.",
    ),
    DatasetRow(
        name="rte",
        task="classification",
        label_names=("entailment", "not_entailment"),
        language="en",
        licence="research use",
        redistributable=False,
        citation="Dagan et al. (2006), Bar Haim et al. (2006), Giampiccolo et al. (2007), Bentivogli et al. "
        "(2009). PASCAL recognising textual entailment challenges. Through GLUE.",
        homepage=_GLUE,
        hub_repository="nyu-mll/glue",
        forms=(
            Form(
                "GLUE's files",
                {"train": _rte("train.tsv"), "test": _rte("dev.tsv")},
                cut=Cut(of=2_490, validation=250),
                unpacked="RTE",
            ),
        ),
        split_rule="The official validation split is `test`, because GLUE's test labels are not public. "
        "Validation is cut from train by rank of the pair's hash.",
        note="277 test pairs: one pair is 0.36 points of accuracy. Read without quote handling.",
    ),
    DatasetRow(
        name="stsb",
        task="regression",
        label_names=(),
        language="en",
        licence="see the LICENSE.txt of the owners' archive (parts differ; research use)",
        redistributable=False,
        citation="Cer et al. (2017). SemEval-2017 Task 1: semantic textual similarity. SemEval.",
        homepage="https://ixa2.si.ehu.eus/stswiki/index.php/STSbenchmark",
        hub_repository="nyu-mll/glue",
        label_range=(0.0, 5.0),
        forms=(
            Form(
                "the owners' files (Stsbenchmark.tar.gz, unpacked)",
                _stsb("sts-{}.csv"),
                unpacked="stsbenchmark",
            ),
            Form("the owners' files under other names", _stsb("original_sts-{}.tsv"), unpacked="original"),
            Form(
                "GLUE's files, whose test has no scores",
                {"train": _stsb_glue("train.tsv"), "test": _stsb_glue("dev.tsv")},
                cut=Cut(of=5_749, validation=575),
                unpacked="STS-B",
            ),
        ),
        split_rule="The three official splits. GLUE's files lack the test scores: there the official "
        "validation split is `test`, and validation is cut from train.",
        note="Scores from 0 (different) to 5 (the same). Lines have 7 or 9 fields. Read without quote "
        "handling.",
    ),
)
