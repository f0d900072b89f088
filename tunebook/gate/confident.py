"""Rows whose label is likely wrong: confident learning on predictions of models that did not see the row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunebook.data.dataset import Dataset, Split

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_ROWS = 100_000
_FOLDS = 5
_SHOWN = 20
_MOST_CHARACTERS = 10_000_000
"""Of all texts together: above that features are words alone, because characters take minutes."""


def label_errors(dataset: Dataset, features: Array | None = None) -> dict[str, Any]:
    """The rows of train whose label is likely wrong, most suspect first: how many, and the first 20.

    Each row is predicted by a logistic regression that was fitted on four fifths of the others, from TF-IDF of words
    and characters, or from `features` of train's rows `(rows, width)`. `why_not` says why nothing was looked for:
    labels are scores, or there are too few rows of two classes. No split but train is read.
    """
    import numpy as np

    train = dataset.splits["train"]
    counts = [] if dataset.task == "regression" else np.bincount(train.labels).tolist()
    if dataset.task == "regression":
        return {"why_not": "labels are scores"}
    if sum(count >= _FOLDS for count in counts) < 2:
        return {"why_not": f"fewer than two classes have {_FOLDS} rows in train"}
    kept = np.flatnonzero(np.array(counts)[train.labels] >= _FOLDS)
    kept = kept[np.unique(np.linspace(0, len(kept) - 1, min(len(kept), MOST_ROWS)).astype(np.int64))]
    _, labels = np.unique(train.labels[kept], return_inverse=True)
    names = [name for name, count in zip(dataset.label_names, counts, strict=False) if count >= _FOLDS]
    given = _tfidf(train, kept) if features is None else features[kept]
    probabilities = out_of_fold(given, labels)
    found = suspects(probabilities, labels)
    return {
        "features": "TF-IDF" if features is None else "checkpoint",
        "split": "train",
        "rows": len(kept),
        "accuracy": round(float((probabilities.argmax(axis=1) == labels).mean()), 4),
        "suspect": len(found),
        "first": [
            {
                "id": str(train.table["id"][int(kept[row])].as_py()),
                "label": names[labels[row]],
                "likely": names[int(probabilities[row].argmax())],
                "probability": round(float(probabilities[row, labels[row]]), 4),
            }
            for row in found[:_SHOWN].tolist()
        ],
    }


def out_of_fold(features: Any, labels: Array) -> Array:
    """Probabilities `(rows, classes)` of each row by models that were fitted without it, from `features` `(rows,
    width)` and `labels` `(rows,)` from 0; every class has at least as many rows as there are folds."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    probabilities = np.zeros((len(labels), int(labels.max()) + 1))
    for fitted, left_out in StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(labels, labels):
        model = LogisticRegression(max_iter=1000).fit(features[fitted], labels[fitted])
        probabilities[left_out] = model.predict_proba(features[left_out])
    return probabilities


def suspects(probabilities: Array, labels: Array) -> Array:
    """The rows `(suspects,)` off the diagonal of the confident joint, those of the least self-confidence first.

    `probabilities` `(rows, classes)` are out of fold, `labels` `(rows,)` from 0. A row is counted for the class that
    is the likeliest of those whose probability is at least the mean that rows with that label have for it; it is
    suspect where that is another class than its label. Self-confidence is the probability of the row's own label.

    Source: Northcutt, Jiang and Chuang 2021, Confident learning, JAIR 70, equations 1 and 2 and section 3.2.
    """
    import numpy as np

    rows = np.arange(len(labels))
    confident = counted_as(probabilities, labels)
    suspect = rows[(confident >= 0) & (confident != labels)]
    first: Array = suspect[np.argsort(probabilities[suspect, labels[suspect]], kind="stable")]
    return first


def counted_as(probabilities: Array, labels: Array) -> Array:
    """The class that the confident joint counts each row for, `(rows,)`; -1 where it is confidently none's.

    `probabilities` are `(rows, classes)`, `labels` `(rows,)`.
    """
    import numpy as np

    classes = range(probabilities.shape[1])
    means = np.array(
        [probabilities[labels == one, one].mean() if (labels == one).any() else 2 for one in classes]
    )
    reaches = probabilities >= means
    likeliest = np.where(reaches, probabilities, -1).argmax(axis=1)
    found: Array = np.where(reaches.any(axis=1), likeliest, -1)
    return found


def _tfidf(train: Split, kept: Array) -> Any:
    """Weighted words and pairs of them, and characters within words, `(kept rows, terms)`, sparse."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    table = train.table.take(kept)
    texts = table["text"].to_pylist()
    if train.pairs() is not None:
        texts = [f"{text} {pair}" for text, pair in zip(texts, table["pair"].to_pylist(), strict=True)]
    kinds = [TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]+")]
    if sum(map(len, texts)) <= _MOST_CHARACTERS:
        kinds.append(
            TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 5), max_features=200_000)
        )
    return hstack([kind.fit_transform(texts) for kind in kinds]).tocsr()
