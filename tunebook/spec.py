"""What is asked for: an experiment and its runs, every fault at once, and the identity of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from tunebook import data, methods, metrics, toml_file
from tunebook.data.dataset import DataSource
from tunebook.durable import canonical_json
from tunebook.errors import UsageError
from tunebook.models import resolve
from tunebook.registry import did_you_mean

LOOP_VERSION = 2
NO_CHECKPOINT = "none"
_MOST_FAULTS = 50

Model = TypeVar("Model", bound=BaseModel)
Fraction = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Strict(BaseModel):
    """Values of exactly these keys and types, every number finite, unchangeable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class TrainSpec(Strict):
    """How to train. The defaults are meant for somebody with 2,000 own texts; the learning rate is the method's.

    Units: `max_length` tokens, `micro_batch_tokens` tokens per forward pass, `*_fraction` of all steps. `padding`
    "auto" computes on real tokens alone wherever the model can, "stock" pads a batch to its longest text, to compare.
    """

    epochs: Annotated[int, Field(ge=1, le=1000)] = 3
    min_steps: Annotated[int, Field(ge=0, le=10**7)] = 300
    batch_size: Annotated[int, Field(ge=1, le=65536)] = 32
    micro_batch_tokens: Annotated[int, Field(ge=1, le=10**7)] = 4096
    padding: Literal["auto", "stock"] = "auto"
    max_length: Annotated[int, Field(ge=4, le=65536)] | None = None
    long: Literal["head", "head+tail", "windows"] = "head"
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_fraction: Fraction = 0.1
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.01
    max_grad_norm: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-8
    dropout: Fraction | None = None
    attention_dropout: Fraction | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    class_weights: Literal["none", "balanced"] = "none"
    eval_steps: Annotated[int, Field(ge=1, le=10**7)] | None = None
    early_stopping_patience: Annotated[int, Field(ge=1, le=1000)] | None = None
    select_on: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _asked_epochs_are_meant(cls, values: Any) -> Any:
        """Who says how many epochs gets that many: the least number of steps is for those who say nothing."""
        if isinstance(values, dict) and "epochs" in values and "min_steps" not in values:
            return {**values, "min_steps": 0}
        return values

    @model_validator(mode="after")
    def _metric_exists(self) -> TrainSpec:
        if self.select_on is not None:
            check_metric(self.select_on)
        return self


def check_metric(name: str) -> None:
    """Find a metric to exist that is to choose by.

    Raises:
        ValueError: there is none of that name; the message names the nearest.
    """
    if name not in metrics.rows():
        raise ValueError(f"unknown metric {name!r} in select_on; {did_you_mean(name, metrics.rows())}")


def _as_list(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


class DatasetSpec(Strict):
    """A dataset by name, or an own file by `path` with its columns; how it is split and how much of it is used.

    `max_length` is for an experiment on several datasets: what its runs train with in place of `train.max_length`.
    """

    name: str | None = None
    path: str | None = None
    text: Annotated[list[str], BeforeValidator(_as_list), Field(max_length=2)] = []
    label: str | None = None
    validation: str | None = None
    test: str | None = None
    group: str | None = None
    split_by: str | None = None
    task: Literal["classification", "regression"] | None = None
    encoding: str = "utf-8"
    train_size: Annotated[int, Field(ge=1)] | None = None
    split_seed: Seed | None = None
    keep_leaks: bool = False
    drop_bad: Annotated[int, Field(ge=0)] = 0
    files: str | None = None
    max_length: Annotated[int, Field(ge=4, le=65536)] | None = None

    @model_serializer(mode="wrap")
    def _as_asked(self, plainly: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A length of its own stands there only where it is given: it is what its runs train with."""
        values: dict[str, Any] = plainly(self)
        return {key: value for key, value in values.items() if key != "max_length" or value is not None}

    @model_validator(mode="after")
    def _one_source(self) -> DatasetSpec:
        if (self.name is None) == (self.path is None):
            raise ValueError("a dataset has either a name or a path")
        if self.name is not None and self.name not in data.rows():
            hint = "; a file ends in .csv, .tsv, .jsonl or .parquet" if Path(self.name).suffix else ""
            raise ValueError(f"unknown dataset {self.name!r}; {did_you_mean(self.name, data.rows())}{hint}")
        if self.path is not None and (not self.text or self.label is None):
            raise ValueError(
                f"the file {self.path!r} needs text (one column, or two for a pair) and label (a column)"
            )
        return self

    def source(self) -> DataSource:
        """The same values as the data layer takes them."""
        values = {key: value for key, value in self.model_dump().items() if key != "max_length"}
        return DataSource(**{**values, "text": tuple(self.text)})


class MethodSpec(Strict):
    """A method with all its hyperparameters, defaults filled in; `held` are those that were given, not identity."""

    name: str
    settings: dict[str, Any]
    held: Annotated[tuple[str, ...], Field(exclude=True)] = ()


def _dataset(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return {"name": value}


def _method(value: Any) -> Any:
    """`"lora"` or `{name = "lora", rank = 8}` as a method with every setting; faults name the setting."""
    if isinstance(value, MethodSpec):
        return value
    given = {"name": value} if isinstance(value, str) else dict(value) if isinstance(value, dict) else {}
    name = given.pop("name", None)
    if not isinstance(name, str):
        raise ValueError(f"expected a method's name or a table with a name, got {value!r}")
    if name not in methods.rows():
        raise ValueError(f"unknown method {name!r}; {did_you_mean(name, methods.rows())}")
    settings = methods.method(name).settings
    try:
        filled = settings(**given.get("settings", given))
        return MethodSpec(
            name=name, settings=filled.model_dump(), held=tuple(sorted(filled.model_fields_set))
        )
    except ValidationError as error:
        raise ValueError(
            "; ".join(f"{name}: {fault}" for fault in toml_file.faults(error, settings))
        ) from None


def _checkpoint(value: str) -> str:
    if value != NO_CHECKPOINT and not resolve.exists(value):
        raise ValueError(resolve.unknown(value))
    return value


Checkpoint = Annotated[str, Field(min_length=1, max_length=400), BeforeValidator(_checkpoint)]
Dataset = Annotated[DatasetSpec, BeforeValidator(_dataset)]
Method = Annotated[MethodSpec, BeforeValidator(_method)]


class RunSpec(Strict):
    """One point of the grid with one seed: what a worker needs to train it, and nothing about this machine.

    `purpose` says what it is made for: for its result, or to tune by (a trial), which has no test split at all.
    """

    checkpoint: Checkpoint
    dataset: Dataset
    method: Method
    train: TrainSpec = TrainSpec()
    seed: Seed = 0
    purpose: Literal["result", "tune"] = "result"

    @model_validator(mode="after")
    def _fits(self) -> RunSpec:
        check_pair(self.checkpoint, self.method.name)
        return self


def check_pair(checkpoint: str, method: str) -> None:
    """Baselines have no checkpoint, and nothing else can do without one.

    Raises:
        ValueError: the checkpoint and the method do not go together.
    """
    if methods.method(method).needs_checkpoint and checkpoint == NO_CHECKPOINT:
        raise ValueError(f"method {method!r} needs a checkpoint; `tunebook list checkpoints` names them")
    if not methods.method(method).needs_checkpoint and checkpoint != NO_CHECKPOINT:
        raise ValueError(
            f"method {method!r} is a baseline: its checkpoint is {NO_CHECKPOINT!r}, not {checkpoint!r}"
        )


def run_spec(values: Mapping[str, Any], origin: str) -> RunSpec:
    """A checked run from plain values.

    Raises:
        UsageError: every fault at once.
    """
    return checked(RunSpec, values, origin)


def dataset_spec(values: Mapping[str, Any], origin: str) -> DatasetSpec:
    """A checked dataset table from plain values.

    Raises:
        UsageError: every fault at once.
    """
    return checked(DatasetSpec, values, origin)


def checked(model: type[Model], values: Mapping[str, Any], origin: str) -> Model:
    """The values as that model, strictly.

    Raises:
        UsageError: every fault at once.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = toml_file.faults(error, model)
        shown = found[:_MOST_FAULTS] + [f"and {len(found) - _MOST_FAULTS} more"] * (len(found) > _MOST_FAULTS)
        count = f"{origin}: {len(found)} fault{'s' * (len(found) > 1)}"
        raise UsageError("\n  ".join([count, *shown])) from None


def identity(spec: RunSpec, checkpoint_fingerprint: str | None, dataset: data.Dataset) -> dict[str, Any]:
    """Everything that a run's results are a function of, the environment apart, as plain values.

    The dataset stands here by what was read, not by where it lay: moving or renaming a file changes nothing.
    """
    cut = {} if spec.dataset.split_seed is None else {"split_seed": spec.dataset.split_seed}
    trial = {} if spec.purpose == "result" else {"purpose": spec.purpose}
    return {
        "checkpoint": checkpoint_fingerprint,
        "splits": {name: split.fingerprint for name, split in dataset.splits.items()},
        "data": {
            "task": dataset.task,
            "label_names": list(dataset.label_names),
            "train_size": spec.dataset.train_size,
            "reader": dataset.reader_version,
            **cut,
        },
        "method": {**spec.method.model_dump(), "version": methods.method(spec.method.name).version},
        "train": spec.train.model_dump() if spec.checkpoint != NO_CHECKPOINT else None,
        "seed": spec.seed,
        "loop": LOOP_VERSION,
        **trial,
    }


def fingerprint(identity: Mapping[str, Any]) -> str:
    """The sha256 of an identity's canonical JSON, in hex: the run's id."""
    return hashlib.sha256(canonical_json(identity).encode()).hexdigest()
