"""Whether a published file on behaviour has all that its page and its notebook show, each of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunebook.behaviour.summary import rows_of
from tunebook.errors import IntegrityError

_NUMBER, _SHARE = (int, float), "share"
_WHO = {"dataset": str, "train_size": (int, type(None)), "checkpoint": str, "method": str, "seeds": int}
_SCORES = {"accuracy": _SHARE, "ece": _SHARE, "brier": _NUMBER, "log_loss": _NUMBER}
_MAYBE = (int, float, type(None))
_RATE = {"value": _SHARE, "low": _SHARE, "high": _SHARE}
_CONTESTED = {"id": str, "label": str, "right": int, "other_right": int}
_PARTS: Mapping[str, Mapping[str, Any]] = {
    "rows": {**_WHO, "runs": [str]},
    "robustness": {**_WHO, "kind": str, "capability": str, "test": str, "texts": int, "unchanged": int, "unseen": int},
    "calibration": {**_WHO, "seed": int, "temperature": _NUMBER, "before": _SCORES, "after": _SCORES},
    "coverage": {
        **_WHO, "accuracy": _SHARE, "aurc": _NUMBER, "accuracy_at": {"0.8": _SHARE, "0.9": _SHARE},
        "points": [{"coverage": _SHARE, "risk": _SHARE}],
    },
    "slices": {
        **_WHO, "slice": str, "examples": int, "accuracy": _SHARE,
        **dict.fromkeys(("low", "high", "difference", "difference_low", "difference_high", "p", "p_adjusted"), _MAYBE),
    },
    "worst": {**_WHO, "slice": (str, type(None)), "says": str},
    "moved": {**_WHO, "layer": int, "cka": _MAYBE, "relative": _MAYBE},
    "forgetting": {**_WHO, "before": _NUMBER, "after": _NUMBER, "difference": _NUMBER},
    "agreement": {
        "dataset": str, "first": str, "second": str, "between": _SHARE, "excess": (dict, type(None)),
        "where_they_differ": {"first": _SHARE, "second": _SHARE, "neither": _SHARE},
        "contested": {"first": [_CONTESTED], "second": [_CONTESTED]},
    },
    "transfer": {
        **_WHO, "target": str, "group": str, "texts": int, "shared": int, "why": str, "is_home": bool,
        "is_struck": bool,
        **dict.fromkeys(("value", "low", "high", "drop", "drop_low", "drop_high"), _MAYBE),
    },
    "missing": {"what": str, "why": str},
}  # fmt: skip
_EXAMPLE = {"id": str, "seeds": int}
_TEXTS = {"examples": {*_EXAMPLE, "before", "after"}, "contested": {*_CONTESTED, "text"}}
"""All that is told of an example: anything else could be a text under another name."""
_EXCESS = dict.fromkeys(("value", "low", "high", "p", "smallest_p"), _NUMBER)


def behaviour(value: dict[str, Any]) -> dict[str, Any]:
    """What was found of how an experiment's models behave.

    Raises:
        IntegrityError: a part is missing, or something in it is not what it should be; the message says where.
    """
    for part, form in _PARTS.items():
        for row in _of_kind(value.get(part), list, part):
            _hold(row, form, part)
            if part == "robustness":
                if "value" in row:
                    _hold(row, _RATE, part)
                _hold(row.get("examples", []), [_EXAMPLE], f"{part}.examples")
                _require_no_more("examples", row.get("examples", []))
            if part == "agreement":
                _require_no_more("contested", [*row["contested"]["first"], *row["contested"]["second"]])
                if row["excess"] is not None:
                    _hold(row["excess"], _EXCESS, f"{part}.excess")
    _hold(value, {"settings": {"texts": int, "transfer_texts": int}}, "the file")
    for name, seconds in _of_kind(value.get("seconds"), dict, "seconds").items():
        _hold(seconds, _NUMBER, f"seconds.{name}")
    _require_rows(value)
    return value


def _require_no_more(what: str, examples: list[Mapping[str, Any]]) -> None:
    if more := sorted({key for one in examples for key in one} - _TEXTS[what]):
        raise IntegrityError(f"{what} tell more than they may: {', '.join(more)}")


def _require_rows(value: Mapping[str, Any]) -> None:
    """Find every row to be of its runs, once, and every part to be about rows that there are."""
    for row in value["rows"]:
        runs = row["runs"]
        if not runs or len(set(runs)) != len(runs) or row["seeds"] != len(runs):
            raise IntegrityError(f"rows: {row['seeds']} seeds of {row['method']} are {len(runs)} runs")
        for what, seconds in _of_kind(row.get("seconds", {}), dict, "rows.seconds").items():
            _hold(seconds, _NUMBER, f"rows.seconds.{what}")
        if len(rows_of(value["coverage"], row)) != 1:
            raise IntegrityError(f"coverage of {row['method']} on {row['dataset']} is not there once")
    for part in (
        "robustness",
        "calibration",
        "coverage",
        "slices",
        "worst",
        "moved",
        "forgetting",
        "transfer",
    ):
        for one in value[part]:
            if len(rows_of(value["rows"], one)) != 1:
                raise IntegrityError(
                    f"{part} of {one['method']} on {one['dataset']} is of no row, or of several"
                )


def _hold(value: Any, form: Any, where: str) -> None:
    """Find a value to have a form: kinds, a share from 0 to 1, a list of a form, or keys with forms of their own."""
    if isinstance(form, Mapping):
        for key, of in form.items():
            if key not in _of_kind(value, dict, where):
                raise IntegrityError(f"{where} lacks {key}")
            _hold(value[key], of, f"{where}.{key}")
    elif isinstance(form, list):
        for one in _of_kind(value, list, where):
            _hold(one, form[0], where)
    elif form == _SHARE:
        if not (_is_number(value) and -1e-9 <= value <= 1 + 1e-9):
            raise IntegrityError(f"{where} is {value!r:.40}, expected a share from 0 to 1")
    elif not isinstance(value, form) or (isinstance(value, bool) and form is not bool):
        raise IntegrityError(f"{where} is {value!r:.40}, and none of its kind")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _of_kind(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind):
        raise IntegrityError(f"{where} is missing or no {kind.__name__}")
    return value
