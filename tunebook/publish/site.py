"""The page: what there is to be rendered from open data, and each of its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from tunebook import metrics, selection
from tunebook.claims import Claim, Verdict, verdicts
from tunebook.grid import Experiment
from tunebook.names import slug
from tunebook.publish import (
    behaviour_page,
    charts,
    claim_reports,
    data_readme,
    html,
    reports,
    run_reports,
    run_tables,
    study_reports,
    things,
)
from tunebook.publish.open_data import Published
from tunebook.publish.report import Chart, Table
from tunebook.publish.study import Family, Study, studies
from tunebook.spec import NO_CHECKPOINT

Page = Callable[[], bytes]
_HERE = Path(str(files("tunebook.publish")))


class Site:
    """A catalogue's page, rendered file by file from open data; `experiments` by file lend commands to `claims`."""

    def __init__(
        self,
        published: Published,
        claims: Sequence[Claim] = (),
        *,
        experiments: Mapping[str, Experiment] | None = None,
        is_live: bool = False,
    ) -> None:
        self.published, self.claims, self.is_live = published, claims, is_live
        self.experiments = experiments

    @cached_property
    def studies(self) -> list[Study]:
        """The experiments, judged when they are asked for."""
        return studies(self.published)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """What became of every claim by the published rows."""
        rows = [row for study in self.studies for family in study.families for row in family["rows"]]
        return verdicts(self.claims, rows, self.experiments)

    @cached_property
    def overview(self) -> Table:
        """Every row of every experiment."""
        return study_reports.overview(self.studies)

    @cached_property
    def pages(self) -> dict[str, Page]:
        """What renders each file of the page, by its path below the catalogue's folder."""
        found: dict[str, Page] = {
            "index.html": self._index,
            "reading.html": self._reading,
            "claims.html": self._claims,
        }
        found |= {f"assets/{path.name}": path.read_bytes for path in _assets()}
        found["data/README.md"] = partial(data_readme.render, self.published)
        for study in self.studies:
            found[f"experiments/{study.slug}.html"] = partial(self._experiment, study)
            found[f"charts/{study.slug}.js"] = partial(self._charts, study)
            if study.behaviour is not None:
                found[f"behaviour/{study.slug}.html"] = partial(self._behaviour, study, study.behaviour)
        for name in self.published.runs:
            found[f"runs/{name}.html"] = partial(self._run, name)
        for kind, names in self._things.items():
            for name, address in names.items():
                found[address] = partial(self._thing, kind, name)
        return found

    def render(self, path: str) -> bytes:
        """One file of the page.

        Raises:
            KeyError: there is no such file.
        """
        return self.pages[path]()

    # --- pages ---------------------------------------------------------------------------------------------------

    def _page(self, template: str, *, depth: int, **values: Any) -> bytes:
        connect = "connect-src 'self'; " if self.is_live else ""
        return html.render(
            template,
            depth=depth,
            is_live=self.is_live and template == "index.html",
            connect=connect,
            **values,
        )

    def _index(self) -> bytes:
        rows = self.overview.rows
        choices = {
            name: sorted(
                {
                    (
                        value := html.filter_value(row, name, html.FILTERS),
                        f"{value} trials" if name == "budget" else value,
                    )
                    for row in rows
                }
            )
            for name in html.FILTERS
        }
        counts = {
            "rows": f"{len(rows):,}",
            "runs": f"{len(self.published.runs):,}",
            "experiments": f"{len(self.studies):,}",
        }
        listed = {kind: list(names.items()) for kind, names in self._things.items()}
        return self._page(
            "index.html",
            depth=0,
            title="Tunebook",
            counts=counts,
            studies=self.studies,
            **_with_bars(self.overview),
            filters=html.FILTERS,
            choices=choices,
            things=listed,
            faults=self.published.faults,
        )

    def _reading(self) -> bytes:
        return self._page(
            "reading.html",
            depth=0,
            title="How to read this",
            aliases=things.aliases(),
            crumbs=[{"name": "How to read this", "address": None}],
        )

    def _claims(self) -> bytes:
        found = self.verdicts
        return self._page(
            "claims.html",
            depth=0,
            title="Claims",
            counts=claim_reports.counts(found),
            compared=claim_reports.compared(found),
            others=claim_reports.others(found),
            filters=html.CLAIM_FILTERS,
            others_filters={"source": "source"},
            choices=claim_reports.filters(found),
            crumbs=[{"name": "Claims", "address": None}],
        )

    def _experiment(self, study: Study) -> bytes:
        parts = [self._part(study, family, place) for place, family in enumerate(study.families)]
        return self._page(
            "experiment.html",
            depth=1,
            title=study.name,
            study=study,
            parts=parts,
            charts=study.slug if study.families else None,
            answers=[reports.answer(family) for family in study.families],
            figures=self._figures_of(study),
            aliases=things.aliases(study.toml),
            trials=study_reports.trials(study),
            findings=study_reports.findings(study),
            remarks=study_reports.remarks(study),
            runs=_runs(study),
            crumbs=[{"name": study.name, "address": None}],
        )

    def _behaviour(self, study: Study, found: Mapping[str, Any]) -> bytes:
        return self._page(
            "behaviour.html",
            depth=1,
            title=f"Behaviour of {study.name}",
            study=study,
            **behaviour_page.values(found),
            crumbs=[
                {"name": study.name, "address": f"experiments/{study.slug}.html"},
                {"name": "behaviour", "address": None},
            ],
        )

    def _part(self, study: Study, family: Family, place: int) -> dict[str, Any]:
        table, compared = reports.results(family), reports.pairs(family)
        of = reports.unit(family["metric"])
        return {
            "title": table.title,
            "results": table,
            "bars": html.bars(table.rows, of),
            "pairs": compared,
            "pair_bars": html.bars(compared.rows, reports.apart_unit(family["metric"])),
            "detectable": reports.detectable(family),
            "figures": self._figures(study, family, place),
            "disagreements": self._disagreements(study, family),
        }

    def _figures(self, study: Study, family: Family, place: int) -> list[dict[str, Any]]:
        drawn = [
            charts.forest(family),
            charts.seeds(family, study),
            charts.front(family),
            charts.costs(family),
            study_reports.expected(family),
        ]
        return [html.figure(one, study.slug, place) for one in drawn if one is not None and one.has_values]

    def _figures_of(self, study: Study) -> list[dict[str, Any]]:
        curve = charts.data_curve(study.families)
        return [html.figure(curve, study.slug, 0)] if curve is not None and curve.has_values else []

    def _disagreements(self, study: Study, family: Family) -> Table | None:
        rows = [row for row in family["rows"] if row["mean"] is not None][:2]
        if len(rows) < 2 or "dataset" not in family or family["split"] != "test":
            return None
        names, (first, second) = reports.called(family), (study.runs_of(row) for row in rows)
        if first[0]["splits"].get("test") != second[0]["splits"].get("test"):
            return None
        return run_reports.disagreements(
            self.published, first, second, (names[rows[0]["name"]], names[rows[1]["name"]])
        )

    def _charts(self, study: Study) -> bytes:
        drawn = [
            one for place, family in enumerate(study.families) for one in self._figures(study, family, place)
        ]
        return html.chart_script([*drawn, *self._figures_of(study)])

    def _run(self, name: str) -> bytes:
        run, source = self.published.as_object(name), self.published
        declared = source.document(run, "run.json")
        split = "test" if "test" in run["metrics"] else next(iter(run["metrics"]), "test")
        drawn: list[Chart | None] = [run_reports.curves(source, run)]
        if split in run["metrics"]:
            drawn += [run_reports.confusion(source, run, split), run_reports.reliability(source, run, split)]
        return self._page(
            "run.html",
            depth=1,
            title=name,
            run=run,
            scores=run_tables.scores(run),
            classes=run_tables.classes(run, split),
            figures=[html.figure(chart) for chart in drawn if chart is not None],
            errors=run_reports.errors(source, run, split) if split in run["metrics"] else None,
            cost=run_tables.cost(run),
            facts=run_reports.facts(run, declared, source.document(run, "environment.json")),
            again=things.named(selection.command(declared["spec"], [run["seed"]]))
            + f"\ntunebook verify {run['run'][:12]}",
            crumbs=[
                {"name": study.name, "address": f"experiments/{study.slug}.html"}
                for study in self._asked_by.get(run["run"], [])[:1]
            ]
            + [{"name": run["run"][:12], "address": None}],
        )

    @cached_property
    def _asked_by(self) -> dict[str, list[Study]]:
        found: dict[str, list[Study]] = {}
        for study in self.studies:
            for run in study.runs:
                found.setdefault(run["run"], []).append(study)
        return found

    # --- checkpoints, methods, datasets ----------------------------------------------------------------------------

    @cached_property
    def _things(self) -> dict[str, dict[str, str]]:
        """The address of the page of every checkpoint, method and dataset that has results."""
        found: dict[str, dict[str, str]] = {}
        for kind, key in (("checkpoints", "checkpoint"), ("methods", "method_name"), ("datasets", "dataset")):
            names = sorted({str(row[key]) for row in self.overview.rows if row[key] != NO_CHECKPOINT})
            found[kind] = {name: f"{kind}/{slug(name)}.html" for name in names}
        return found

    def _thing(self, kind: str, name: str) -> bytes:
        key = {"checkpoints": "checkpoint", "methods": "method_name", "datasets": "dataset"}[kind]
        rows = tuple(row for row in self.overview.rows if row[key] == name)
        table = Table("overview", f"Results of {name}", self.overview.columns, rows)
        lead, facts = things.OF[kind](name)
        return self._page(
            "thing.html",
            depth=1,
            title=name,
            kind=kind[:-1],
            name=name,
            lead=lead,
            facts=facts,
            **_with_bars(table),
            crumbs=[{"name": name, "address": None}],
        )


def _assets() -> Iterator[Path]:
    yield from sorted(
        path for path in (_HERE / "assets").iterdir() if path.is_file() and not path.name.startswith(".")
    )


def _with_bars(overview: Table) -> dict[str, Any]:
    """An overview with the scales of its bars, one for each dataset and metric, which its note tells."""
    found = html.bars(overview.rows, by=("dataset", "metric"))
    note = html.scales_told(overview.rows, found)
    return {"overview": replace(overview, note=f"{overview.note} {note}".strip()), "bars": found}


def _runs(study: Study) -> Table:
    measured = {metrics.usual(scores) for run in study.runs if (scores := run["metrics"].get("test"))}
    of = reports.unit(measured.pop()) if len(measured) == 1 else "number"
    rows = [
        {
            **{key: run[key] for key in ("checkpoint", "method", "dataset", "seed")},
            "page": f"runs/{run['folder']}.html",
            "name": run["run"][:12],
            "score": run_tables.usual(run),
            "train_seconds": run["cost"]["train_seconds"],
        }
        for run in study.runs
    ]
    columns = [
        ("name", "run", "code", "page"),
        ("checkpoint", "checkpoint"),
        ("method", "method"),
        ("dataset", "dataset"),
        ("seed", "seed", "count"),
        ("score", "score on test", of),
        ("train_seconds", "training", "seconds"),
    ]
    return html.plain("runs", "Runs", columns, rows)
