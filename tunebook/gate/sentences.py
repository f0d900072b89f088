"""Findings as sentences for people: each with how much it matters, a few ids, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunebook.data.further import POSITION
from tunebook.gate.decoding import KINDS

SEVERITIES = ("serious", "warning", "note")
"""Serious: a score would not mean what it seems to. Warning: look at it before training. Note: good to know."""

TELLING = 0.55
"""A column tells the label where even the lower end of its interval is above this."""
_MANY = 0.01
_MOST = 0.1

Found = Mapping[str, Any]


@dataclass(frozen=True)
class Remark:
    """A finding: its severity, a code that stays, what was found, what to do, and examples: ids of a row, or of rows
    that belong together, with the split that each is of."""

    severity: str
    code: str
    what: str
    do: str
    examples: tuple[tuple[tuple[str, str], ...], ...] = ()

    def as_object(self) -> dict[str, Any]:
        """Plain values; examples as lists of `{"split", "id"}`."""
        shown = [[{"split": split, "id": one} for split, one in rows] for rows in self.examples]
        return {**vars(self), "examples": shown}


def remarks(found: Found) -> list[Remark]:
    """What is to be said of findings, given as plain values, the most severe first.

    Where they have `truncation`, `label_errors` or `baselines`, these are spoken of too.
    """
    said: list[Remark] = []
    for about in (_same_texts, _dropped, _overlaps, _known, _metadata, _splits, _balance, _fitted):
        said += about(found)
    return sorted(said, key=lambda one: SEVERITIES.index(one.severity))


def _same_texts(found: Found) -> Iterator[Remark]:
    for name, split in found["splits"].items():
        if split["rows"] > 1 and split["duplicates"] == split["rows"] - 1:
            what = f"all {split['rows']:,} texts of {name} are the same"
            yield Remark("serious", "one_text", what, "there is nothing to learn: is this the right column?")


def _dropped(found: Found) -> Iterator[Remark]:
    """Rows that stood in two splits as the owners made them."""
    for overlap, (first, second) in _by_names(found["as_distributed"]):
        if overlap["rows"]:
            of = found["notes"].get("rows_read", {}).get(second) or found["splits"][second]["rows"]
            whole = ": it lies wholly inside" if overlap["rows_of_second"] == of else ""
            yield Remark(
                "serious" if overlap["rows_of_second"] >= _MOST * of else "warning",
                "leak_as_distributed",
                f"as distributed, {overlap['rows_of_second']:,} of {of:,} rows of {second} stand in {first}{whole}",
                f"here those rows of {first} are dropped; scores from elsewhere on these splits may be too good",
                _pairs(overlap["examples"].get("rows", ()), first, second),
            )
    dropped = {name: count for name, count in found["notes"].get("leaks", {}).items() if count}
    if dropped and not found["as_distributed"] and not found["notes"].get("leaks_kept"):
        for name, count in dropped.items():
            yield Remark(
                "warning",
                "leak_dropped",
                f"rows of {name} that were dropped, because their text stands in another split: {count:,}",
                "nothing here; scores from elsewhere on these splits may be too good",
            )


def _overlaps(found: Found) -> Iterator[Remark]:
    for overlap, (first, second) in _by_names(found["overlaps"]):
        if overlap["rows"]:
            differ = overlap["contradictions"]
            yield Remark(
                "serious",
                "leak",
                f"rows of {second} that stand in {first}: {overlap['rows_of_second']:,}"
                + (f"; texts under another label there: {differ:,}" if differ else ""),
                "leave keep_leaks out: then they are dropped from the split that is trained on",
                _pairs(overlap["examples"].get("rows", ()), first, second),
            )
        if overlap["near_of_second"]:
            of = found["splits"][second]["rows"]
            yield Remark(
                "warning" if overlap["near_of_second"] > _MANY * of else "note",
                "near_leak",
                f"rows of {second} that are nearly the same as one of {first}: {overlap['near_of_second']:,} of {of:,}",
                f"{second} is easier than new texts are; take the pairs out, or keep what belongs together on one side "
                "(group)",
                _pairs(overlap["examples"].get("near", ()), first, second),
            )


def _known(found: Found) -> Iterator[Remark]:
    for one in found["known"]:
        counts = [
            f"{counted['rows'] / counted['of']:.0%} of {name}"
            for name, counted in (one["measured"] or {}).items()
            if counted["rows"]
        ]
        measured = f" (here {', '.join(counts)})" if counts else ""
        yield Remark(
            "warning",
            "known_overlap",
            f"shares texts with {one['other']}{measured}: {one['why']}",
            f"never train on one and test on the other; source: {one['source']}",
        )


def _metadata(found: Found) -> Iterator[Remark]:
    for one in found["metadata"]:
        if one["low"] > TELLING:
            place = one["column"] == POSITION
            advice = "shuffle before taking a part of the file, and never take its first rows"
            other = "keep it out of the texts; where it is a time or an origin, split by it (split_by, group)"
            yield Remark(
                "warning",
                "telling_column",
                f"{'the ' + POSITION if place else 'column ' + repr(one['column'])} tells label {one['label']!r} by "
                f"its {one['how']}: AUC {one['auc']:.3f}, 95 % interval {one['low']:.3f} to {one['high']:.3f} (DeLong, "
                f"{one['rows']:,} rows)",
                advice if place else other,
            )


_OF_ROWS: Mapping[str, tuple[str, str]] = {
    "contradictions": ("texts under more than one label", "mend or drop them: no model can learn both"),
    "duplicates": (
        "rows that repeat an earlier one of their split",
        "drop repeats, or know that they count twice",
    ),
    "near_duplicates": (
        "rows that are nearly the same as another of their split",
        "look at some: copies, or a pattern that a program filled in?",
    ),
    "wordless": ("texts without a letter or digit", "drop them where they say nothing"),
    "overlong": (
        "texts of over 400 words, about 512 tokens",
        "see what a checkpoint cuts: --checkpoint NAME",
    ),
    **{kind: (f"texts {what}", undo) for kind, (what, undo) in KINDS.items()},
}
_LOOK = ("contradictions", "mis_decoded", "replacement_characters")
_LOOK_WHERE_MANY = ("duplicates", "near_duplicates")


def _splits(found: Found) -> Iterator[Remark]:
    dropped = {name: count for name, count in found["notes"].get("empty_dropped", {}).items() if count}
    if dropped:
        listed = ", ".join(f"{count:,} of {name}" for name, count in dropped.items())
        yield Remark(
            "note", "empty", f"empty texts that were dropped: {listed}", "nothing, if that is expected"
        )
    for code, (what, do) in _OF_ROWS.items():
        counts = {
            name: (split["decoding"][code] if code in KINDS else split[code], split["rows"])
            for name, split in found["splits"].items()
        }
        counts = {name: (count, rows) for name, (count, rows) in counts.items() if count}
        if counts:
            is_much = any(count > _MANY * rows for count, rows in counts.values())
            look = code in _LOOK or (code in _LOOK_WHERE_MANY and is_much)
            listed = ", ".join(f"{count:,} of {rows:,} of {name}" for name, (count, rows) in counts.items())
            shown = [
                one
                for name in counts
                for one in _pairs(found["splits"][name]["examples"].get(code, ()), name, name)
            ]
            yield Remark("warning" if look else "note", code, f"{what}: {listed}", do, tuple(shown))


def _balance(found: Found) -> Iterator[Remark]:
    for name, split in found["splits"].items():
        balance = split["balance"]
        if not balance or not split["rows"]:
            continue
        largest, smallest = max(balance, key=balance.__getitem__), min(balance, key=balance.__getitem__)
        if not balance[smallest]:
            what = f"{name} has no row of class {smallest!r}"
            yield Remark(
                "warning", "missing_class", what, "its score says nothing of that class: add rows of it"
            )
        elif balance[largest] > 0.8 * split["rows"] or balance[largest] > 10 * balance[smallest]:
            share = balance[largest] / split["rows"]
            what = f"classes of {name} are uneven: {largest!r} has {share:.0%}, {smallest!r} {balance[smallest]:,} rows"
            yield Remark("note", "uneven_classes", what, "judge by macro F1 or MCC, not by accuracy")


def _fitted(found: Found) -> Iterator[Remark]:
    """What tokenizers and fitted models had to say, where they were asked."""
    cut: Found = found.get("truncation") or {"splits": {}}
    for name, split in cut["splits"].items():
        if split["rows"]:
            share = split["rows"] / split["of"]
            yield Remark(
                "warning" if share > 0.05 else "note",
                "truncated",
                f"{share:.1%} of {name} ({split['rows']:,} texts) are longer than the {cut['max_length']} tokens "
                f"that are taken of a text with {cut['checkpoint']}",
                'raise max_length, or say what is kept: train.long = "head+tail" or "windows"',
            )
    errors = found.get("label_errors") or {}
    if errors.get("suspect"):
        yield Remark(
            "warning" if errors["suspect"] > 0.02 * errors["rows"] else "note",
            "suspect_labels",
            f"labels of train that are suspect: {errors['suspect']:,} of {errors['rows']:,}; models that did not "
            "see the row are confident of another one",
            "read the first ones; many are hard rather than wrong",
            tuple((("train", one["id"]),) for one in errors["first"]),
        )
    baselines = found.get("baselines") or {}
    words, most = (baselines.get(name, {}).get("accuracy") for name in ("tfidf_logreg", "majority"))
    if words is not None and most is not None:
        if words >= 0.97:
            what = f"words alone tell the label: TF-IDF reaches an accuracy of {words:.3f} on {baselines['split']}"
            yield Remark("warning", "easy", what, "look for a word that gives the label away")
        elif words < most + 0.02:
            what = f"words alone tell nothing: TF-IDF {words:.3f}, the largest class {most:.3f} on {baselines['split']}"
            yield Remark("warning", "hopeless", what, "are labels in their rows? is this the right column?")


def _by_names(overlaps: Found) -> Iterator[tuple[Found, tuple[str, str]]]:
    for names, overlap in overlaps.items():
        first, _, second = names.partition(" in ")
        yield overlap, (first, second)


def _pairs(
    examples: Sequence[Sequence[str]], first: str, second: str
) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Examples with the split of each id; what follows two ids, a similarity, is left out."""
    return tuple(tuple(zip((first, second), ids, strict=False)) for ids in examples)
