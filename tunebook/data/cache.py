"""Datasets that were read once, as memory-mapped Arrow files under a key of all that they depend on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.data.assemble import READER_VERSION
from tunebook.data.dataset import Dataset, Split
from tunebook.durable import (
    canonical_json,
    check_folder,
    make_folder,
    sha256_file,
    sweep,
    write_folder,
    write_json,
)
from tunebook.errors import IntegrityError

if TYPE_CHECKING:
    import pyarrow as pa


def dataset_key(files: Iterable[Path], *, options: Mapping[str, Any]) -> str:
    """The key of a dataset, 64 hex digits: the contents of its files, the readers' version and the options.

    Where the files lie and when they were written does not matter.
    """
    digests = [sha256_file(path) for path in files]
    content = canonical_json({"files": digests, "options": dict(options), "readers": READER_VERSION})
    return hashlib.sha256(content.encode()).hexdigest()


def cached(folder: Path | None, key: str, build: Callable[[], Dataset]) -> Dataset:
    """The dataset of this key from the cache, or built and put there; with no folder it is only built."""
    if folder is None:
        return build()
    place = folder / "datasets" / key[:32]
    ensure(place, lambda temporary: _write(build(), temporary))
    return _read(place)


def ensure(place: Path, fill: Callable[[Path], None]) -> None:
    """Have a whole cache folder at `place`: the one that is there, else `fill` writes it.

    A damaged folder is written again, because a cache holds nothing that cannot be made again.
    """
    if place.exists():
        try:
            check_folder(place)
            return
        except IntegrityError:
            shutil.rmtree(place)
    sweep(make_folder(place.parent))  # what killed processes left unfinished
    # Another process may have been faster: what it wrote depends on the same key, so it is as good.
    with suppress(FileExistsError):
        write_folder(place, fill, manifest_extra={})


def _write(dataset: Dataset, folder: Path) -> None:
    import pyarrow as pa

    for name, split in dataset.splits.items():
        with pa.ipc.new_file(str(folder / f"{name}.arrow"), split.table.schema) as writer:
            writer.write_table(split.table)
    plain = asdict(Dataset(**{**vars(dataset), "splits": {}}))
    plain["splits"] = {name: split.fingerprint for name, split in dataset.splits.items()}
    plain["order"] = list(dataset.splits)
    write_json(folder / "dataset.json", plain)


def _read(folder: Path) -> Dataset:
    plain = json.loads((folder / "dataset.json").read_text())
    fingerprints = plain.pop("splits")
    splits = {
        name: Split(name, _mapped(folder / f"{name}.arrow"), fingerprints[name])
        for name in plain.pop("order")
    }
    return Dataset(**{**plain, "label_names": tuple(plain["label_names"])}, splits=splits)


def _mapped(path: Path) -> pa.Table:
    import pyarrow as pa

    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
