"""Tables as LaTeX, for the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tunebook.text.markdown import visible

_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
        "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
        ">": r"\textgreater{}", '"': r"\textquotedbl{}", "|": r"\textbar{}", "`": r"\textasciigrave{}",
        "'": r"\textquotesingle{}",
        # After the end of a row these would belong to it: it takes a star, and a length in brackets.
        "*": "{*}", "[": "{[}", "]": "{]}",
    }
)  # fmt: skip


def escape(text: object) -> str:
    r"""A value as literal text.

    Example:
        >>> print(escape("50 % of {x}_1"))
        50 \% of \{x\}\_1
    """
    literal = visible(str(text)).translate(_SPECIAL)
    return re.sub("-(?=-)", "-{}", literal)  # two would be one long dash


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""A table of values, None as a dash, numbers with four digits and to the right.

    Example:
        >>> print(table(["split", "f1"], [["test", 0.51239]]))
        \begin{tabular}{lr}
        \toprule
        split & f1 \\
        \midrule
        test & 0.5124 \\
        \bottomrule
        \end{tabular}
    """
    values = list(rows)
    sides = "".join(
        "r" if values and all(isinstance(row[column], int | float | None) for row in values) else "l"
        for column in range(len(header))
    )
    lines = [[_cell(value) for value in row] for row in values]
    body = [" & ".join(line) + r" \\" for line in lines]
    head = " & ".join(escape(name) for name in header) + r" \\"
    top, middle, bottom = r"\toprule", r"\midrule", r"\bottomrule"
    return "\n".join([rf"\begin{{tabular}}{{{sides}}}", top, head, middle, *body, bottom, r"\end{tabular}"])


def _cell(value: object) -> str:
    if value is None:
        return "--"
    return f"{value:.4f}" if isinstance(value, float) else escape(value)
