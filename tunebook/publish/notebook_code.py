"""The code cells of a notebook: plain Python with numpy and matplotlib, so that they run where Tunebook is not."""

LOAD = '''\
import base64, json, os, unicodedata, urllib.request
from pathlib import Path
import numpy as np

ADDRESS = os.environ.get("TUNEBOOK_CATALOGUE_URL", "")  # without a clone: where catalogue/data is served

def visible(text):
    """A text on one line; characters that control or reorder others are written as their code points."""
    def shown(one):
        is_hidden = unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and one != chr(0x200D)
        return f"\\\\u{ord(one):04x}" if is_hidden else one

    return "".join(map(shown, " ".join(str(text).splitlines())))

def short(text, most=60):
    """A name beside an axis, cut where it would leave no room for the drawing."""
    shown = visible(text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"

def find_data():
    """The folder `catalogue/data` of the clone that this notebook lies in, or else where the same files are served."""
    for folder in [Path.cwd(), *Path.cwd().parents]:
        if (folder / "catalogue" / "data" / "runs").is_dir():
            return folder / "catalogue" / "data"
    if not ADDRESS:
        raise FileNotFoundError(
            "no clone here: set TUNEBOOK_CATALOGUE_URL, or ADDRESS above, "
            "to where catalogue/data is served at a fixed commit"
        )
    return ADDRESS.rstrip("/")

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

compared = 0
for row in ROWS:
    for name in row["runs"]:
        run = runs[name]
        told = run["result"]["metrics"][row["split"]]
        if told.get("accuracy") is not None:
            labels, logits = predicted(run, row["split"])
            assert abs((logits.argmax(axis=1) == labels).mean() - told["accuracy"]) < 1e-9, name
            compared += 1
print(f"every accuracy is what the predictions give: {compared} runs compared")
'''

RESULTS = """\
import matplotlib.pyplot as plt

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F7F7F"]
plt.rcParams.update({"figure.dpi": 80, "savefig.dpi": 80, "axes.spines.top": False, "axes.spines.right": False})

for family in FAMILIES:
    rows = [row for row in ROWS if row["family"] == family]
    print(visible(family))
    print("  group    mean  95 % interval     sd over seeds  seeds  training")
    for row in rows:
        interval = "-" if row["low"] is None else f"{row['low']:.4f} to {row['high']:.4f}"
        spread = "-" if row["deviation"] is None else f"{row['deviation']:.4f}"
        seconds = f"{row['train_seconds']:.1f} s" if row["train_seconds"] else "-"
        print(f"  {row['group'] or '-':>5}  {row['mean']:.4f}  {interval:16}  {spread:>13}  {row['seeds']:>5}", end="")
        print(f"  {seconds:>8}  {visible(row['name'])}")
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(rows) + 1.2), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        values = [runs[name]["result"]["metrics"][row["split"]].get(row["metric"]) for name in row["runs"]]
        values = [value for value in values if value is not None]
        axes.plot(values, [place] * len(values), "o", color=COLOURS[4], markersize=5, alpha=0.8)
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=COLOURS[0], linewidth=2)
        axes.plot([row["mean"]], [place], "s", color=COLOURS[1], markersize=6)
    axes.set_yticks(range(len(rows)), [short(row["name"]) for row in reversed(rows)], parse_math=False)
    axes.set_xlabel(rows[0]["metric"].replace("_", " "))
    axes.set_title("mean (square), 95 % interval (line), every seed (dots)", fontsize=10)
    axes.grid(axis="x", alpha=0.3)
    plt.show()
"""

CHARTS = """\
MARKERS = ["o", "s", "^", "D", "P", "v", ">"]
DASHES = ["-", "--", ":", "-.", (0, (8, 3)), (0, (4, 4)), (0, (1, 3))]

def draw(chart):
    \"""Draw a chart that is plain data: two axes, and marks with their values.\"""
    rows = len(chart["y"]["names"])
    figure, axes = plt.subplots(figsize=(8, 0.45 * rows + 1.6 if rows else 4), layout="constrained")
    values = [value for mark in chart["marks"] for value in mark["values"]]
    groups = list(dict.fromkeys(value["group"] for value in values if value.get("group")))
    handles = {}
    for mark in chart["marks"]:
        known = [value for value in mark["values"] if mark["kind"] == "rule" or None not in (value["x"], value["y"])]
        for group in dict.fromkeys(value.get("group") for value in known):
            place = groups.index(group) % len(COLOURS) if group in groups else 0
            some = [value for value in known if value.get("group") == group]
            handle = DRAWN[mark["kind"]](axes, chart, some, place)
            if group and handle is not None:
                handles[group] = handle
    frame(axes, chart)
    if len(handles) > 1:
        legend = figure.legend(handles.values(), map(short, handles), loc="outside lower left", fontsize=8)
        for text in legend.get_texts():
            text.set_parse_math(False)
    plt.show()

def places(chart, some):
    \"""Where values lie, along x and along y; a name lies at its number.\"""
    def along(key):
        axis = chart[key]
        return [axis["names"].index(one[key]) if axis["kind"] == "names" else one[key] for one in some]
    return along("x"), along("y")

def numbered(chart):
    \"""The labels of its intervals: each is drawn as its number.\"""
    found = [one.get("label") for mark in chart["marks"] if mark["kind"] == "interval" for one in mark["values"]]
    return [label for label in dict.fromkeys(found) if label]

def draw_rule(axes, chart, some, place):
    for one in some:
        line = axes.axvline if "x" in one else axes.axhline
        line(one.get("x", one.get("y")), color=COLOURS[6], linestyle="--", linewidth=1)

def draw_line(axes, chart, some, place):
    x, y = zip(*sorted(zip(*places(chart, some))))
    return axes.plot(x, y, linestyle=DASHES[place], color=COLOURS[place])[0]

def draw_band(axes, chart, some, place):
    x, low, high = zip(*sorted((one["x"], one["y_low"], one["y_high"]) for one in some))
    return axes.fill_between(x, low, high, alpha=0.25, linewidth=0, color=COLOURS[place])

def draw_bar(axes, chart, some, place):
    x, y = places(chart, some)
    is_lying = chart["y"]["kind"] == "names"
    return axes.barh(y, x, 0.6, color=COLOURS[place]) if is_lying else axes.bar(x, y, color=COLOURS[place])

def draw_cell(axes, chart, some, place):
    for x, y, one in zip(*places(chart, some), some):
        shade, ink = plt.get_cmap("Blues")(one["value"]), "white" if one["value"] > 0.5 else "black"
        axes.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=shade, edgecolor="white"))
        axes.text(x, y, visible(one["label"]), ha="center", va="center", color=ink, parse_math=False)
    axes.autoscale_view()

def draw_point(axes, chart, some, place):
    return axes.plot(*places(chart, some), MARKERS[place], linestyle="", markersize=6, color=COLOURS[place])[0]

def draw_interval(axes, chart, some, place):
    for x, y, one in zip(*places(chart, some), some):
        for key, line in (("x", lambda ends: (ends, [y, y])), ("y", lambda ends: ([x, x], ends))):
            ends = [one.get(f"{key}_low"), one.get(f"{key}_high")]
            if None not in ends:
                axes.plot(*line(ends), linewidth=1.5, color=COLOURS[place])
        if one.get("label"):  # a number, as names would lie on one another
            number = numbered(chart).index(one["label"]) + 1
            axes.annotate(f"{number}", (x, y), (4, 4), textcoords="offset points", fontsize=8)
    return draw_point(axes, chart, some, place)

DRAWN = {"rule": draw_rule, "line": draw_line, "band": draw_band, "bar": draw_bar, "cell": draw_cell,
         "point": draw_point, "interval": draw_interval}

def frame(axes, chart):
    \"""Titles, names and scales of both axes.\"""
    for key, of in (("x", axes.xaxis), ("y", axes.yaxis)):
        axis = chart[key]
        if axis["kind"] == "names":
            names = [short(name) for name in axis["names"]]
            of.set_ticks(range(len(names)), names, parse_math=False)
            of.set_inverted(key == "y")  # the first name is on top
        else:
            axes.set(**{f"{key}scale": axis["kind"]})
            if axis["unit"] == "share" and axis["kind"] == "linear":
                of.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
            if axis["unit"] == "count" and axis["kind"] == "linear":
                of.set_major_locator(plt.MaxNLocator(integer=True))
            lowest, highest = of.get_view_interval()
            ends = (axis["low"], lowest), (axis["high"], highest)
            axes.set(**{f"{key}lim": [end if given is None else given for given, end in ends]})
        of.set_label_text(visible(axis["title"]), parse_math=False)
    axes.set_title(short(chart["title"], 100), fontsize=10, parse_math=False)

for chart in CHARTS:
    print(visible(chart["about"]))
    draw(chart)
    for number, label in enumerate(numbered(chart), start=1):
        print(f"  {number}  {visible(label)}")
    print(chart["note"])
"""

BEST = """\
best = next((row for row in ROWS if runs[row["runs"][0]]["predictions"][row["split"]].get("log_odds")), None)
if best:
    run = runs[best["runs"][0]]
    labels, logits = predicted(run, best["split"])
    names = [visible(name) for name in run["declared"]["dataset"]["label_names"]]
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
    left.set_xticks(range(len(names)), [short(name, 20) for name in names], rotation=30, ha="right", parse_math=False)
    left.set_yticks(range(len(names)), [short(name, 20) for name in names], parse_math=False)
    left.set_xlabel("predicted")
    left.set_ylabel("true")
    groups = [group for group in np.array_split(np.argsort(sure, kind="stable"), 10) if len(group)]
    middle.plot([sure.min(), 1], [sure.min(), 1], "--", color="#7F7F7F")
    for g in groups:  # how often right, with Wilson's interval of 95 % over the examples
        share, count, z = right[g].mean(), len(g), 1.96
        centre = (share + z * z / (2 * count)) / (1 + z * z / count)
        half = z / (1 + z * z / count) * (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
        middle.plot([sure[g].mean()] * 2, [centre - half, centre + half], color=COLOURS[0])
    middle.plot([sure[g].mean() for g in groups], [right[g].mean() for g in groups], "o", color=COLOURS[0])
    middle.set_xlabel("how sure, ten groups of equal size")
    middle.set_ylabel("how often right")
    for key, colour in (("train/loss", COLOURS[0]), ("validation/log_loss", COLOURS[1])):
        points = [(line["step"], line[key]) for line in run["curve"] if line.get(key) is not None]
        if points:
            end.plot(*zip(*points), color=colour, label=key)
            end.legend()
    end.set_xlabel("step")
    figure.suptitle(short(f"{best['name']}, seed {run['declared']['spec']['seed']}", 120), parse_math=False)
    plt.show()
"""

ERRORS = """\
if best:
    split = examples[run["predictions"][best["split"]]["examples"]]
    wrong = np.flatnonzero(~right)
    print(f"{len(wrong):,} of {len(labels):,} are wrong; the ten that the model was surest of:")
    for place in wrong[np.argsort(-sure[wrong], kind="stable")][:10]:
        text = split["texts"][place] if "texts" in split else split["ids"][place]
        print(f"{sure[place]:.3f}  {names[labels[place]]} taken for {names[logits[place].argmax()]}: {visible(text)}")
"""
