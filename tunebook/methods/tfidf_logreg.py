"""TF-IDF with logistic regression: what words alone can tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    import numpy as np

    from tunebook.data.dataset import Split

VERSION = 1


def tfidf_logreg(
    train: Split,
    num_labels: int,
    *,
    inverse_regularisation: Annotated[float, Field(gt=0, le=1e6)] = 1.0,
    longest_ngram: Annotated[int, Field(ge=1, le=5)] = 2,
    max_features: Annotated[int, Field(ge=1, le=10_000_000)] = 500_000,
) -> Callable[[Split], np.ndarray]:
    """Fit a linear model on the weighted words and word pairs of the texts: the baseline without a Transformer.

    Returns a function from a split to logits of shape `(texts, max(num_labels, 1))`. Scores are fitted by ridge
    regression. Sublinear term frequencies, words and word sequences up to `longest_ngram`.

    Source: Wang and Manning 2012, Baselines and bigrams, ACL; scikit-learn's TfidfVectorizer and LogisticRegression.
    """
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(
        sublinear_tf=True,
        ngram_range=(1, longest_ngram),
        max_features=max_features,
        token_pattern=r"\w+|[^\w\s]+",
    )
    if num_labels:
        model = make_pipeline(words, LogisticRegression(C=inverse_regularisation, max_iter=1000))
    else:
        model = make_pipeline(words, Ridge(alpha=1 / inverse_regularisation))
    model.fit(_strings(train), train.labels)

    def score(split: Split) -> np.ndarray:
        if not num_labels:
            return np.asarray(model.predict(_strings(split)), np.float32)[:, None]
        return np.asarray(model.predict_log_proba(_strings(split)), np.float32)

    return score


def _strings(split: Split) -> list[str]:
    texts: list[str] = split.texts().to_pylist()
    pairs = split.pairs()
    if pairs is None:
        return texts
    return [f"{text} {pair}" for text, pair in zip(texts, pairs.to_pylist(), strict=True)]
