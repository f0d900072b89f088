"""What the page of an experiment's behaviour shows: every report of it, by the names that its template has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunebook.publish import behaviour_reports as reports
from tunebook.publish import html, transfer_reports
from tunebook.publish.report import Chart, Table


def values(found: Mapping[str, Any]) -> dict[str, Any]:
    """Tables, figures and sentences of what was found."""
    names = reports.datasets(found)
    all_of_them = {
        "says": transfer_reports.says(found),
        "told": reports.told(found),
        "matrices": _figures(transfer_reports.matrices(found)),
        "transfer": transfer_reports.cells(found),
        "failures": _figures([reports.failures(found, name) for name in names]),
        "failure_table": reports.failure_table(found),
        "failed": reports.examples(found),
        "calibration": reports.calibration(found),
        "abstaining": reports.abstaining(found),
        "coverage": _figures([reports.coverage(found, name) for name in names]),
        "slices": reports.slices(found),
        "layers": _figures([reports.layers(found, name) for name in names]),
        "forgetting": reports.forgetting(found),
        "agreement": reports.agreement(found),
        "contested": reports.contested(found),
        "missing": found["missing"],
    }
    return {
        name: reports.concise(one) if isinstance(one, Table) else one for name, one in all_of_them.items()
    }


def _figures(charts: Sequence[Chart]) -> list[dict[str, Any]]:
    return [html.figure(chart) for chart in charts if chart.has_values]
