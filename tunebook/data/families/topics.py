"""What a text is about or what it is: news topics, kinds of questions, subjective or objective."""

from __future__ import annotations

from tunebook.data.rows import Cut, DatasetRow, File, Form, by_class

_TOPICS = ("world", "sports", "business", "sci_tech")

_AG_OWNERS = {"width": 3, "label": 0, "text": (1, 2), "unescape": True}
_AG_SAMPLE = {"width": 2, "label": 1, "text": (0,)}

_QUESTIONS = {
    "ABBR": "abbreviation",
    "DESC": "description",
    "ENTY": "entity",
    "HUM": "human",
    "LOC": "location",
    "NUM": "number",
}


def _ag_news(path: str, columns: dict[str, object], first_label: int) -> tuple[File, ...]:
    labels = {str(number): name for number, name in enumerate(_TOPICS, start=first_label)}
    return (File(path, "csv", columns, labels=labels),)


def _trec(name: str, train: str, test: str) -> Form:
    parts = {"train": train, "test": test}
    return Form(
        name,
        {
            part: (File(path, "labelled_lines", labels=_QUESTIONS, encoding="cp1252"),)
            for part, path in parts.items()
        },
        cut=Cut(of=5_452, validation=500),
    )


def _subjectivity(name: str, objective: str, subjective: str) -> Form:
    files = by_class({"objective": objective, "subjective": subjective}, encoding="cp1252")
    return Form(name, {"train": files}, cut=Cut(of=10_000, validation=1_000, test=2_000))


ROWS = (
    DatasetRow(
        name="ag_news",
        task="classification",
        label_names=_TOPICS,
        language="en",
        licence="non-commercial use",
        redistributable=False,
        citation="Zhang, Zhao and LeCun (2015). Character-level convolutional networks for text "
        "classification. NeurIPS. From Gulli's AG corpus of news articles.",
        homepage="https://github.com/zhangxiangxiao/Crepe",
        hub_repository="fancyzhx/ag_news",
        forms=(
            Form(
                "a sample with three splits",
                {
                    "train": _ag_news("train.csv", _AG_SAMPLE, 0),
                    "validation": _ag_news("dev.csv", _AG_SAMPLE, 0),
                    "test": _ag_news("test.csv", _AG_SAMPLE, 0),
                },
            ),
            Form(
                "Zhang's files (ag_news_csv.tar.gz, unpacked)",
                {part: _ag_news(f"{part}.csv", _AG_OWNERS, 1) for part in ("train", "test")},
                cut=Cut(of=120_000, validation=6_000),
                unpacked="ag_news_csv",
            ),
        ),
        split_rule="Official test, validation cut from train by rank of the text's hash; the sample has its "
        "own validation split.",
        note="Title and description are one text. The sample's validation split lies wholly inside its "
        "train, so 5,000 rows of train become 4,000.",
    ),
    DatasetRow(
        name="trec",
        task="classification",
        label_names=tuple(_QUESTIONS.values()),
        language="en",
        licence="research use",
        redistributable=False,
        citation="Li and Roth (2002). Learning question classifiers. COLING.",
        homepage="https://cogcomp.seas.upenn.edu/Data/QA/QC/",
        hub_repository="CogComp/trec",
        forms=(
            _trec("the owners' files", "train_5500.label", "TREC_10.label"),
            _trec("the owners' files under other names", "TREC.train", "TREC.test"),
        ),
        split_rule="Official test; validation is cut from train by rank of the text's hash.",
        note="The six coarse labels. Ten questions of test are in the owners' train.",
    ),
    DatasetRow(
        name="subjectivity",
        task="classification",
        label_names=("objective", "subjective"),
        language="en",
        licence="research use",
        redistributable=False,
        citation="Pang and Lee (2004). A sentimental education. ACL.",
        homepage="https://www.cs.cornell.edu/people/pabo/movie-review-data/",
        hub_repository=None,
        forms=(
            _subjectivity("the owners' files", "plot.tok.gt9.5000", "quote.tok.gt9.5000"),
            _subjectivity("the owners' files under other names", "subj.objective", "subj.subjective"),
        ),
        split_rule="No official split: cut by rank of the text's hash.",
    ),
)
