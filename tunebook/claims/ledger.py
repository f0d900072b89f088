"""A ledger of claims: one TOML file per source, read strictly, what is faulty told and left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tunebook import metrics, toml_file
from tunebook.errors import UsageError
from tunebook.models.rows import rows as checkpoint_rows
from tunebook.registry import did_you_mean
from tunebook.spec import Strict, checked

Text = Annotated[str, Field(min_length=1, max_length=400)]
Split = Literal[
    "test", "validation", "test_matched", "test_mismatched", "validation_matched", "validation_mismatched"
]


class Claim(Strict):
    """A number that somebody published: of what it is, where it stands, and what to be careful about.

    `value`, `spread` (a deviation over `seeds`) and `rounded_to` are in `unit`; "fraction" is the metric's own.
    `checkpoint`, `dataset` and `method` have Tunebook's names where it has them, else the authors'; `split` is the
    owners' name of it. `status`: "published" by the authors in a paper or README, "verified" by somebody else, "card"
    for an author's figure that nobody checked, "quoted" from another paper, an abstract or a copy, "reported" without a
    document. `comparable` names checkpoints that stand in for one that is not here, each with its caveat;
    `untestable` is a reason of its own why no run of ours can tell.
    """

    source: Text
    url: Annotated[str, Field(pattern=r"^https://\S+$", max_length=400)] | None = None
    kind: Literal["paper", "readme", "card", "blog", "experiment"]
    note: Text | None = None
    checkpoint: Text
    dataset: Text
    split: Split
    metric: str
    value: float
    unit: Literal["percent", "fraction"]
    method: Text
    status: Literal["published", "verified", "card", "quoted", "reported"]
    where: Text
    setup: Text | None = None
    preconditions: Annotated[tuple[Text, ...], Field(max_length=10, strict=False)] = ()
    caution: Text | None = None
    untestable: Text | None = None
    spread: Annotated[float, Field(ge=0)] | None = None
    seeds: Annotated[int, Field(ge=1, le=1000)] | None = None
    train_size: Annotated[int, Field(ge=1)] | None = None
    test_examples: Annotated[int, Field(ge=2)] | None = None
    rounded_to: Annotated[float, Field(gt=0)] | None = None
    comparable: dict[str, Text] = Field(default_factory=dict)

    @field_validator("metric")
    @classmethod
    def _metric_exists(cls, name: str) -> str:
        if name not in metrics.rows():
            raise ValueError(f"unknown metric {name!r}; {did_you_mean(name, metrics.rows())}")
        return name

    @field_validator("comparable")
    @classmethod
    def _comparable_exist(cls, given: dict[str, str]) -> dict[str, str]:
        for name in given:
            if name not in checkpoint_rows():
                raise ValueError(f"unknown checkpoint {name!r}; {did_you_mean(name, checkpoint_rows())}")
        return given

    @model_validator(mode="after")
    def _is_possible(self) -> Claim:
        least, most = metrics.rows()[self.metric].bounds
        is_below, is_above = (
            least is not None and self.claimed < least,
            most is not None and self.claimed > most,
        )
        if is_below or is_above:
            raise ValueError(
                f"value {self.value} {self.unit} is outside of what {self.metric} can be; see its unit"
            )
        return self

    @property
    def scale(self) -> float:
        """What a number of the claim is multiplied with to be in the metric's own unit."""
        return 0.01 if self.unit == "percent" else 1.0

    @property
    def claimed(self) -> float:
        """The value in the metric's own unit."""
        return self.value * self.scale


class _Ledger(Strict):
    """A file of claims; what stands at its top is shared by all of them, unless one says otherwise."""

    top: tuple[str, ...] = ()
    claim: Annotated[list[Claim], Field(min_length=1, max_length=1000)]

    @model_validator(mode="before")
    @classmethod
    def _shared(cls, values: Any) -> Any:
        shared = {key: value for key, value in values.items() if key in Claim.model_fields}
        found = {"top": tuple(key for key in values if key not in (*shared, "claim"))}
        if isinstance(entries := values.get("claim"), list):
            entries = [{**shared, **one} if isinstance(one, dict) else one for one in entries]
        return found | ({"claim": entries} if "claim" in values else {})

    @field_validator("top")
    @classmethod
    def _known(cls, unknown: tuple[str, ...]) -> tuple[str, ...]:
        if unknown:
            told = (f"{key!r} ({did_you_mean(key, ['claim', *Claim.model_fields])})" for key in unknown)
            raise ValueError(f"unknown key {', '.join(told)}")
        return unknown


def read_claims(folder: Path, *, tell: Callable[[UsageError], None] | None = None) -> list[Claim]:
    """The claims of all files `*.toml` of a folder, by file; a faulty file is handed to `tell` and left out.

    Raises:
        UsageError: there is no such folder or no file in it, or without `tell`, a file has faults; all are named.
    """
    files = sorted(folder.glob("*.toml")) if folder.is_dir() else []
    if not files:
        raise UsageError(f"there are no claims in {str(folder)!r}: expected a folder with files SOURCE.toml")
    found: list[Claim] = []
    faults: list[UsageError] = []
    for file in files:
        try:
            values = toml_file.parse(toml_file.read(file), str(file))
            found += checked(_Ledger, values, str(file)).claim
        except UsageError as error:
            faults.append(error)
    if faults and tell is None:
        raise UsageError("\n".join(map(str, faults)))
    for fault in faults:
        assert tell is not None
        tell(fault)
    return found
