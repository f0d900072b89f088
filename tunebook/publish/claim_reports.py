"""Claims as tables: those that we have a run for, then the others by the reason why they are not compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunebook.claims import WORDS, Verdict, canonical
from tunebook.publish import things
from tunebook.publish.report import Column, Table, format_between, format_value
from tunebook.publish.reports import apart_unit, unit, worded

ANOTHER = "another checkpoint"
"""What stands beside a verdict where our run is of another checkpoint than the claim."""
_CLAIM = (
    Column("checkpoint", "checkpoint"),
    Column("method", "method"),
    Column("dataset", "dataset"),
    Column("metric", "metric"),
    Column("claimed", "claimed", "score"),
)
_SOURCE = (Column("source", "source", link="url"), Column("where", "where"))
_COMPARED = (
    Column("told", "verdict", "badge"),
    *_CLAIM,
    Column("ours", "ours", "score"),
    Column("difference", "ours less claimed", "score"),
    *_SOURCE,
    Column("caveats", "caveats"),
)


def counts(found: Sequence[Verdict]) -> str:
    """How many claims there are of each verdict, in a sentence."""
    if not found:
        return "No claims are recorded."
    told = [f"{sum(one.word == word for one in found)} {word}" for word in WORDS]
    return f"{len(found)} claims: {', '.join(told)}."


def compared(found: Sequence[Verdict]) -> Table:
    """The claims that a run of ours stands beside."""
    rows = tuple(_row(one) for one in _in_order(found) if one.row)
    return Table("compared", "Claims with a run of ours", _COMPARED, rows)


def others(found: Sequence[Verdict]) -> list[Table]:
    """The claims that no run of ours stands beside: a table for each reason, the largest first."""
    by_reason: dict[str, list[Verdict]] = {}
    for one in _in_order(found):
        if not one.row:
            by_reason.setdefault(f"{one.word}: {one.why}", []).append(one)
    return [
        _other(reason, some) for reason, some in sorted(by_reason.items(), key=lambda item: -len(item[1]))
    ]


def _other(reason: str, some: Sequence[Verdict]) -> Table:
    rows = tuple(_row(one) for one in some)
    more = (Column("caveats", "caveats"), Column("command", "to be run by", "code"))
    columns = (*_CLAIM, *_SOURCE, *(one for one in more if any(row[one.key] for row in rows)))
    return Table("claims", reason, columns, rows)


def _in_order(found: Sequence[Verdict]) -> list[Verdict]:
    return sorted(found, key=lambda one: WORDS.index(one.word))


def _row(one: Verdict) -> dict[str, Any]:
    """A verdict as its row."""
    claim, ours = one.claim, one.row or {}
    of = unit(claim.metric)
    is_other = bool(ours) and canonical(ours["checkpoint"]) != canonical(claim.checkpoint)
    why = [one.why] if ours and one.word == "not testable" else []
    return {
        "verdict": one.word,
        "told": (one.word, ANOTHER) if is_other else (one.word,),
        "checkpoint": canonical(claim.checkpoint),
        "method": claim.method,
        "dataset": f"{claim.dataset}, {claim.split}",
        "metric": worded(claim.metric),
        "claimed": format_value(claim.claimed, of),
        "ours": f"{format_value(ours['mean'], of)}, {ours['seeds']} seeds" if ours else None,
        "difference": _difference(one),
        "source": claim.source,
        "url": claim.url,
        "where": claim.where,
        "caveats": things.named(" ".join(map(_sentence, [*why, *one.caveats]))),
        "command": things.named(one.command or ""),
    }


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."


def _difference(one: Verdict) -> str | None:
    """Ours less claimed, with its interval."""
    if one.difference is None:
        return None
    of = apart_unit(one.claim.metric)
    between = format_between(one.low, one.high, of).removesuffix(" points")
    return f"{format_value(one.difference, of)} ({between})"


def filters(found: Sequence[Verdict]) -> Mapping[str, list[tuple[str, str]]]:
    """What the page can be filtered by, with the values that there are."""
    words = [word for word in WORDS if any(one.word == word for one in found)]
    sources = sorted({one.claim.source for one in found})
    return {"verdict": [(word, word) for word in words], "source": [(name, name) for name in sources]}
