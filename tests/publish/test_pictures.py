"""Pictures of notebooks: a palette in place of full colour, the same picture to the eye, and no notes in it."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest

from tunebook.publish.pictures import of_few_colours, without_notes

Image = pytest.importorskip("PIL.Image")
PngInfo = pytest.importorskip("PIL.PngImagePlugin").PngInfo


def drawn() -> str:
    """A chart with its edges smoothed, and notes on who drew it, as a PNG in base64."""
    plt = pytest.importorskip("matplotlib.pyplot")
    figure, axes = plt.subplots(figsize=(6, 3), dpi=80)
    axes.plot(np.arange(20), np.arange(20) ** 2, "o-")
    axes.imshow(np.arange(16).reshape(4, 4), extent=(0, 5, 200, 350), aspect="auto", cmap="Blues")
    axes.set_title("accuracy on 6,000 test texts")
    made = io.BytesIO()
    figure.savefig(made, format="png")
    plt.close(figure)
    return base64.b64encode(made.getvalue()).decode()


def pixels(image: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB")).astype(int)


def test_a_chart_with_a_palette_looks_the_same_in_half_the_bytes() -> None:
    full = drawn()
    small = of_few_colours(full)
    assert len(small) < len(full) / 2
    assert pixels(small).shape == pixels(full).shape
    assert np.abs(pixels(small) - pixels(full)).mean() < 1
    assert of_few_colours(full) == small, "the same bytes each time"


def test_notes_are_left_out_and_nothing_else() -> None:
    noted, told, made = io.BytesIO(), PngInfo(), Image.new("RGB", (3, 2), "red")
    told.add_text("Software", "somebody's", zip=True)
    made.save(noted, "PNG", pnginfo=told)
    image = base64.b64encode(noted.getvalue()).decode()
    kept = without_notes(image)
    assert b"zTXt" in noted.getvalue() and b"zTXt" not in base64.b64decode(kept)
    assert (pixels(kept) == pixels(image)).all()
    assert without_notes(kept) == kept
