"""Attention of packed texts in C, where a compiler is at hand; without one the same is computed by torch.

It is compiled at first use, in about a second, and kept where Python keeps compiled modules (`__pycache__` beside this
file): code is never loaded from a book or a checkpoint.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from tunebook.models.dropout import Words
from tunebook.models.packing import Layout

_SOURCE = Path(__file__).with_name("attention.c")
# What -ffast-math allows, without its start-up code, which would flush denormals in the whole process.
_FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffinite-math-only",
          "-fassociative-math", "-fno-signed-zeros", "-freciprocal-math", "-ffp-contract=fast",
          "-fopenmp", "-shared", "-fPIC")  # fmt: skip
_X86_FLAGS = ("-mprefer-vector-width=512",)
_MOST_SECONDS = 60
# A prefix's gradient is summed over texts in so many parts, however many threads there are: it does not depend on them.
_MOST_PARTS = 16


class _Call(ctypes.Structure):
    _fields_ = (
        ("query", ctypes.c_void_p),
        ("rest", ctypes.c_void_p),
        ("query_stride", ctypes.c_int64),
        ("rest_stride", ctypes.c_int64),
        ("key_at", ctypes.c_int64),
        ("value_at", ctypes.c_int64),
        ("ends", ctypes.c_void_p),
        ("texts", ctypes.c_int64),
        ("heads", ctypes.c_int64),
        ("is_single", ctypes.c_int64),
        ("is_bfloat16", ctypes.c_int64),
        ("scaling", ctypes.c_double),
        ("dropout", ctypes.c_double),
        ("seed", ctypes.c_uint64),
        ("prefix", ctypes.c_void_p),
        ("prefix_length", ctypes.c_int64),
        ("parts", ctypes.c_int64),
    )


class CompiledAttention:
    """Attention of one layer in one pass, as `GroupedAttention` has it: nothing but its inputs is kept.

    `prefix` and `d_prefix` are what they are there; the sum over texts is taken in an order of its own.
    """

    def __init__(
        self,
        library: Library,
        layout: Layout,
        *,
        num_heads: int,
        dropout: float,
        words: Words | None,
        prefix: torch.Tensor | None = None,
    ) -> None:
        self._library, self._layout, self._num_heads = library, layout, num_heads
        self._prefix = None if prefix is None else prefix.contiguous()
        self._parts = min(len(layout.ends) - 1, _MOST_PARTS)
        self._dropout = 0.0 if words is None else dropout
        self._seed = words.seed() if words is not None and dropout else 0
        self.d_prefix: torch.Tensor | None = None
        self._query: torch.Tensor | None = None
        self._rest = torch.empty(0)

    def forward(self, query: torch.Tensor | None, rest: torch.Tensor) -> torch.Tensor:
        """Mixed values `(tokens, width)` from projections `rest` `(tokens, 3 width)`; or, where each text has one
        `query` `(texts, width)`, `(texts, width)` from its keys and values `(tokens, 2 width)`."""
        assert rest.dtype in (torch.float32, torch.bfloat16)
        assert self._prefix is None or self._prefix.dtype == rest.dtype
        self._query, self._rest = None if query is None else query.contiguous(), rest.contiguous()
        rows, width = self._shape()
        mixed = rest.new_empty(rows, width)
        self._run("attend", mixed)
        return mixed

    def backward(
        self, gradient: torch.Tensor, *, is_single: bool, needs_prefix: bool = False
    ) -> tuple[torch.Tensor | None, torch.Tensor]:
        """From the gradient `(tokens or texts, width)` to those of what `forward` took; `is_single` says that each
        text had one query. With `needs_prefix` that of the prefix is in `d_prefix` afterwards."""
        assert is_single == (self._query is not None)
        d_rest = torch.empty_like(self._rest)
        d_query = torch.empty_like(self._query) if self._query is not None else None
        sums = self._sums() if needs_prefix else None
        written = d_rest if d_query is None else d_query, d_rest, sums
        self._run("attend_backward", gradient.contiguous(), *written)
        self.d_prefix = None if sums is None else sums[0].clone()
        return d_query, d_rest

    def _sums(self) -> torch.Tensor:
        """Zeros for parts of the prefix's gradient, `(parts, 2, length, width)`."""
        assert self._prefix is not None
        return torch.zeros(self._parts, *self._prefix.shape)

    def _shape(self) -> tuple[int, int]:
        if self._query is None:
            return len(self._rest), self._rest.shape[1] // 3
        return len(self._query), self._query.shape[1]

    def _run(self, function: str, *tensors: torch.Tensor | None) -> None:
        query, rest, width = self._query, self._rest, self._shape()[1]
        call = _Call(
            query=(rest if query is None else query).data_ptr(),
            rest=rest.data_ptr(),
            query_stride=rest.shape[1] if query is None else width,
            rest_stride=rest.shape[1],
            key_at=width if query is None else 0,
            value_at=2 * width if query is None else width,
            ends=self._layout.ends.data_ptr(),
            texts=len(self._layout.ends) - 1,
            heads=self._num_heads,
            is_single=query is not None,
            is_bfloat16=rest.dtype == torch.bfloat16,
            scaling=(width // self._num_heads) ** -0.5,
            dropout=self._dropout,
            seed=self._seed,
            prefix=None if self._prefix is None else self._prefix.data_ptr(),
            prefix_length=0 if self._prefix is None else self._prefix.shape[1],
            parts=self._parts,
        )
        pointers = [ctypes.c_void_p(None if tensor is None else tensor.data_ptr()) for tensor in tensors]
        if getattr(self._library.functions, function)(ctypes.byref(call), *pointers):
            raise MemoryError("no memory for attention")


@dataclass(frozen=True)
class Library:
    """The compiled functions for heads of one width; `key` identifies source, flags, compiler and processor."""

    functions: ctypes.CDLL
    key: str


@functools.cache
def library(head_width: int) -> Library | None:
    """The compiled functions for heads of this width, or None where they cannot be made here."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    key = _key(compiler)
    name = f"attention-{head_width}-{key}.so"
    with tempfile.TemporaryDirectory() as private:  # for a package that lies where nothing may be written
        for folder in (_SOURCE.parent / "__pycache__", Path(private)):
            if (found := _opened(folder / name)) or (
                _compile(compiler, head_width, folder / name) and (found := _opened(folder / name))
            ):
                return Library(found, key)
    return None


def _opened(path: Path) -> ctypes.CDLL | None:
    """A compiled file, or None where there is none that is whole."""
    with suppress(OSError):
        return ctypes.CDLL(str(path))
    return None


def _compile(compiler: str, head_width: int, target: Path) -> bool:
    """Compile for this machine's processor to a file that is wholly there or not at all; whether that worked."""
    flags = (*_FLAGS, *(_X86_FLAGS if platform.machine() == "x86_64" else ()))
    staged = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(exist_ok=True)
        done = subprocess.run(
            [compiler, *flags, f"-DHD={head_width}", str(_SOURCE), "-o", str(staged)],
            capture_output=True,
            timeout=_MOST_SECONDS,
        )
        if done.returncode == 0:
            staged.replace(target)
        return done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        with suppress(OSError):
            staged.unlink(missing_ok=True)


def _key(compiler: str) -> str:
    """What the compiled code is a function of: source, flags, compiler, processor."""
    found = hashlib.sha256(_SOURCE.read_bytes() + " ".join(_FLAGS).encode())
    with suppress(OSError, subprocess.SubprocessError):
        found.update(
            subprocess.run([compiler, "--version"], capture_output=True, timeout=_MOST_SECONDS).stdout
        )
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        found.update(next((line for line in lines if line.startswith(("flags", "Features"))), "").encode())
    return found.hexdigest()[:12]
