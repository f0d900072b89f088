"""Sentences and snippets of a model card that follow from a run's values: what was dropped, limits, code, citation."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.book.card_facts import UNNAMED, Values
from tunebook.text.markdown import escape, visible

TITLE = "Tunebook: a laboratory and a reference book for fine-tuning pretrained Transformer encoders"
AUTHORS = "The Tunebook contributors"
LICENCE = "Apache-2.0"


def plain(text: str) -> str:
    """A text from data on one line, for YAML: nothing invisible, nothing that a file cannot hold."""
    return visible(text)


def texts(dataset: Values) -> str:
    """What it reads, as in the sentence `in ... like those of`."""
    language = {"en": "English "}.get(dataset.get("language") or "", "")
    return f"{language}{'pairs of texts' if dataset.get('is_pair') else 'texts'}"


# --- data ---------------------------------------------------------------------------------------------------


def dropped(notes: Values, asked: Values) -> list[str]:
    """What was left out while the texts were read, one sentence for each kind, also where it was nothing."""
    lines = [f"Form: {escape(notes['form'])}"] if notes.get("form") else []
    if notes.get("decided"):
        lines.append(f"Decided of the labels: {escape(notes['decided'])}")
    leaks = notes.get("leaks", {})
    verb = "kept, as was asked" if notes.get("leaks_kept") else "dropped"
    lines += [
        f"Rows read: {_counts(notes.get('rows_read', {}))}",
        f"Empty texts, dropped: {_counts(notes.get('empty_dropped', {}))}",
        f"Bad rows, dropped: {escape(notes.get('bad_dropped', 0))}, of {escape(asked.get('drop_bad', 0))} allowed",
        f"Leaks (texts that stand in a later split too), {verb}: {_counts(leaks)}",
    ]
    for split, labels in notes.get("skipped", {}).items():
        told = ", ".join(f"{escape(count)} with label {escape(label)}" for label, count in labels.items())
        lines.append(f"Left out of {escape(split)}: {told}")
    if notes.get("not_offered"):
        lines.append(f"Splits without labels, not offered: {escape(', '.join(notes['not_offered']))}")
    if asked.get("train_size"):
        lines.append(f"Of train only {asked['train_size']} texts were used, the same ones for every seed")
    return lines


def _counts(counts: Values) -> str:
    return ", ".join(f"{escape(name)} {escape(count)}" for name, count in counts.items()) or "none"


# --- limits -------------------------------------------------------------------------------------------------


def limits(run: Values, result: Values) -> Iterator[str]:
    """What the scores of a run do not say, one sentence for each."""
    dataset, is_baseline = run["dataset"], run["checkpoint"]["name"] == "none"
    yield f"One seed, {run['spec']['seed']}: another seed gives other scores"
    if dataset.get("language"):
        yield f"Language: {texts(dataset)} only; no other language was measured"
    else:
        yield "Language: not declared; it was measured on no other than that of the data"
    yield f"Domain: the scores are of texts like those of {escape(dataset['name'])}; elsewhere expect less"
    if not is_baseline:
        yield _cut(run, result)
        yield _overlap(run)
    if dataset.get("notes", {}).get("leaks_kept"):
        yield "Leaks were kept: some texts of train stand in the splits that it was measured on"
    if "test" not in result["metrics"]:
        yield "No test split was measured: scores on validation are too good where anything was chosen by it"
    yield "Bias: not evaluated; nobody looked at how it treats groups of people, dialects or topics"


def _cut(run: Values, result: Values) -> str:
    longest, cut = result.get("max_length"), result.get("cut_texts")
    if longest is None or cut is None:
        return "Length: how many texts were cut is not recorded in this run"
    how = escape(run["spec"]["train"].get("long", "head"))
    return f"Length: of texts over {longest} tokens a part was read ({how}); cut texts: {_counts(cut)}"


def _overlap(run: Values) -> str:
    checkpoint, dataset = run["checkpoint"], run["dataset"]["name"]
    if "seen" not in checkpoint:
        return "Overlap: what the checkpoint was trained on before is not recorded in this run"
    if checkpoint["seen"] is None:
        return f"Overlap: not known what the checkpoint was trained on before, as {UNNAMED}"
    if run["spec"]["dataset"].get("name") in checkpoint["seen"]:
        return f"Overlap: the checkpoint was trained on the source of {escape(dataset)} before: the scores are too good"
    return f"Overlap: none of the checkpoint's training data with {escape(dataset)} is known, which proves nothing"


# --- code and citation --------------------------------------------------------------------------------------


def example(dataset: Values) -> str:
    """A text, or a pair of them, as Python writes it."""
    return '("One text.", "Another.")' if dataset.get("is_pair") else '"A text."'


def pipeline(run: Values, result: Values) -> str:
    """Python that loads a whole model from the folder that it stands in."""
    dataset, longest = run["dataset"], result.get("max_length", 512)
    asked = '{"text": "One text.", "text_pair": "Another."}' if dataset.get("is_pair") else '"A text."'
    scale = "" if dataset["label_names"] else ', function_to_apply="none"'
    return (
        "from transformers import pipeline\n\n"
        f'classify = pipeline("text-classification", ".", truncation=True, max_length={longest}{scale})\n'
        f"classify({asked})"
    )


def peft(run: Values) -> str:
    """Python that puts an adapter of PEFT's, in the folder that it stands in, onto its checkpoint."""
    outputs = max(len(run["dataset"]["label_names"]), 1)
    base = run["checkpoint"]["repository"] or "the folder of the checkpoint"
    return (
        "from peft import PeftModel\n"
        "from transformers import AutoModelForSequenceClassification, AutoTokenizer\n\n"
        f'base = AutoModelForSequenceClassification.from_pretrained("{base}", num_labels={outputs})\n'
        'model = PeftModel.from_pretrained(base, ".")\n'
        'tokenizer = AutoTokenizer.from_pretrained(".")'
    )


def bibtex() -> str:
    """How to cite Tunebook, as CITATION.cff says."""
    from importlib.metadata import version

    fields = {
        "title": TITLE,
        "author": f"{{{AUTHORS}}}",
        "version": version("tunebook"),
        "note": f"Software, {LICENCE}",
    }
    return "@misc{tunebook,\n" + "".join(f"  {key} = {{{value}}},\n" for key, value in fields.items()) + "}"
