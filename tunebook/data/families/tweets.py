"""Tweets: sentiment, emotion and irony."""

from __future__ import annotations

from tunebook.data.rows import Cut, DatasetRow, File, Form

_POLARITY = {"0": "negative", "4": "positive"}
_NEUTRAL = ("2",)

_SENTIMENT140_OWNERS = Form(
    name="the owners' files, as Kaggle serves them",
    parts={
        "train": (
            File(
                "training.1600000.processed.noemoticon.csv",
                "csv",
                {"width": 6, "id": 1, "label": 0, "text": (5,)},
                labels=_POLARITY,
                encoding="latin-1",
            ),
        ),
        "test_manual": (
            File(
                "testdata.manual.2009.06.14.csv",
                "csv",
                {"width": 6, "id": 1, "label": 0, "text": (5,)},
                labels=_POLARITY,
                skipped=_NEUTRAL,
                encoding="latin-1",
            ),
        ),
    },
    optional=("test_manual",),
    cut=Cut(of=1_600_000, train=140_000, validation=10_000, test=60_000),
)

_SENTIMENT140_SAMPLE = Form(
    name="a sample of 20,000",
    parts={
        "train": (
            File(
                "sample-20000.csv",
                "csv",
                {"id": "ids", "label": "target", "text": ("text",)},
                labels=_POLARITY,
            ),
        ),
        "test_manual": (
            File(
                "manual-test-498.csv",
                "csv",
                {"width": 2, "label": 0, "text": (1,)},
                labels=_POLARITY,
                skipped=_NEUTRAL,
            ),
        ),
    },
    optional=("test_manual",),
    cut=Cut(of=20_000, validation=1_000, test=6_000),
)


def _tweeteval(label_names: tuple[str, ...]) -> Form:
    labels = {str(number): name for number, name in enumerate(label_names)}
    files = {"train": "train", "validation": "val", "test": "test"}
    return Form(
        name="text and label files side by side",
        parts={
            part: (File(f"{stem}_text.txt", "side_by_side", labels=labels, beside=f"{stem}_labels.txt"),)
            for part, stem in files.items()
        },
    )


_EMOTION = ("anger", "joy", "optimism", "sadness")
_IRONY = ("non_irony", "irony")

ROWS = (
    DatasetRow(
        name="sentiment140",
        task="classification",
        label_names=("negative", "positive"),
        label_space="sentiment",
        language="en",
        licence="academic use; Twitter's terms",
        redistributable=False,
        citation="Go, Bhayani and Huang (2009). Twitter sentiment classification using distant supervision. "
        "CS224N project report, Stanford.",
        homepage="https://www.kaggle.com/datasets/kazanova/sentiment140",
        hub_repository="stanfordnlp/sentiment140",
        forms=(_SENTIMENT140_OWNERS, _SENTIMENT140_SAMPLE),
        split_rule="No official split that is large enough: cut by rank of the text's hash. The owners' "
        "file gives the sizes of a widely repeated experiment (the same sizes, not the same tweets, which "
        "are unknown). The hand-labelled tweets are the extra split `test_manual`, without the neutral ones.",
        note="Labels come from emoticons, which were taken out of the texts. Some texts are doubly encoded "
        "or hold HTML entities; they are left as they are. Of the six columns only label, id and text are "
        "kept.",
    ),
    DatasetRow(
        name="tweet_emotion",
        task="classification",
        label_names=_EMOTION,
        language="en",
        licence="research use; Twitter's terms",
        redistributable=False,
        citation="Barbieri et al. (2020). TweetEval. Findings of EMNLP. Originally Mohammad et al. (2018), "
        "SemEval-2018 Task 1.",
        homepage="https://github.com/cardiffnlp/tweeteval",
        hub_repository="cardiffnlp/tweet_eval",
        forms=(_tweeteval(_EMOTION),),
        split_rule="The three official splits.",
        note="User names are masked as @user by the owners.",
    ),
    DatasetRow(
        name="tweet_irony",
        task="classification",
        label_names=_IRONY,
        language="en",
        licence="research use; Twitter's terms",
        redistributable=False,
        citation="Barbieri et al. (2020). TweetEval. Findings of EMNLP. Originally Van Hee et al. (2018), "
        "SemEval-2018 Task 3.",
        homepage="https://github.com/cardiffnlp/tweeteval",
        hub_repository="cardiffnlp/tweet_eval",
        forms=(_tweeteval(_IRONY),),
        split_rule="The three official splits.",
        note="User names are masked as @user by the owners.",
    ),
)
