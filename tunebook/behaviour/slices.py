"""Parts of a dataset that can be named, and on which of them a row is shown to be worse than on the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunebook import stats
from tunebook.behaviour.rate import difference, widened
from tunebook.stats.checked import finite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

FEWEST = 20
"""A slice, or the rest beside it, of fewer examples is listed and not tested."""
LEVEL = 0.05
COMMON_WORDS = 1000
"""So many of the words that are most frequent in train are not rare."""
MOST_VALUES = 50
"""A column of more different words than this is an id rather than something that divides examples."""
NONE_WORSE = "no slice is shown to be worse"
_MOST_NUMBERS = 8
_DRAWS = 9_999
_HOPELESS = 0.1
"""Above this p of the t test, the second one is not made: it takes longer, and could only raise p."""

# --- what can be named --------------------------------------------------------------------------------------

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
# Some datasets leave "http" alone of a link.
_LINK = re.compile(r"(?<!\w)(?:https?(?::\S*|(?!\w))|www\.\S+)", re.IGNORECASE)
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|cannot|without|hardly|barely|scarcely"
    r"|(?:ai|are|ca|could|did|does|do|had|has|have|is|must|need|should|was|were|wo|would)n['\u2019]?t)\b",
    re.IGNORECASE,
)
_EMOJI = re.compile(
    "[\u231a\u231b\u23e9-\u23fa\u2600-\u27bf\u2b50\u2b55\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff]"
)
_MENTION = re.compile(r"(?<![\w@])@\w+")
_HASHTAG = re.compile(r"(?<![\w&#])#\w*[^\W\d_]\w*")  # with a letter: "#1" is a number, "&#39;" a character
_QUARTERS = ("lowest", "second", "third", "highest")


def _has(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.search(text) is not None


def _is_question(text: str) -> bool:
    return "?" in _LINK.sub(" ", text)


def _has_capitals(text: str) -> bool:
    plain = _HASHTAG.sub(" ", _MENTION.sub(" ", _LINK.sub(" ", text)))
    return any(len(word) > 2 and word.isalpha() and word.isupper() for word in _WORD.findall(plain))


_PREDICATES: Mapping[str, Callable[[str], bool]] = {
    "negation": _has(_NEGATION),
    "question": _is_question,
    "emoji": _has(_EMOJI),
    "mention": _has(_MENTION),
    "link": _has(_LINK),
    "hashtag": _has(_HASHTAG),
    "capitals": _has_capitals,
}


def words(text: str) -> list[str]:
    """The words of a text in lower case, without links; a counter of these of all train texts is `train_words`.

    Example:
        >>> words("Don't go to https://example.org, it's No. 5!")
        ["don't", 'go', 'to', "it's", 'no', '5']
    """
    return _WORD.findall(_LINK.sub(" ", text).lower())


def slices(
    texts: Sequence[str],
    *,
    groups: Sequence[object] | None = None,
    columns: Mapping[str, Sequence[object]] | None = None,
    train_words: Mapping[str, int] | None = None,
) -> dict[str, np.ndarray]:
    """Which examples each named slice holds, bool `(examples,)`; slices overlap, and may be empty.

    `words, lowest quarter` to `highest quarter` are by how many words a text has, with the quartiles of these very
    texts (equal counts stay together, so quarters may differ in size). `negation`, `question`, `emoji`, `mention`,
    `link`, `hashtag` and `capitals` (a word of three letters or more in capitals) are texts that have one; negation
    is told by English words. `rare words, ... quarter` is by the share of a text's words that are not among the 1,000
    most frequent of train, given `train_words`, the count of each of its `words`. `groups` makes `group=...` of
    each value, and a column `name=...`: of two truth values that which is true, `name`; of more than eight different
    numbers their quarters.

    Raises:
        ValueError: groups or a column are not as many as the texts, hold a number that is NaN or infinite, or more
            than 50 different words.

    Example:
        >>> found = slices(["Is it good?", "Not at all"], groups=["shops", "films"])
        >>> found["question"].tolist(), found["group=films"].tolist()
        ([True, False], [False, True])
    """
    import numpy as np

    split = [words(text) for text in texts]
    found = _quarters("words", [len(one) for one in split])
    found |= {name: np.array([test(text) for text in texts], bool) for name, test in _PREDICATES.items()}
    if train_words is not None:
        by_count = sorted(train_words, key=lambda word: (-train_words[word], word))
        common = set(by_count[:COMMON_WORDS])
        found |= _quarters("rare words", [_share_outside(one, common) for one in split])
    for name, values in (({"group": groups} if groups is not None else {}) | dict(columns or {})).items():
        if len(values) != len(texts):
            raise ValueError(f"{name} has {len(values)} values for {len(texts)} texts, expected one each")
        found |= _by_value(name, values)
    return found


def _share_outside(found: Sequence[str], common: set[str]) -> float:
    return sum(word not in common for word in found) / max(1, len(found))


def _quarters(name: str, values: Sequence[float]) -> dict[str, np.ndarray]:
    """The quarters of some numbers; equal ones stay together."""
    import numpy as np

    array = finite(values, name, axes=("examples",), least=(0,))
    edges = np.quantile(array, [0.25, 0.5, 0.75]) if len(array) else np.zeros(3)
    places = np.searchsorted(edges, array, side="left")
    return {f"{name}, {quarter} quarter": places == place for place, quarter in enumerate(_QUARTERS)}


def _by_value(name: str, values: Sequence[object]) -> dict[str, np.ndarray]:
    """A slice for each value of a column, or for what is true, or for each quarter of many numbers."""
    import numpy as np

    distinct = sorted(set(values), key=str)
    if all(isinstance(value, bool | np.bool_) for value in distinct):
        return {name: np.array(values, bool)}
    are_numbers = all(isinstance(value, int | float | np.integer | np.floating) for value in distinct)
    if are_numbers and len(distinct) > _MOST_NUMBERS:
        return _quarters(name, [float(value) for value in values])  # type: ignore[arg-type]
    if len(distinct) > MOST_VALUES:
        raise ValueError(f"{name} has {len(distinct)} different values, expected at most {MOST_VALUES}")
    return {f"{name}={value}": np.array([one == value for one in values], bool) for value in distinct}


# --- where a row is worse -----------------------------------------------------------------------------------


def judge(correct: ArrayLike, slices: Mapping[str, ArrayLike]) -> list[dict[str, Any]]:
    """How right a row is on each slice, and whether that differs from the rest by more than chance.

    Takes which answers are right, `(seeds, examples)`, and for each slice which examples it holds, `(examples,)`. A
    row of the result has `slice`, `examples`, `accuracy` with `low` and `high`, `difference` (less the accuracy of the
    rest) with `difference_low` and `difference_high`, `p`, and `p_adjusted` by Holm over all slices tested; None where
    there is none, and then `why`. `covers` says what intervals are about: one seed says nothing of other seeds.

    Intervals are of 95 %, over new seeds and new examples, and not corrected for the number of slices. Examples of
    slice and rest are independent, the seeds the same: seed by seed the difference is taken. Each side is counted with
    one more right and one more wrong example, without which a small slice that is all right would have no spread;
    the value itself is as observed. `p` is the larger one of that t test and of one by drawing the slice from
    all examples at random (exact for one seed, by 9,999 draws for more, always the same ones), which is made where the
    first gives 0.1 or less: the first knows of seeds, the second holds for small slices and accuracies near 1. What is
    found is no cause: slices overlap, and a slice may be of one class.

    Source: Agresti and Caffo 2000, Simple and effective confidence intervals for proportions and differences of
    proportions; Fisher 1935, The design of experiments, section 21; Holm 1979.

    Raises:
        ValueError: the shapes do not fit, there are fewer than 2 examples, or an answer is neither 0 nor 1.

    Example:
        >>> right = [[0, 0, 0, 0] * 6 + [1, 1, 1, 0] * 10]
        >>> (row,) = judge(right, {"first": [1] * 24 + [0] * 40})
        >>> row["accuracy"], row["difference"], row["p"] < 0.001
        (0.0, -0.75, True)
    """
    import numpy as np

    is_right = finite(correct, "answers", axes=("seeds", "examples"), least=(1, 2))
    if not ((is_right == 0) | (is_right == 1)).all():
        raise ValueError("expected answers of 1 for right and 0 for wrong, got others")
    rows = []
    for name, given in slices.items():
        held = np.asarray(given, bool)
        if held.shape != is_right.shape[1:]:
            raise ValueError(f"slice {name!r} has shape {held.shape}, expected {is_right.shape[1:]}")
        rows.append(_row(name, is_right, held))
    tested = [row for row in rows if row["p"] is not None]
    for row, adjusted in zip(tested, stats.holm([row["p"] for row in tested]), strict=True):
        row["p_adjusted"] = adjusted
    return rows


def worst(rows: Sequence[Mapping[str, Any]], level: float = LEVEL) -> dict[str, Any]:
    """The slice of lowest accuracy among those shown to be worse than the rest, from what `judge` gave.

    `slice` is None where none is, and `says` that in words. The lowest one of several was chosen for being low: on new
    examples it will be a little better than its accuracy.
    """
    worse = [row for row in rows if row["p_adjusted"] is not None and row["p_adjusted"] <= level]
    worse = [row for row in worse if row["difference"] < 0]
    if not worse:
        return {"slice": None, "says": NONE_WORSE}
    row = min(worse, key=lambda row: row["accuracy"])
    says = f"{row['slice']}: {row['accuracy']:.1%} right, {-row['difference']:.1%} less than the rest"
    return {**row, "says": says}


def _row(name: str, is_right: np.ndarray, held: np.ndarray) -> dict[str, Any]:
    inside, outside = int(held.sum()), int((~held).sum())
    row: dict[str, Any] = {"slice": name, "examples": inside}
    row |= dict.fromkeys(("accuracy", "low", "high", "difference", "difference_low", "difference_high", "p"))
    row |= {"p_adjusted": None, "covers": None, "why": None}
    if inside:
        row["accuracy"] = float(is_right[:, held].mean())
    if inside and outside:
        row["difference"] = row["accuracy"] - float(is_right[:, ~held].mean())
    if inside < FEWEST or outside < FEWEST:
        which = "the slice" if inside < FEWEST else "the rest"
        row["why"] = f"not tested: {which} has {min(inside, outside)} examples, fewer than {FEWEST}"
        return row
    alone = stats.by_example(widened(is_right[:, held])).parts().estimate()
    found = difference(is_right[:, held], is_right[:, ~held])
    return row | {
        "low": max(0.0, alone.low),
        "high": min(1.0, alone.high),
        "difference_low": max(-1.0, found.low),
        "difference_high": min(1.0, found.high),
        "p": max(found.p, _drawn_p(is_right, held)) if found.p <= _HOPELESS else found.p,
        "covers": found.covers,
    }


def _drawn_p(is_right: np.ndarray, held: np.ndarray) -> float:
    """How often a slice of that size, drawn from all examples, differs from the rest as much or more.

    Examples are alike by how many seeds are right on them, so that only how many of each kind are drawn matters.
    """
    import numpy as np
    from scipy.stats import hypergeom

    seeds, examples = is_right.shape
    score, size = is_right.sum(axis=0).astype(int), int(held.sum())
    kinds = np.bincount(score, minlength=seeds + 1)
    expected, observed = score.sum() * size / examples, int(score[held].sum())
    if seeds == 1:
        lowest, highest = max(0, size - int(kinds[0])), min(size, int(kinds[1]))
        sums = np.arange(lowest, highest + 1)
        shares = hypergeom.pmf(sums, examples, kinds[1], size)
        extreme = np.abs(sums - expected) >= abs(observed - expected) - 1e-9
        return min(1.0, float(shares[extreme].sum()))
    drawn = np.random.default_rng(0).multivariate_hypergeometric(kinds, size, _DRAWS, method="marginals")
    sums = drawn @ np.arange(seeds + 1)
    extreme = np.abs(sums - expected) >= abs(observed - expected) - 1e-9
    return float(extreme.sum() + 1) / (_DRAWS + 1)
