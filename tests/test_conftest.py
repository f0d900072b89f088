"""The guard on the network guards."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.invalid", 443)])
def test_other_machines_are_out_of_reach(address: tuple[str, int]) -> None:
    with socket.socket() as caller, pytest.raises(RuntimeError, match="reached for the network"):
        caller.connect(address)


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = threading.Thread(target=lambda: server.accept()[0].close())
        answer.start()
        with socket.create_connection(server.getsockname(), timeout=5):
            pass
        answer.join()


def test_the_hubs_library_is_offline() -> None:
    from huggingface_hub import constants

    assert constants.HF_HUB_OFFLINE


@pytest.mark.parametrize("processes", ["0", "1"])
def test_the_folder_of_real_data_is_known_wherever_tests_run(processes: str) -> None:
    asks = "tests/test_promises.py::test_the_benchmark_runs"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-n", processes, asks],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"TUNEBOOK_DATA": "/none"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "TUNEBOOK_DATA is /none, which is no folder" in done.stdout, done


def test_only_who_asks_sees_the_folder_of_real_data() -> None:
    assert "TUNEBOOK_DATA" not in os.environ
