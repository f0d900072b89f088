"""The embedded dataset, with which everything can be tried without a network."""

from __future__ import annotations

from tunebook.data.rows import Cut, DatasetRow, File, Form

ROWS = (
    DatasetRow(
        name="pocket",
        task="classification",
        label_names=("negative", "positive"),
        label_space="sentiment",
        language="en",
        licence="CC0-1.0",
        redistributable=True,
        citation="The Tunebook authors. Pocket: original tweets, film reviews and product reviews.",
        homepage="https://creativecommons.org/publicdomain/zero/1.0/",
        hub_repository=None,
        embedded=True,
        forms=(
            Form(
                "inside the package",
                {
                    "train": (
                        File(
                            "pocket.csv",
                            "csv",
                            {"id": "id", "label": "label", "text": ("text",), "group": "domain"},
                            labels={"negative": "negative", "positive": "positive"},
                        ),
                    )
                },
                cut=Cut(of=690, validation=90, test=150),
            ),
        ),
        split_rule="Cut by rank of the text's hash. The domain (tweet, film, product) is the group column.",
        note="Written for this project. Small: one test sentence is two thirds of a point.",
    ),
)
