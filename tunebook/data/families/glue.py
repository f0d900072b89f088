"""Tasks of the GLUE benchmark, in the files that GLUE and their authors distribute."""

from __future__ import annotations

from tunebook.data.rows import Cut, DatasetRow, File, Form

_SST2_LABELS = {"0": "negative", "1": "positive"}
_SST2_COLUMNS = {"label": "label", "text": ("sentence|content",)}


def _sst2(path: str) -> tuple[File, ...]:
    return (File(path, "tsv", _SST2_COLUMNS, labels=_SST2_LABELS),)


_GLUE = "https://gluebenchmark.com/tasks"

ROWS = (
    DatasetRow(
        name="sst2",
        task="classification",
        label_names=("negative", "positive"),
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
)
