"""The generated parts of DESIGN.md: `make docs` writes them, a test compares them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def part(text: str, name: str) -> str:
    """What stands between the markers `<!-- name:begin -->` and `<!-- name:end -->`.

    Raises:
        ValueError: the markers are not both there, once.
    """
    found = re.findall(f"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", text, re.DOTALL)
    if len(found) != 1:
        raise ValueError(f"{len(found)} parts are marked {name!r} with :begin and :end; expected 1")
    return str(found[0])


def with_part(text: str, name: str, body: str) -> str:
    """The text with another body between the markers."""
    old = part(text, name)
    begin = f"<!-- {name}:begin -->\n"
    return text.replace(begin + old, begin + body.strip("\n") + "\n")


def main() -> None:
    """Write the table of splits into DESIGN.md."""
    from tunebook import data

    design = ROOT / "DESIGN.md"
    design.write_text(with_part(design.read_text(), "splits", data.split_table()))


if __name__ == "__main__":
    main()
