"""How texts go through a model: packed end to end, in rectangles of similar length, or as everybody pads them.

A path is chosen once for a run, by a parity test: a model that does not compute packed what it computes padded takes
rectangles. All paths give the same logits and gradients up to rounding; which one a run took is recorded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from tunebook.data import batches
from tunebook.models import attention, parity
from tunebook.models.load import Encoder
from tunebook.models.packing import lay_out
from tunebook.models.stack import Stack

if TYPE_CHECKING:
    from tunebook.data.tokens import TokenStore
    from tunebook.environment import Hardware

_CHUNK_TEXTS = 1024
_MOST_BYTES_IN_MEMORY = 2**30


@dataclass(frozen=True)
class Loaded:
    """Some texts on the device: what the model is called with, the store's `windows` `(windows,)` in the order of
    the pass, and `owners` `(windows,)`, which of the `texts` texts (from 0) each is of."""

    inputs: Any
    windows: np.ndarray
    owners: np.ndarray
    texts: int


class Path(Protocol):
    """A way for texts of a token store through a model."""

    @property
    def stack(self) -> Stack:
        """The model's layers."""

    @property
    def name(self) -> str:
        """packed, micro-batched or stock; and whether features are kept."""

    @property
    def note(self) -> str | None:
        """Why it is not packed, where that was wanted."""

    @property
    def kernel(self) -> str:
        """What computes layers and attention."""

    def passes(self, texts: np.ndarray, store: TokenStore, *, max_tokens: int | None) -> list[np.ndarray]:
        """Parts of `texts` `(texts,)`, a pass each, that hold at most about `max_tokens` tokens."""

    def prepare(self, store: TokenStore) -> None:
        """Compute what is kept of a store's texts, if anything is."""

    def load(self, texts: np.ndarray, store: TokenStore) -> Loaded:
        """The texts of a pass, `(texts,)`, laid out and on their way to the device."""

    def logits(self, loaded: Loaded) -> torch.Tensor:
        """Float32 logits `(texts, outputs)` in the order of the texts; windows of a text are averaged."""


@dataclass(frozen=True)
class PackedPath:
    """Texts lie end to end: position-wise work is done on real tokens only, attention per text."""

    stack: Stack
    hardware: Hardware
    name: str = "packed"
    note: str | None = None

    @property
    def device(self) -> torch.device:
        """Where the model is, or will be."""
        return self.hardware.device

    @property
    def kernel(self) -> str:
        """Our own layers, or the family's with attention per text."""
        if self.stack.has_own_layers and self.device.type == "cpu":
            compiled = self.stack.compiled
            return f"own layers, {f'compiled attention {compiled.key}' if compiled else 'grouped attention'}"
        is_half = self.hardware.precision != "float32"
        named = attention.kernel(self.device, dropout=self.stack.attention_dropout, is_half=is_half)
        return f"the family's layers, {named}"

    def passes(self, texts: np.ndarray, store: TokenStore, *, max_tokens: int | None) -> list[np.ndarray]:
        """Parts of `texts` `(texts,)` by length, so that a pass has texts of similar ones."""
        return [texts] if max_tokens is None else batches.packed_passes(texts, store, max_tokens=max_tokens)

    def prepare(self, store: TokenStore) -> None:
        """Nothing is kept."""

    def load(self, texts: np.ndarray, store: TokenStore) -> Loaded:
        """Ids and type ids `(tokens,)`, filled up as the layout is; what stands in the filler is read by nobody."""
        packed = batches.pack(texts, store)
        layout = lay_out(packed.lengths)
        size = len(layout.positions)
        ids = _on(self.device, np.resize(packed.input_ids, size))
        types = None if packed.type_ids is None else _on(self.device, np.resize(packed.type_ids, size))
        return Loaded((ids, types, layout.to(self.device)), packed.windows, packed.owners, len(texts))

    def logits(self, loaded: Loaded) -> torch.Tensor:
        """Logits `(texts, outputs)`."""
        return _by_text(self.stack.logits(*loaded.inputs), loaded)

    def read(self, loaded: Loaded) -> torch.Tensor:
        """What the head reads, `(windows, width)`."""
        return self.stack.read(*loaded.inputs)


@dataclass(frozen=True)
class PaddedPath:
    """Texts lie in rectangles: of similar length ("micro-batched"), or just as they come ("stock")."""

    stack: Stack
    device: torch.device
    pad_id: int
    name: str = "micro-batched"
    note: str | None = None

    @property
    def kernel(self) -> str:
        """The family's own layers with the attention that it was loaded with."""
        return f"the family's layers, {self.stack.model.config._attn_implementation} attention"

    def passes(self, texts: np.ndarray, store: TokenStore, *, max_tokens: int | None) -> list[np.ndarray]:
        """Rectangles of `texts` `(texts,)`; stock ones are as large as the batch unless memory says otherwise."""
        if self.name == "stock":
            return batches.rectangles(texts, store, max_tokens=max_tokens)
        assert max_tokens is not None
        return batches.micro_batches(texts, store, max_tokens=max_tokens)

    def prepare(self, store: TokenStore) -> None:
        """Nothing is kept."""

    def load(self, texts: np.ndarray, store: TokenStore) -> Loaded:
        """Ids, mask and type ids of one rectangle, `(rows, longest)` each."""
        padded = batches.pad(texts, store, pad_id=self.pad_id)
        given = {"input_ids": padded.input_ids, "attention_mask": padded.attention_mask}
        if padded.type_ids is not None:
            given["token_type_ids"] = padded.type_ids
        inputs = {name: _on(self.device, values) for name, values in given.items()}
        return Loaded(inputs, padded.windows, padded.owners, len(texts))

    def logits(self, loaded: Loaded) -> torch.Tensor:
        """Logits `(texts, outputs)`."""
        return _by_text(self.stack.model(**loaded.inputs).logits, loaded)

    def read(self, loaded: Loaded) -> torch.Tensor:
        """What the head reads, `(windows, width)`."""
        return self.stack.read_padded(**loaded.inputs)


@dataclass
class FeaturesPath:
    """What the head reads is computed once for each text and kept: nothing below the head changes.

    `inner` computes it, dropout off, in passes of `max_tokens`, the first time a text of a store is asked for;
    `between` is called between passes and may raise.
    """

    inner: PackedPath | PaddedPath
    hardware: Hardware
    max_tokens: int
    between: Callable[[], None]
    _features: dict[int, tuple[TokenStore, torch.Tensor]] = field(default_factory=dict, repr=False)

    @property
    def stack(self) -> Stack:
        """The stack that the features come from."""
        return self.inner.stack

    @property
    def name(self) -> str:
        """The inner path's, and that its work is kept."""
        return f"{self.inner.name}, features kept"

    @property
    def note(self) -> str | None:
        """The inner path's."""
        return self.inner.note

    @property
    def kernel(self) -> str:
        """The inner path's."""
        return self.inner.kernel

    def passes(self, texts: np.ndarray, store: TokenStore, *, max_tokens: int | None) -> list[np.ndarray]:
        """One of all `texts` `(texts,)`: heads are small."""
        return [texts]

    def prepare(self, store: TokenStore) -> None:
        """Compute the features of all windows of a store, unless they are there."""
        self._of(store)

    def load(self, texts: np.ndarray, store: TokenStore) -> Loaded:
        """The features `(windows, width)` of the texts' windows."""
        windows, owners = batches.windows_of(texts, store)
        features = self._of(store)[torch.from_numpy(windows)].to(self.inner.device)
        return Loaded(features, windows, owners, len(texts))

    def logits(self, loaded: Loaded) -> torch.Tensor:
        """Logits `(texts, outputs)` from the features."""
        return _by_text(self.stack.head(loaded.inputs), loaded)

    def _of(self, store: TokenStore) -> torch.Tensor:
        """The features of all windows of a store, `(windows, width)`, float32."""
        if id(store) not in self._features:  # the store is kept too: its id is nobody else's then
            self._features[id(store)] = store, self._computed(store)
        return self._features[id(store)][1]

    def _computed(self, store: TokenStore) -> torch.Tensor:
        base = self.stack.model.base_model
        was_training = base.training
        base.eval()
        found: torch.Tensor | None = None
        with torch.inference_mode(False), torch.no_grad(), self.hardware.autocast():
            for group in by_length(self.inner, np.arange(len(store)), store, max_tokens=self.max_tokens):
                self.between()
                loaded = self.inner.load(group, store)
                rows = self.inner.read(loaded).float().cpu()
                if found is None:
                    found = _kept(len(store.lengths), rows.shape[1])
                found[torch.from_numpy(loaded.windows)] = rows
        base.train(was_training)
        assert found is not None
        return found


def by_length(path: Path, texts: np.ndarray, store: TokenStore, *, max_tokens: int) -> Iterator[np.ndarray]:
    """The passes of any number of texts, `(texts,)`, longest first: a function of their lengths alone."""
    order = texts[np.argsort(-store.widths[texts], kind="stable")]
    for start in range(0, len(order), _CHUNK_TEXTS):
        yield from path.passes(order[start : start + _CHUNK_TEXTS], store, max_tokens=max_tokens)


def _kept(windows: int, width: int) -> torch.Tensor:
    """Room for features `(windows, width)`, float32: in memory, or in a file that is gone with the process."""
    if windows * width * 4 <= _MOST_BYTES_IN_MEMORY:
        return torch.empty(windows, width)
    with tempfile.NamedTemporaryFile() as file:
        return torch.from_file(file.name, shared=True, size=windows * width).view(windows, width)


def choose(encoder: Encoder, hardware: Hardware, *, padding: str = "auto", is_trained: bool = True) -> Path:
    """The path for an encoder as it is now, its method applied: packed where the parity test allows, else rectangles.

    Call it while the model is on the CPU: there a test that fails breaks nothing. `padding` "stock" asks for the plain
    padded path, as a comparison. With `is_trained` false the model is only to predict.
    """
    stack = Stack(encoder.model)
    if hardware.device.type != "cpu":  # tested is what will run
        stack.has_own_layers = False
    if padding == "stock":
        return PaddedPath(stack, hardware.device, encoder.pad_id, "stock")
    fault = parity.packed_fault(
        stack, pad_id=encoder.pad_id, longest=encoder.longest, with_gradients=is_trained
    )
    if fault is None:
        return PackedPath(stack, hardware)
    return PaddedPath(stack, hardware.device, encoder.pad_id, note=fault)


def keeping_features(
    path: Path,
    encoder: Encoder,
    hardware: Hardware,
    *,
    trains: Container[str],
    max_tokens: int = 4096,
    between: Callable[[], None] = lambda: None,
) -> Path:
    """The path, or, where no parameter below the head is one that `trains`, one that does its work once for each text.

    Call it while the model is on the CPU. The work is done in passes of `max_tokens`, `between` called between them.
    """
    assert isinstance(path, PackedPath | PaddedPath)
    if path.name == "stock" or any(name in trains for name in path.stack.names_below_head):
        return path
    if fault := parity.features_fault(path.stack, pad_id=encoder.pad_id, longest=encoder.longest):
        return replace(path, note="; ".join(filter(None, (path.note, f"features are not kept: {fault}"))))
    return FeaturesPath(path, hardware, max_tokens, between)


def _by_text(logits: torch.Tensor, loaded: Loaded) -> torch.Tensor:
    """Float32 logits of each text, the mean of its windows'."""
    where = torch.from_numpy(loaded.owners).to(logits.device)
    sums = torch.zeros(loaded.texts, logits.shape[1], device=logits.device)
    sums = sums.index_add(0, where, logits.float())
    if len(loaded.owners) == loaded.texts:
        return sums
    return sums / torch.bincount(where, minlength=loaded.texts)[:, None]


def _on(device: torch.device, values: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
