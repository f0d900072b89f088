"""`tunebook show`: one run, or the results of an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunebook.cli._options import Json, Root

if TYPE_CHECKING:
    from tunebook.book import Book


def command(
    run: Annotated[str, typer.Argument(help="A run's name or the first letters of its hash.")],
    json: Json = False,
    root: Root = None,
) -> None:
    """Show a run: what it was, its metrics on every split, what it cost, where it lies.

    Example: tunebook show 3f9a12bc
    """
    from tunebook.book import open_book
    from tunebook.cli._terminal import print_json
    from tunebook.run_object import as_object

    book = open_book(root)
    folder = book.find(run)
    found = as_object(folder)
    if behaves := _behaviour(book, found["run"]):
        found["behaviour"] = behaves
    if json:
        print_json(found)
    else:
        _print(found, str(folder))


def _behaviour(book: Book, run: str) -> dict[str, dict[str, Any]]:
    """How the run's row behaves, by the experiments that were examined."""
    from tunebook import behaviour
    from tunebook.behaviour import summary
    from tunebook.book.experiments import experiment_folders, recorded_runs

    found = {}
    for folder in experiment_folders(book):
        examined = behaviour.read(folder) if run in recorded_runs(folder) else None
        if examined and (told := summary.of_row(examined, run)):
            found[folder.name] = told
    return found


def _print(run: dict[str, Any], folder: str) -> None:
    from tunebook.cli._terminal import print_table, safe

    what = f"{safe(run['checkpoint'])}, {safe(run['method'])}, {safe(run['dataset'])}, seed {run['seed']}"
    print(f"{run['folder']}\n{run['status']}: {what}")
    print("settings: " + (", ".join(f"{key} = {value}" for key, value in run["settings"].items()) or "none"))
    if run.get("error"):
        print(f"error: {safe(run['error'])}")
    _print_path(run["ran"])
    for split, scores in run["metrics"].items():
        _print_split(split, scores, run["result"]["examples"][split])
    print("\ncost")
    cost = {key: value for key, value in run["cost"].items() if not isinstance(value, dict)}
    print_table(
        [{"key": key.replace("_", " "), "value": value} for key, value in cost.items()],
        {"key": "what", "value": "value"},
    )
    for name, told in run.get("behaviour", {}).items():
        _print_behaviour(name, told)
    parameters = run["cost"]["trainable_parameters"]
    if parameters["encoder"] is not None:
        print(
            f"trainable parameters: {parameters['encoder']:,} in the encoder, {parameters['head']:,} in the head"
        )
    result = run["result"]
    if result.get("steps"):
        best = (
            f", best at step {result['best_step']:,} by validation {result['selected_on']}"
            if result["best_step"]
            else ""
        )
        print(f"steps: {result['steps']:,}{best}; training loss of the last epoch {result['train_loss']:.4f}")
        print("cut texts: " + ", ".join(f"{count:,} of {split}" for split, count in result["cut_texts"].items())
              + f" (longest {result['max_length']} tokens)")  # fmt: skip
    print(f"\nfolder: {folder}")


def _print_behaviour(experiment: str, told: dict[str, Any]) -> None:
    from tunebook.behaviour.summary import COLUMNS
    from tunebook.cli._terminal import print_table, safe

    print(f"\nbehaviour of {len(told['examined'])} seeds together, as {safe(experiment)} was examined")
    rows = [{"key": title, "value": told[key]} for key, title in COLUMNS.items() if told[key] is not None]
    print_table(rows, {"key": "what", "value": "value"})


def _print_path(ran: dict[str, Any]) -> None:
    """How texts went through the model, and what forced it."""
    from tunebook.cli._terminal import safe

    if not ran.get("path"):
        return
    print(f"path: {ran['path']} ({ran['kernel']}), {ran['precision']} on {safe(ran['device'])}")
    if ran["note"]:
        print(f"note: {safe(ran['note'])}")
    for step, tokens in ran["memory_limits"]:
        print(f"memory ran out at step {step:,}: passes of at most {tokens:,} tokens from there on")


def _print_split(split: str, scores: dict[str, Any], examples: int) -> None:
    from tunebook.cli._terminal import print_table

    print(f"\n{split}, {examples:,} texts")
    single = {key: value for key, value in scores.items() if not isinstance(value, dict | list)}
    print_table(
        [{"metric": key, "value": value} for key, value in single.items()],
        {"metric": "metric", "value": "value"},
    )
    if "per_class" not in scores:
        return
    classes = list(scores["per_class"])
    rows = [
        {
            "label": name,
            **values,
            **{f"as {other}": count for other, count in zip(classes, line, strict=True)},
        }
        for (name, values), line in zip(scores["per_class"].items(), scores["confusion_matrix"], strict=True)
    ]
    columns = {"label": "label", "precision": "precision", "recall": "recall", "f1": "f1", "support": "n"}
    print()
    print_table(rows, columns | {f"as {name}": f"as {name}" for name in classes})
