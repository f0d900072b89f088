"""The catalogue as a whole: written from open data, or compared with what lies there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tunebook import toml_file
from tunebook.claims import Claim, declared, read_claims
from tunebook.errors import IntegrityError, UsageError
from tunebook.grid import experiment
from tunebook.publish import notebook_outputs, notebooks, open_data, readme, whole
from tunebook.publish.export import Changes, export, texts_of_datasets
from tunebook.publish.open_data import Published
from tunebook.publish.site import Site
from tunebook.publish.study import Study

if TYPE_CHECKING:
    from tunebook.book import Book

PAGE, DATA, NOTEBOOKS = "catalogue", "catalogue/data", "notebooks"
_NAME = r"[a-z0-9][a-z0-9._-]*"
_GENERATED = re.compile(
    rf"runs/{_NAME}--s\d+--[0-9a-f]{{12}}\.html|(experiments|behaviour|checkpoints|methods|datasets)/{_NAME}\.html"
    rf"|charts/{_NAME}\.js"
)
"""Pages by their names: one of these that nothing renders any more is stale, any other file is somebody's own."""


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The catalogue of a repository: `catalogue/`, `notebooks/` and a block of README.md, all of it from open data."""

    root: Path

    @cached_property
    def published(self) -> Published:
        """The open data."""
        return Published(self.root / DATA)

    @cached_property
    def claims(self) -> list[Claim]:
        """The claims of `claims/`; none where there is no such folder. A file with faults is in `claim_faults`."""
        return (
            read_claims(self.root / "claims", tell=self.claim_faults.append)
            if (self.root / "claims").is_dir()
            else []
        )

    @cached_property
    def claim_faults(self) -> list[UsageError]:
        """What is wrong with files of claims."""
        return []

    @cached_property
    def site(self) -> Site:
        """The page, with what became of every claim by the published runs."""
        return Site(self.published, self.claims, experiments=declared(self.root / "experiments"))

    @cached_property
    def declared(self) -> list[str]:
        """The experiments that have a file."""
        return readme.declared_names(self.root / "experiments")

    @cached_property
    def noted(self) -> dict[Path, Study]:
        """The notebook's place of every declared experiment that has runs."""
        folder = self.root / NOTEBOOKS
        return {
            folder / f"{one.slug}.ipynb": one
            for one in self.site.studies
            if one.name in self.declared and one.runs
        }

    # --- writing -------------------------------------------------------------------------------------------------

    def write(self, changes: Changes) -> None:
        """Render everything, write what changed, remove what is stale, and tell what is somebody's own.

        Raises:
            UsageError: README.md lacks the markers of its block.
            NoSpace: the disk or a quota is full.
        """
        block = self._readme()  # markers that are missing stop it before anything is written
        for path, render in self.site.pages.items():
            changes.put(self.root, f"{PAGE}/{path}", render())
        for name in self._unrendered():
            is_stale = _GENERATED.fullmatch(name.removeprefix(f"{PAGE}/")) or (
                name.startswith(f"{NOTEBOOKS}/") and notebook_outputs.is_ours(self.root / name)
            )
            if is_stale and not (self.root / name).is_symlink():
                (self.root / name).unlink()
                changes.removed.append(name)
            else:
                changes.foreign.append(name)
        for place, study in self.noted.items():
            if notebooks.fault(place, study):
                changes.put(self.root, f"{NOTEBOOKS}/{place.name}", notebooks.build(study))
        if block is not None:
            changes.put(self.root, "README.md", block.encode())

    def _unrendered(self) -> Iterator[str]:
        """Files and links of `catalogue/`, the open data apart, and of `notebooks/` that nothing renders."""
        known = {f"{PAGE}/{path}" for path in self.site.pages}
        known |= {path.relative_to(self.root).as_posix() for path in self.noted}
        for folder in (PAGE, NOTEBOOKS):
            for path in sorted((self.root / folder).rglob("*")):
                name = path.relative_to(self.root).as_posix()
                is_file = path.is_symlink() or path.is_file()
                if is_file and not name.startswith(f"{DATA}/") and (name not in known or path.is_symlink()):
                    yield name

    def _readme(self) -> str | None:
        """README.md with its block as it should be; None where there is no README."""
        path = self.root / "README.md"
        if not path.is_file():
            return None
        return readme.with_block(
            path.read_text(), readme.block(self.site.studies, self.declared, self.site.verdicts)
        )

    # --- comparing -----------------------------------------------------------------------------------------------

    def faults(self) -> Iterator[str]:
        """What of the published is damaged, out of date, foreign or edited by hand, a sentence each; nothing is run."""
        for name in self.published.runs:
            try:
                yield from open_data.wrong_scores(self.published, name)
            except IntegrityError as error:
                yield f"{name}: {error}"
        yield from (f"{DATA}/{fault}" for fault in whole.faults(self.published))
        yield from (f"{DATA}/{name}: {why}" for name, why in self.published.faults.items())
        yield from map(str, self.claim_faults)
        for path, render in self.site.pages.items():
            place = self.root / PAGE / path
            if not place.is_file():
                yield f"{PAGE}/{path} is missing"
            elif place.read_bytes() != render():
                yield f"{PAGE}/{path} is out of date or was edited by hand"
        yield from (f"{name} belongs to nothing that is published" for name in self._unrendered())
        for place, study in self.noted.items():
            if fault := notebooks.fault(place, study):
                yield f"{NOTEBOOKS}/{place.name} {fault}"
        if (block := self._readme()) is not None and block != (self.root / "README.md").read_text():
            yield "README.md: its block is out of date or was edited by hand"

    def other_outputs(self) -> Iterator[str]:
        """Notebooks whose stored outputs are not those that running them gives, a sentence each; takes seconds each.

        Raises:
            UsageError: what runs notebooks is not installed.
        """
        for place, study in self.noted.items():
            if place.is_file() and (fault := notebook_outputs.other_outputs(place, study)):
                yield f"{NOTEBOOKS}/{place.name} {fault}"


def publish(book: Book, root: Path, *, prune: bool = False) -> Changes:
    """Export a book's runs into `catalogue/data` of a repository, then render the whole catalogue from there.

    Raises:
        UsageError: README.md lacks the markers of its block.
        NoSpace: the disk or a quota is full.
    """
    changes = export(book, root / DATA, prune=prune, texts=texts_of_datasets(is_all=False))
    catalogue = Catalogue(root)
    catalogue.write(changes)
    changes.skipped.update(
        {f"claims, {place}": str(one) for place, one in enumerate(catalogue.claim_faults, start=1)}
    )
    changes.skipped.update(catalogue.published.faults)
    changes.skipped.update(_unreadable(root / "experiments"))
    return changes


def _unreadable(folder: Path) -> Mapping[str, str]:
    """What is wrong with files of experiments: `tunebook run` would refuse them, and no claim is met by them."""
    found = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            experiment(toml_file.parse(toml_file.read(path), str(path)), str(path))
        except UsageError as error:
            found[f"experiments/{path.name}"] = str(error)
    return found


def publish_with_texts(book: Book, folder: Path) -> Changes:
    """Write the page with all texts that this machine has into a folder of its own, which is not for publishing.

    Raises:
        NoSpace: the disk or a quota is full.
    """
    changes = export(book, folder / "data", prune=True, texts=texts_of_datasets(is_all=True))
    site = Site(Published(folder / "data"))
    for path in site.pages:
        changes.put(folder, path, site.render(path))
    return changes
