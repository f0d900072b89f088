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

def written(value, row, unit=" %"):
    \"""A score: shares as per cent, and differences of shares as points.\"""
    return "-" if value is None else f"{100 * value:.1f}{unit}" if row["unit"] == "share" else f"{value:.4f}"

for family in FAMILIES:
    rows = [row for row in ROWS if row["family"] == family]
    print(visible(family))
    print("  group    mean  95 % interval     sd over seeds  seeds  training")
    for row in rows:
        interval = "-" if row["low"] is None else f"{written(row['low'], row)} to {written(row['high'], row)}"
        spread, seconds = written(row["deviation"], row, " points"), row["train_seconds"]
        print(f"  {row['group'] or '-':>5}  {written(row['mean'], row):>6}  {interval:16}  {spread:>13}", end="")
        print(f"  {row['seeds']:>5}  {f'{seconds:.1f} s' if seconds else '-':>8}  {visible(row['name'])}")
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(rows) + 1.2), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        if row["is_off"]:  # far from all others, which an axis with it would squeeze
            is_left = all(row["mean"] <= other["mean"] for other in rows)
            told = f"{chr(0x2190 if is_left else 0x2192)} off the axis: {written(row['mean'], row)}"
            axes.text(0.02, place, told, transform=axes.get_yaxis_transform(), va="center", style="italic")
            continue
        values = [runs[name]["result"]["metrics"][row["split"]].get(row["metric"]) for name in row["runs"]]
        values = [value for value in values if value is not None]
        axes.plot(values, [place] * len(values), "o", color=COLOURS[4], markersize=5, alpha=0.8)
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=COLOURS[0], linewidth=2)
        axes.plot([row["mean"]], [place], "s", color=COLOURS[1], markersize=6)
    axes.set_yticks(range(len(rows)), [short(row["name"]) for row in reversed(rows)], parse_math=False)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(rows[0]["metric"].replace("_", " "))
    if rows[0]["unit"] == "share":
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
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
        free = mark["kind"] in ("rule", "aside")
        known = [value for value in mark["values"] if free or None not in (value["x"], value["y"])]
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
    name(axes, chart)
    plt.show()

def places(chart, some):
    \"""Where values lie, along x and along y; a name lies at its number.\"""
    def along(key):
        axis = chart[key]
        return [axis["names"].index(one[key]) if axis["kind"] == "names" else one[key] for one in some]
    return along("x"), along("y")

def name(axes, chart):
    \"""The labels of intervals beside their points, where they cover neither points nor one another.\"""
    named = [one for mark in chart["marks"] if mark["kind"] == "interval" for one in mark["values"] if one.get("label")]
    named = [one for one in named if None not in (one["x"], one["y"])]
    if not named:
        return
    axes.figure.canvas.draw()
    at, back = axes.transData.transform, axes.transData.inverted().transform
    points = [tuple(map(float, at(place))) for place in zip(*places(chart, named))]
    texts = [axes.text(0, 0, short(one["label"], 40), fontsize=8, ha="center", va="center", parse_math=False)
             for one in named]
    sizes = [(text.get_window_extent().width + 4, text.get_window_extent().height + 2) for text in texts]
    lines = []
    for (x, y), one in zip(points, named):
        for key in "xy":
            pairs = [(at((end, 1))[0], y) if key == "x" else (x, at((1, end))[1]) for end in ends_of(chart, one, key)]
            if pairs:
                (a, b), (c, d) = pairs
                lines.append((min(a, c) - 2, min(b, d) - 2, max(a, c) + 2, max(b, d) + 2))
    frame = tuple(axes.get_window_extent().extents)
    for point, box, text in zip(points, beside(points, sizes, taken=lines, frame=frame), texts):
        text.set_position(back(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)))
        if is_far(point, box):
            line_x, line_y = zip(back(point), back(end(point, box)))
            axes.plot(line_x, line_y, color=COLOURS[6], linewidth=0.7, zorder=0, scalex=False, scaley=False)

def ends_of(chart, one, key):
    \"""The ends of a value's interval along an axis; none where one of them has no place on it.\"""
    ends = [one.get(f"{key}_low"), one.get(f"{key}_high")]
    is_known = None not in ends and (chart[key]["kind"] != "log" or min(ends) > 0)
    return ends if is_known else []

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
            if ends := ends_of(chart, one, key):
                axes.plot(*line(ends), linewidth=1.5, color=COLOURS[place])
    return draw_point(axes, chart, some, place)

def draw_aside(axes, chart, some, place):
    for one in some:
        y, where = chart["y"]["names"].index(one["y"]), axes.get_yaxis_transform()
        axes.text(0.02, y, visible(one["label"]), transform=where, va="center", style="italic", parse_math=False)

DRAWN = {"aside": draw_aside, "rule": draw_rule, "line": draw_line, "band": draw_band, "bar": draw_bar,
         "cell": draw_cell, "point": draw_point, "interval": draw_interval}

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
            if axis["kind"] == "log":
                of.set_major_locator(plt.LogLocator(subs=(1, 2, 5)))
                ends = " s" * (axis["unit"] == "seconds")
                of.set_major_formatter(lambda value, _, ends=ends: f"{value:,g}{ends}")
                of.set_minor_formatter(plt.NullFormatter())
            if axis["unit"] == "share" and axis["kind"] == "linear":
                of.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
            if axis["unit"] == "points":  # which its title names
                of.set_major_formatter(lambda value, _: f"{100 * value:.4g}".replace("-", "\\u2212"))
            if axis["unit"] == "count" and axis["kind"] == "linear":
                of.set_major_locator(plt.MaxNLocator(integer=True))
            lowest, highest = of.get_view_interval()
            ends = (axis["low"], lowest), (axis["high"], highest)
            axes.set(**{f"{key}lim": [end if given is None else given for given, end in ends]})
        of.set_label_text(visible(axis["title"]), parse_math=False)
    if chart["is_square"]:
        axes.set_aspect("equal")
    axes.set_title(short(chart["title"], 100), fontsize=10, parse_math=False)

for chart in CHARTS:
    print(visible(chart["about"]))
    draw(chart)
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
    left.set_xlabel("predicted label")
    left.set_ylabel("true label")
    groups = [group for group in np.array_split(np.argsort(sure, kind="stable"), 10) if len(group)]
    lowest = min(min(sure[g].mean(), right[g].mean()) for g in groups) - 0.08
    middle.plot([lowest, 1], [lowest, 1], "--", color="#7F7F7F")
    for g in groups:  # the share that is right, with Wilson's interval of 95 % over the examples
        share, count, z = right[g].mean(), len(g), 1.96
        centre = (share + z * z / (2 * count)) / (1 + z * z / count)
        half = z / (1 + z * z / count) * (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
        middle.plot([sure[g].mean()] * 2, [centre - half, centre + half], color=COLOURS[0])
    middle.plot([sure[g].mean() for g in groups], [right[g].mean() for g in groups], "o", color=COLOURS[0])
    middle.set_aspect("equal")
    for axis in (middle.xaxis, middle.yaxis):
        axis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
    middle.set_xlabel("confidence, ten groups of equal size")
    middle.set_ylabel("accuracy")
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
        told = f"{names[labels[place]]} taken for {names[logits[place].argmax()]}"
        print(f"{100 * sure[place]:.1f} %  {told}: {visible(text)}")
"""
