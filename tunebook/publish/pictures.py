"""Pictures of notebooks as they are stored: small, and the same bytes whenever they are drawn alike."""

from __future__ import annotations

import base64
import io

COLOURS = 64
_NOTES = (b"tEXt", b"zTXt", b"iTXt", b"tIME")


def of_few_colours(image: str) -> str:
    """A PNG in base64 with a palette: a quarter of the bytes for a chart, which has few colours and their edges."""
    from PIL import Image  # which matplotlib, the one that drew it, brings along

    made = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(image))) as picture:
        picture.convert("RGB").quantize(COLOURS).save(made, "PNG", optimize=True)
    return base64.b64encode(made.getvalue()).decode()


def without_notes(image: str) -> str:
    """A PNG in base64 without its texts and times: which program drew it, and when, is not part of the picture."""
    data = base64.b64decode(image)
    kept, place = [data[:8]], 8
    while place < len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4])
        if data[place + 4 : place + 8] not in _NOTES:
            kept.append(data[place:end])
        place = end
    return base64.b64encode(b"".join(kept)).decode()
