"""What is odd in the characters of texts: decoded twice, characters lost, entities and tags of HTML left in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.entities import html5

KINDS: Mapping[str, tuple[str, str]] = {
    "mis_decoded": (
        "that were decoded with a wrong encoding, such as 'Ã¤' where 'ä' was meant",
        "mend them with ftfy.fix_text, or name the right encoding",
    ),
    "replacement_characters": (
        "with U+FFFD, which stands where bytes could not be read",
        "read the original again with the right encoding: what stood there is lost here",
    ),
    "html_entities": ("with HTML entities, such as '&amp;'", "replace them: html.unescape"),
    "html_tags": (
        "with HTML tags, such as '<br />'",
        "take them out, unless the texts that the model will read have them too",
    ),
}
"""What is counted: what such texts are, and what to do about it."""
_ENTITY = re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TAG = re.compile(
    r"</?(?:a|b|br|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|span|strong|table|td|tr|u|ul)\b[^<>]*>", re.I
)


def kinds(text: str) -> list[str]:
    """Which of `KINDS` a text is.

    Mis-decoded is what `ftfy` both finds suspicious and can undo: Speer 2019, ftfy.

    Example:
        >>> kinds("schÃ¶n &amp; gut"), kinds("schön & gut; <3")
        (['mis_decoded', 'html_entities'], [])
    """
    found = []
    if not text.isascii():
        if _is_mis_decoded(text):
            found.append("mis_decoded")
        if "\ufffd" in text:
            found.append("replacement_characters")
    if "&" in text and ";" in text and any(_is_entity(name) for name in _ENTITY.findall(text)):
        found.append("html_entities")
    if "<" in text and _TAG.search(text):
        found.append("html_tags")
    return found


def _is_mis_decoded(text: str) -> bool:
    from ftfy import fix_encoding
    from ftfy.badness import is_bad

    return bool(is_bad(text)) and fix_encoding(text) != text


def _is_entity(name: str) -> bool:
    return name.startswith("#") or f"{name};" in html5
