"""What a run ran on: library versions, threads, processor, device, precision. Recorded, and compared on resume."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.errors import UsageError

if TYPE_CHECKING:
    import torch

_LIBRARIES = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "numpy",
    "peft",
    "scipy",
    "scikit-learn",
    "pyarrow",
)

NOT_COMPARED = {"source"}
"""What is recorded of an environment, and may be another one when a run is resumed."""
_ADDED = {"processor"}
"""What older runs do not tell, and so may be another one there: whoever asks for the same must ask for it itself."""
_PROCESSOR_NUMBERS = ("cpu family", "model", "stepping", "CPU implementer", "CPU variant", "CPU part")
"""Lines of Linux's /proc/cpuinfo that tell models apart, on x86 and on ARM."""


@dataclass(frozen=True)
class Hardware:
    """The device that computes, and the number format of its matrix products."""

    device: torch.device
    precision: str

    def autocast(self) -> Any:
        """A context in which matrix products run in the chosen precision; weights stay float32."""
        import torch

        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")


def hardware(device: str = "auto", precision: str = "auto") -> Hardware:
    """Choose the device and the precision: `auto` takes the fastest there is, bfloat16 where the hardware has it.

    `device` is auto, cpu, cuda, cuda:N or mps.

    Raises:
        UsageError: the device is unknown or not there.
    """
    import torch

    name = _best_device() if device == "auto" else device
    try:
        chosen = torch.device(name)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"device {device!r} is not there ({str(error).splitlines()[0]}); expected auto, cpu, cuda or mps"
        ) from None
    if precision == "auto":
        precision = "bfloat16" if _has_bfloat16(chosen) else "float32"
    return Hardware(chosen, precision)


def _best_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are done in hardware; emulated they are slower than float32."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    abilities = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))


def make_repeatable(hardware: Hardware) -> None:
    """Make torch give the same bits for the same work; on CUDA this needs its deterministic algorithms."""
    import torch

    if hardware.device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cuda.enable_flash_sdp(False)
        torch.backends.cuda.enable_mem_efficient_sdp(False)


def describe(
    hardware: Hardware | None, *, path: str | None = None, kernel: str | None = None
) -> dict[str, Any]:
    """The environment as plain values; it holds no time, host, user or folder.

    `path` is how texts went through the model, `kernel` what computed its layers and attention.
    """
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": processor(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    if hardware is None:
        return found
    import torch

    is_cuda = hardware.device.type == "cuda"
    return found | {
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name(hardware.device) if is_cuda else hardware.device.type,
        "precision": hardware.precision,
        "path": path,
        "kernel": kernel,
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """The model of the processor: its name and its maker's numbers, for machines of a cloud often tell half a name;
    None where the system does not tell.

    Two of one instruction set may take other paths through the same library, and round otherwise.
    """
    try:
        lines = [line.partition(":") for line in cpuinfo.read_text(errors="replace").splitlines()]
    except OSError:
        lines = []
    told = {key.strip(): value.strip() for key, _, value in reversed(lines)}  # the first processor's, of many
    words = [" ".join(told.get("model name", "").split())]
    words += [f"{key} {told[key]}" for key in _PROCESSOR_NUMBERS if told.get(key)]
    return ", ".join(filter(None, words)) or platform.processor() or None


def source() -> dict[str, Any] | None:
    """The commit of the working tree that this code runs from, and whether it is `dirty`, changed since.

    None where it was installed from a package, or git does not answer.
    """
    import subprocess

    tree = Path(__file__).resolve().parent.parent
    if not (tree / ".git").exists():
        return None
    asked = (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", str(tree), *words], capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for words in asked
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(changes)}


def differences(stored: Mapping[str, Any], current: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between two environments, one `key: before -> now` per entry; not the commit of the code, whose
    version numbers are of the run's identity, nor what an older Tunebook did not record of the first."""
    found: list[str] = []
    for key in sorted((stored.keys() | current.keys()) - NOT_COMPARED):
        before, now = stored.get(key), current.get(key)
        if before is None and key in _ADDED:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            found += differences(before, now, f"{prefix}{key}.")
        elif before != now:
            found.append(f"{prefix}{key}: {before} -> {now}")
    return found
