"""Tunebook: a laboratory and a reference book for fine-tuning pretrained Transformer encoders.

The verbs of the command line, from Python: `run`, `load`, `compare` and `behave`, plain values back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunebook.predict import Predictor

__all__ = ["behave", "compare", "load", "run"]


def run(
    *,
    checkpoint: str,
    dataset: str,
    method: str | Mapping[str, Any] = "full",
    text: str | None = None,
    label: str | None = None,
    seed: int = 0,
    train: Mapping[str, Any] | None = None,
    device: str = "auto",
    allow_download: bool = False,
    root: str | Path | None = None,
    **columns: Any,
) -> dict[str, Any]:
    """Fine-tune one checkpoint with one method on a dataset or a file, or return the run if it is finished.

    `method` is a name, or a table such as `{"name": "full", "learning_rate": 1e-4}`; `train` holds the keys of a
    `[train]` table; `columns` are the other keys of a dataset's table (`test`, `group`, `train_size`, ...).
    Returns the run's object: run, status, checkpoint, dataset, method, seed, metrics, cost. What goes on is told
    on standard error.

    Raises:
        TunebookError: as the command line's `run`, of the kind that has its exit code.
    """
    from tunebook import grid
    from tunebook.book import open_book
    from tunebook.cli._progress import Progress
    from tunebook.errors import raise_for
    from tunebook.experiment import execute, plan
    from tunebook.flow import Options

    values = grid.single(
        checkpoint=checkpoint, dataset=dataset, method=method, text=text, label=label, seeds=[seed], train=train,
        baselines=False, **columns,
    )  # fmt: skip
    book = open_book(Path(root) if root is not None else None)
    options = Options(device=device, allow_download=allow_download)
    planned = plan(grid.experiment(values, "the arguments").runs(), book, allow_download=allow_download)
    outcome = execute(planned, book, options, Progress("tunebook"))
    raise_for(outcome.exit_code, outcome.runs[0].get("error", ""))
    return outcome.runs[0]


def load(
    run: str | Path | Mapping[str, Any],
    *,
    device: str = "auto",
    checkpoint: str | None = None,
    root: str | Path | None = None,
) -> Predictor:
    """A finished run as something that predicts: `load(run).predict(["Not bad at all."])`.

    `run` is a run's object, its name, its folder, or the first letters of its hash. A run that left an adapter needs
    its checkpoint: `checkpoint` says where that is now, where it is not found by the name that it was run with.

    Raises:
        UsageError: there is no such run, it is not finished, or it kept no weights.
        IntegrityError: its weights are not the ones that were sealed.
    """
    from tunebook import predict
    from tunebook.book import open_book

    name = run["run"] if isinstance(run, Mapping) else str(run)
    folder = open_book(Path(root) if root is not None else None).find(name)
    return predict.load(folder, device=device, checkpoint=checkpoint)


def compare(
    experiment: str | Path | None = None,
    *,
    dataset: str | None = None,
    metric: str | None = None,
    split: str = "test",
    by: str | None = None,
    baseline: str | None = None,
    correction: str = "holm",
    pareto: str | None = None,
    root: str | Path | None = None,
) -> dict[str, Any]:
    """The finished runs of an experiment's file, or of the book, side by side, and which differences are real.

    The words are those of `tunebook compare`, and so is the object that comes back, as `--json` prints it: `families`
    of rows that can be compared, each with its `rows` (best first: mean, interval `low` to `high`, group of ties,
    costs), its `pairs` and what it could detect, and what is `missing`, with the commands that make it.

    Raises:
        UsageError: the file has faults, or nothing can be compared as it was asked for.
    """
    from tunebook.book import open_book
    from tunebook.cli import _comparison

    return _comparison.compare(
        Path(experiment) if experiment is not None else None,
        open_book(Path(root) if root is not None else None),
        dataset=dataset,
        metric=metric,
        split=split,
        by=by,
        baseline=baseline,
        correction=correction,
        pareto=pareto,
    )


def behave(
    experiment: str | Path,
    *,
    texts: int = 500,
    transfer_texts: int = 2000,
    transfer: bool | None = None,
    by: Sequence[str] = (),
    seed: int = 0,
    device: str = "auto",
    root: str | Path | None = None,
) -> dict[str, Any]:
    """Examine the finished runs of an experiment's file: how they behave beyond their score.

    The words are those of `tunebook behave`, and so is the object that comes back, as `--json` prints it: rows of
    `robustness`, `calibration`, `coverage`, `slices`, `worst`, `moved`, `forgetting`, `agreement` and `transfer`, what
    is `missing` and why, and `seconds` by part.

    Raises:
        UsageError: the file has faults, nothing is finished, or labels cannot be mapped to other datasets'.
        IntegrityError: predictions or weights are damaged.
    """
    from tunebook.book import open_book
    from tunebook.cli import _behaviour

    return _behaviour.behave(
        Path(experiment),
        open_book(Path(root) if root is not None else None),
        texts=texts,
        transfer_texts=transfer_texts,
        transfer=transfer,
        by=by,
        seed=seed,
        device=device,
        tell=lambda _: None,
    )
