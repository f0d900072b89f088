"""What is wrong or odd in a dataset before anything is trained on it: copies, leaks, telling columns, wrong labels.

It counts and takes nothing away. `check` looks at texts, and at labels only where it may; `baselines`, `label_errors`
and `truncation` take longer and are asked for apart; `remarks` says what it all means; `stored` has what was kept in
a book.
"""

from __future__ import annotations

from tunebook.gate.baseline import baselines
from tunebook.gate.checking import check
from tunebook.gate.confident import label_errors
from tunebook.gate.findings import Findings, Known, Overlap, Predictive, SplitFindings, Spread
from tunebook.gate.frozen import features
from tunebook.gate.keeping import FOLDER, key, look_before, look_once, store, stored
from tunebook.gate.limits import truncation
from tunebook.gate.sentences import Remark, remarks

__all__ = [
    "FOLDER",
    "Findings",
    "Known",
    "Overlap",
    "Predictive",
    "Remark",
    "SplitFindings",
    "Spread",
    "baselines",
    "check",
    "features",
    "key",
    "label_errors",
    "look_before",
    "look_once",
    "remarks",
    "store",
    "stored",
    "truncation",
]
