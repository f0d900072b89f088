"""`tunebook run`: run an experiment, or one checkpoint and method on your own texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from tunebook.cli._options import Device, Download, Json, Root, Seed, Seeds, Set, chosen_seeds


def command(
    file: Annotated[
        Path | None, typer.Argument(help="A declared experiment, a TOML file.", show_default=False)
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="A dataset's name, or a .csv, .tsv, .jsonl or .parquet file.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="The column of the text; two, a,b, make a pair.")] = None,
    label: Annotated[str | None, typer.Option(help="The column of the label or score.")] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="A checkpoint's name, folder or hub repository.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="A method; its settings by --set method.learning_rate=1e-4.")
    ] = "full",
    validation: Annotated[
        str | None, typer.Option(help='A file with the validation texts, or "none".')
    ] = None,
    test: Annotated[str | None, typer.Option(help="A file with the test texts.")] = None,
    group: Annotated[
        str | None, typer.Option(help="A column whose groups stay on one side of the splits.")
    ] = None,
    split_by: Annotated[
        str | None, typer.Option(help="A column to split by: the newest come last, into test.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="classification or regression, where the labels do not tell.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="The encoding of the file, utf-8 otherwise.")] = None,
    train_size: Annotated[
        int | None, typer.Option(help="Train on a stratified subset of so many texts.")
    ] = None,
    split_seed: Annotated[int | None, typer.Option(help="Cut the splits otherwise, by this seed.")] = None,
    keep_leaks: Annotated[
        bool, typer.Option("--keep-leaks", help="Keep train texts that stand in another split.")
    ] = False,
    drop_bad: Annotated[
        int | None, typer.Option(help="Drop up to so many bad rows instead of refusing the file.")
    ] = None,
    long: Annotated[
        str | None, typer.Option(help="Texts over the limit: head, head+tail or windows.")
    ] = None,
    class_weights: Annotated[
        str | None, typer.Option(help="balanced: rare classes count as much as common ones.")
    ] = None,
    select_on: Annotated[
        str | None, typer.Option(help="The validation metric that chooses the best snapshot.")
    ] = None,
    seed: Seed = None,
    seeds: Seeds = None,
    settings: Set = None,
    baselines: Annotated[bool, typer.Option(help="Run the majority and TF-IDF baselines beside it.")] = True,
    device: Device = "auto",
    allow_download: Download = False,
    accept_environment: Annotated[
        bool, typer.Option("--accept-environment", help="Resume a run that began in another environment.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what was run and begin anew.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for another process at the same run.")] = False,
    keep: Annotated[Literal["best", "none"], typer.Option(help="Which weights stay.")] = "best",
    snapshot_steps: Annotated[
        int | None, typer.Option(help="Save a snapshot every so many steps.", min=1)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    json: Json = False,
    root: Root = None,
) -> None:
    """Run what is not finished: train, evaluate, store. Ctrl-C saves; the same command goes on.

    Example: tunebook run experiments/pocket.toml

    Example: tunebook run --dataset reviews.csv --text body --label stars --checkpoint minilm-l6 --method full
    """
    from tunebook.cli import _running

    columns = {"text": text, "label": label, "validation": validation, "test": test, "group": group,
               "split_by": split_by, "task": task, "encoding": encoding, "train_size": train_size,
               "split_seed": split_seed, "keep_leaks": keep_leaks or None, "drop_bad": drop_bad}  # fmt: skip
    train = {"long": long, "class_weights": class_weights, "select_on": select_on}
    declared = _running.declared(
        file, settings or [], checkpoint=checkpoint, dataset=dataset, method=method, columns=columns, train=train,
        seeds=chosen_seeds(seed, seeds), baselines=baselines,
    )  # fmt: skip
    options: dict[str, Any] = {
        "device": device, "allow_download": allow_download, "accept_environment": accept_environment, "fresh": fresh,
        "wait": wait, "keep": keep, "snapshot_steps": snapshot_steps,
    }  # fmt: skip
    raise typer.Exit(_running.run_declared(declared, root, options, is_quiet=quiet, as_json=json))
