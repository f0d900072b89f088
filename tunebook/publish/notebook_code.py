"""The code cells of a notebook: plain Python with numpy and matplotlib, so that they run where Tunebook is not."""

LOAD = '''\
import base64, json, os, urllib.request
from pathlib import Path
import numpy as np

def find_data():
    """The folder `catalogue/data` of the clone that this notebook lies in, or else where the same files are served."""
    for folder in [Path.cwd(), *Path.cwd().parents]:
        if (folder / "catalogue" / "data" / "runs").is_dir():
            return folder / "catalogue" / "data"
    address = os.environ.get("TUNEBOOK_CATALOGUE_URL")
    if not address:
        raise SystemExit("no clone here: set TUNEBOOK_CATALOGUE_URL to the address of catalogue/data at a fixed commit")
    return address.rstrip("/")

def read(name):
    if isinstance(DATA, Path):
        return json.loads((DATA / name).read_text())
    with urllib.request.urlopen(f"{DATA}/{name}", timeout=60) as answer:
        return json.load(answer)

DATA = find_data()
runs = {name: read(f"runs/{name}.json") for name in NAMES}
examples = {one["examples"]: None for run in runs.values() for one in run["predictions"].values()}
examples = {name: read(f"splits/{name}.json") for name in examples}
print(len(runs), "runs,", len(examples), "splits")
'''

SCORES = '''\
def predicted(run, split):
    """Labels and logits of a split: log-odds of 16 bits against the first class, whose logit is 0."""
    stored = run["predictions"][split]
    labels = np.array(examples[stored["examples"]]["labels"])
    if "scores" in stored:
        return labels, np.frombuffer(base64.b64decode(stored["scores"]), "<f4").reshape(len(labels), -1)
    odds = np.frombuffer(base64.b64decode(stored["log_odds"]), "<f2").reshape(len(labels), -1).astype(float)
    return labels, np.concatenate([np.zeros((len(labels), 1)), odds], axis=1)

for row in ROWS:
    for name in row["runs"]:
        run = runs[name]
        told = run["result"]["metrics"][row["split"]]
        if told.get("accuracy") is not None:
            labels, logits = predicted(run, row["split"])
            assert abs((logits.argmax(axis=1) == labels).mean() - told["accuracy"]) < 1e-9, name
print("every accuracy is what the predictions give")
'''

RESULTS = """\
import matplotlib.pyplot as plt

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F7F7F"]
plt.rcParams.update({"figure.dpi": 80, "savefig.dpi": 80, "axes.spines.top": False, "axes.spines.right": False})

for family in FAMILIES:
    rows = [row for row in ROWS if row["family"] == family]
    print(family)
    for row in rows:
        interval = "" if row["low"] is None else f"({row['low']:.4f} to {row['high']:.4f})"
        print(f"  group {row['group'] or '-'}  {row['mean']:.4f} {interval:20}  {row['seeds']} seeds  {row['name']}")
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(rows) + 1.2), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        values = [runs[name]["result"]["metrics"][row["split"]][row["metric"]] for name in row["runs"]]
        axes.plot(values, [place] * len(values), "o", color=COLOURS[4], markersize=5, alpha=0.8)
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=COLOURS[0], linewidth=2)
        axes.plot([row["mean"]], [place], "s", color=COLOURS[1], markersize=6)
    axes.set_yticks(range(len(rows)), [row["name"] for row in reversed(rows)], parse_math=False)
    axes.set_xlabel(rows[0]["metric"].replace("_", " "))
    axes.set_title("mean (square), 95 % interval (line), every seed (dots)", fontsize=10)
    axes.grid(axis="x", alpha=0.3)
    plt.show()
"""

BEST = """\
best = next((row for row in ROWS if runs[row["runs"][0]]["predictions"][row["split"]].get("log_odds")), None)
if best:
    run = runs[best["runs"][0]]
    labels, logits = predicted(run, best["split"])
    names = run["declared"]["dataset"]["label_names"]
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (labels, logits.argmax(axis=1)), 1)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    sure = (odds / odds.sum(axis=1, keepdims=True)).max(axis=1)
    right = logits.argmax(axis=1) == labels
    figure, (left, middle, end) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    left.imshow(counts / counts.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
    for (y, x), count in np.ndenumerate(counts):
        share = count / max(1, counts[y].sum())
        left.text(x, y, f"{count:,}", ha="center", va="center", color="white" if share > 0.5 else "black")
    left.set_xticks(range(len(names)), names, rotation=30, ha="right", parse_math=False)
    left.set_yticks(range(len(names)), names, parse_math=False)
    left.set_xlabel("predicted")
    left.set_ylabel("true")
    groups = [group for group in np.array_split(np.argsort(sure, kind="stable"), 10) if len(group)]
    middle.plot([sure.min(), 1], [sure.min(), 1], "--", color="#7F7F7F")
    middle.plot([sure[g].mean() for g in groups], [right[g].mean() for g in groups], "o-", color=COLOURS[0])
    middle.set_xlabel("how sure, ten groups of equal size")
    middle.set_ylabel("how often right")
    for key, colour in (("train/loss", COLOURS[0]), ("validation/log_loss", COLOURS[1])):
        points = [(line["step"], line[key]) for line in run["curve"] if line.get(key) is not None]
        if points:
            end.plot(*zip(*points), color=colour, label=key)
            end.legend()
    end.set_xlabel("step")
    figure.suptitle(best["name"] + ", " + str(run["declared"]["spec"]["seed"]).join(["seed ", ""]), parse_math=False)
    plt.show()
"""

ERRORS = """\
if best:
    split = examples[run["predictions"][best["split"]]["examples"]]
    wrong = np.flatnonzero(~right)
    print(f"{len(wrong):,} of {len(labels):,} are wrong; the ten that the model was surest of:")
    for place in wrong[np.argsort(-sure[wrong], kind="stable")][:10]:
        text = split["texts"][place] if "texts" in split else split["ids"][place]
        print(f"{sure[place]:.3f}  {names[labels[place]]} taken for {names[logits[place].argmax()]}: {ascii(text)}")
"""
