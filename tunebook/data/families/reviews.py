"""Reviews of films and products."""

from __future__ import annotations

from tunebook.data.rows import Cut, DatasetRow, File, Form, by_class

_BINARY = {"0": "negative", "1": "positive"}
_NAMES = ("negative", "positive")

_ACL_IMDB = Form(
    name="the owners' folders (aclImdb_v1.tar.gz, unpacked)",
    parts={
        part: tuple(
            File(f"{part}/{label}", "review_folder", {"label": name}, labels={name: name})
            for label, name in (("neg", "negative"), ("pos", "positive"))
        )
        for part in ("train", "test")
    },
    cut=Cut(of=25_000, validation=2_500),
    unpacked="aclImdb",
)

_IMDB_TABLES = Form(
    name="tables with columns id, label, rating, text",
    parts={
        part: (File(f"{part}.csv", "csv", {"label": "label", "text": ("text",)}, labels=_BINARY),)
        for part in ("train", "test")
    },
    cut=Cut(of=25_000, validation=2_500),
)

_AMAZON_POLARITY_OWNERS = Form(
    name="Zhang's files (amazon_review_polarity_csv.tar.gz, unpacked)",
    parts={
        part: (
            File(
                f"{part}.csv",
                "csv",
                {"width": 3, "label": 0, "text": (1, 2), "join": ": ", "unescape": True},
                labels={"1": "negative", "2": "positive"},
            ),
        )
        for part in ("train", "test")
    },
    cut=Cut(of=3_600_000, validation=10_000),
    unpacked="amazon_review_polarity_csv",
)

_AMAZON_POLARITY_SAMPLE = Form(
    name="a sample of 5,000",
    parts={
        "train": (
            File(
                "polarity-5000.csv",
                "csv",
                {"label": "Sentiment", "text": ("Review",)},
                labels={"Negative": "negative", "Positive": "positive"},
            ),
        )
    },
    cut=Cut(of=5_000, validation=500, test=1_000),
)


def _blitzer(name: str, domains: tuple[str, ...], folder: str) -> Form:
    files = tuple(
        File(
            f"{folder}{domain}/{label}.review",
            "review_markup",
            {"label": label, "domain": domain},
            labels={label: label},
        )
        for domain in domains
        for label in _NAMES
    )
    rows = 2_000 * len(domains)
    return Form(name, {"train": files}, cut=Cut(of=rows, validation=rows // 10, test=rows // 5))


_DOMAINS = ("books", "dvd", "electronics", "kitchen")

ROWS = (
    DatasetRow(
        name="imdb",
        task="classification",
        label_names=_NAMES,
        label_space="sentiment",
        language="en",
        licence="research use",
        redistributable=False,
        citation="Maas et al. (2011). Learning word vectors for sentiment analysis. ACL.",
        homepage="https://ai.stanford.edu/~amaas/data/sentiment/",
        hub_repository="stanfordnlp/imdb",
        forms=(_ACL_IMDB, _IMDB_TABLES),
        split_rule="Official test; validation is cut from train by rank of the text's hash.",
        note="`<br />` stands in the texts and is kept. 123 texts are in both official train and test.",
    ),
    DatasetRow(
        name="amazon_polarity",
        task="classification",
        label_names=_NAMES,
        label_space="sentiment",
        language="en",
        licence="Amazon's terms; research use",
        redistributable=False,
        citation="Zhang, Zhao and LeCun (2015). Character-level convolutional networks for text "
        "classification. NeurIPS. From McAuley and Leskovec (2013).",
        homepage="https://github.com/zhangxiangxiao/Crepe",
        hub_repository="fancyzhx/amazon_polarity",
        folder="amazon",
        forms=(_AMAZON_POLARITY_OWNERS, _AMAZON_POLARITY_SAMPLE),
        split_rule="Official test of the full files, validation cut from train; the sample is cut by rank "
        "of the text's hash.",
        note="Title and text are one text, `title: text`. Three stars are left out by the owners.",
    ),
    DatasetRow(
        name="amazon_reviews",
        task="classification",
        label_names=_NAMES,
        label_space="sentiment",
        language="en",
        licence="research use",
        redistributable=False,
        citation="Blitzer, Dredze and Pereira (2007). Biographies, Bollywood, boom-boxes and blenders: "
        "domain adaptation for sentiment classification. ACL.",
        homepage="https://www.cs.jhu.edu/~mdredze/datasets/sentiment/",
        hub_repository=None,
        folder="amazon",
        forms=(
            _blitzer("the owners' four domains (domain_sentiment_data.tar.gz)", _DOMAINS, "sorted_data_acl/"),
            _blitzer("three domains", _DOMAINS[:3], "blitzer/"),
        ),
        split_rule="No official split: cut by rank of the text's hash over all domains. The domain is the "
        "group column.",
        note="Files are markup with bare `&`, and no XML. Many reviews stand in them twice.",
    ),
    DatasetRow(
        name="movie_reviews",
        task="classification",
        label_names=_NAMES,
        label_space="sentiment",
        language="en",
        licence="research use",
        redistributable=False,
        citation="Pang and Lee (2005). Seeing stars. ACL.",
        homepage="https://www.cs.cornell.edu/people/pabo/movie-review-data/",
        hub_repository="cornell-movie-review-data/rotten_tomatoes",
        forms=(
            Form(
                "the owners' files (rt-polaritydata.tar.gz)",
                {
                    "train": by_class(
                        {"negative": "rt-polarity.neg", "positive": "rt-polarity.pos"}, encoding="cp1252"
                    )
                },
                cut=Cut(of=10_662, validation=1_066, test=2_132),
                unpacked="rt-polaritydata",
            ),
        ),
        split_rule="No official split: cut by rank of the text's hash.",
        note="79 % of the sentences of SST-2's validation and test splits are in here: never train on one "
        "and test on the other.",
    ),
    DatasetRow(
        name="customer_reviews",
        task="classification",
        label_names=_NAMES,
        label_space="sentiment",
        language="en",
        licence="research use",
        redistributable=False,
        citation="Hu and Liu (2004). Mining and summarizing customer reviews. KDD.",
        homepage="https://www.cs.uic.edu/~liub/FBS/sentiment-analysis.html",
        hub_repository=None,
        forms=(
            Form(
                "a file per class, a sentence per line",
                {
                    "train": by_class(
                        {"negative": "custrev.neg", "positive": "custrev.pos"}, encoding="cp1252"
                    )
                },
                cut=Cut(of=3_775, validation=378, test=755),
            ),
        ),
        split_rule="No official split: cut by rank of the text's hash.",
    ),
)
