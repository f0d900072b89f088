"""Reports of single runs: curves, confusion, reliability, errors, and where two runs disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunebook import stats
from tunebook.metrics import Classified
from tunebook.publish.report import Axis, Chart, Column, Mark, Table
from tunebook.spec import TrainSpec

if TYPE_CHECKING:
    import numpy as np

    from tunebook.publish.open_data import Published
    from tunebook.sources import Run

MOST_SHOWN, MOST_IDS = 10, 5
"""How many errors are shown, and how many where their texts must not be: an id alone says little."""
BINS = 10


def curves(published: Published, run: Run) -> Chart | None:
    """Losses by step, on train as means of stretches and on validation; None of a baseline, which has no steps."""
    lines = published.curve(run)
    values = [
        {"x": line["step"], "y": line[key], "group": name}
        for key, name in (
            ("train/loss", "train"),
            ("validation/log_loss", "validation"),
            ("validation/mse", "validation"),
        )
        for line in lines
        if line.get(key) is not None
    ]
    if not values:
        return None
    return Chart(
        "curves", "Loss by step", Axis("step", unit="count"), Axis("loss"), (Mark("line", tuple(values)),)
    )


def label_names(published: Published, run: Run) -> list[str]:
    """The names of a run's classes, in the order of their numbers; none of scores."""
    found: list[str] = published.document(run, "run.json")["dataset"]["label_names"]
    return found


def confusion(published: Published, run: Run, split: str = "test") -> Chart | None:
    """What texts of each class (rows) were taken for (columns), shaded by share of the row; None of scores."""
    counts, names = run["metrics"].get(split, {}).get("confusion_matrix"), label_names(published, run)
    if not counts:
        return None
    values = [
        {"x": given, "y": truth, "value": count / max(1, sum(row)), "label": f"{count:,}"}
        for truth, row in zip(names, counts, strict=True)
        for given, count in zip(names, row, strict=True)
    ]
    axes = (
        Axis("predicted label", "names", names=tuple(names)),
        Axis("true label", "names", names=tuple(names)),
    )
    return Chart("confusion", f"What was taken for what, {split}", *axes, (Mark("cell", tuple(values)),))


def classified(published: Published, run: Run, split: str) -> Classified | None:
    """A split's labels and logits; None of scores, or where a logit is not finite."""
    import numpy as np

    labels, logits = published.predictions(run, split)
    if logits.shape[1] < 2 or not np.isfinite(logits).all():
        return None
    return Classified(labels, logits.astype(np.float64))


def reliability(published: Published, run: Run, split: str = "test") -> Chart | None:
    """How often the model is right by how sure it is, in ten groups of equally many texts; None of scores."""
    import numpy as np

    found = classified(published, run, split)
    if found is None:
        return None
    sure = np.exp(found.log_probabilities.max(axis=1))
    groups = [group for group in np.array_split(np.argsort(sure, kind="stable"), BINS) if len(group)]
    values = [
        {
            "x": round(float(sure[group].mean()), 5),
            "y": round(float(right), 5),
            **_wilson(float(right), len(group)),
        }
        for group in groups
        for right in [found.is_right[group].mean()]
    ]
    low = max(0.0, min(value[key] for value in values for key in ("x", "y_low")) - 0.02)
    even = tuple(
        {"x": place, "y": place, "group": "accuracy equals confidence"} for place in (round(low, 4), 1.0)
    )
    marks = (Mark("line", even), Mark("interval", tuple({**value, "group": "measured"} for value in values)))
    axes = (
        Axis("confidence (mean probability of the predicted class)", unit="share", low=low, high=1.0),
        Axis("accuracy (share that is right)", unit="share", low=low, high=1.0),
    )
    note = f"{len(groups)} groups of equal size; Wilson intervals at 95 %, over texts."
    return Chart("reliability", f"Reliability, {split}", *axes, marks, note, is_square=True)


def _wilson(share: float, count: int) -> dict[str, float]:
    """The ends of the 95 % interval of a share."""
    low, high = stats.wilson(round(share * count), count)
    return {"y_low": round(low, 5), "y_high": round(high, 5)}


def errors(published: Published, run: Run, split: str = "test") -> Table | None:
    """The errors that the model was surest of; texts where they may be shown, else ids. None of scores."""
    import numpy as np

    found = classified(published, run, split)
    if found is None:
        return None
    sure = np.exp(found.log_probabilities.max(axis=1))
    wrong = np.flatnonzero(~found.is_right)
    names, ids, texts = label_names(published, run), published.ids(run, split), published.texts(run, split)
    order = wrong[np.argsort(-sure[wrong], kind="stable")][: MOST_SHOWN if texts else MOST_IDS]
    rows = tuple(
        {
            "id": ids[place],
            "truth": names[int(found.labels[place])],
            "given": names[int(found.classes[place])],
            "sure": round(float(sure[place]), 4),
            **({"text": texts[place]} if texts else {}),
        }
        for place in order
    )
    columns = (
        *_example_columns(has_texts=texts is not None),
        Column("truth", "label"),
        Column("given", "predicted"),
        Column("sure", "confidence", "share"),
    )
    note = f"{len(wrong):,} of {len(found.labels):,} are wrong." + ("" if texts else _HIDDEN)
    return Table("errors", f"The most confident errors on {split}", columns, rows, note)


_HIDDEN = " Texts are not shown, as their licence does not allow it: ids are those of the dataset's rows."


def _example_columns(*, has_texts: bool) -> tuple[Column, ...]:
    return (Column("text", "text"),) if has_texts else (Column("id", "example", "code"),)


def disagreements(
    published: Published,
    first: Sequence[Run],
    second: Sequence[Run],
    names: tuple[str, str],
    split: str = "test",
) -> Table | None:
    """The examples on which the runs of two rows differ most: by the share of seeds that are right. None of scores."""
    import numpy as np

    shares = [_right(published, runs, split) for runs in (first, second)]
    if any(share is None for share in shares):
        return None
    one, other = np.stack(shares)  # type: ignore[arg-type]
    ids, texts = published.ids(first[0], split), published.texts(first[0], split)
    labels, classes = published.predictions(first[0], split)[0], label_names(published, first[0])
    order = np.argsort(-np.abs(one - other), kind="stable")[:MOST_SHOWN]
    rows = tuple(
        {
            "id": ids[place],
            "truth": classes[int(labels[place])],
            "one": float(one[place]),
            "other": float(other[place]),
            **({"text": texts[place]} if texts else {}),
        }
        for place in order
        if one[place] != other[place]
    )
    columns = (
        *_example_columns(has_texts=texts is not None),
        Column("truth", "label"),
        Column("one", f"right: {names[0]}", "share"),
        Column("other", f"right: {names[1]}", "share"),
    )
    both = int(((one > 0.5) != (other > 0.5)).sum())
    note = f"On {both:,} of {len(one):,} examples most seeds of one are right and of the other are not."
    return Table(
        "disagreements",
        f"Where {names[0]} and {names[1]} disagree",
        columns,
        rows,
        note + ("" if texts else _HIDDEN),
    )


def _right(published: Published, runs: Sequence[Run], split: str) -> np.ndarray | None:
    """The share of some runs that are right on each example, `(examples,)`."""
    import numpy as np

    found = [classified(published, run, split) for run in runs]
    if not found or any(one is None for one in found):
        return None
    share: np.ndarray = np.mean([one.is_right for one in found if one is not None], axis=0)
    return share


def facts(run: Run, declared: Mapping[str, Any], environment: Mapping[str, Any]) -> Table:
    """What a run was, by the settings that are not Tunebook's usual ones, and where it was computed."""
    usual = TrainSpec().model_dump()
    told = {
        "run": run["run"],
        "checkpoint": declared["checkpoint"]["repository"] or declared["checkpoint"]["name"],
    }
    told |= {f"method.{key}": value for key, value in run["settings"].items()}
    told |= {f"train.{key}": value for key, value in run["train"].items() if value != usual.get(key)}
    told |= {
        key: value for key, value in environment.items() if not isinstance(value, dict) and key != "note"
    }
    told["libraries"] = ", ".join(
        f"{key} {value}" for key, value in (environment.get("libraries") or {}).items()
    )
    source = environment.get("source")
    told["Tunebook's source"] = (
        f"{source['commit']}{', changed' * source['dirty']}" if source else "not recorded"
    )
    rows = tuple({"what": key, "value": str(value)} for key, value in told.items() if value is not None)
    columns = (Column("what", "what"), Column("value", "value", "code"))
    return Table("facts", "Settings and environment", columns, rows, "Its JSON file holds every setting.")
