"""The guard on the network guards."""

from __future__ import annotations

import socket
import threading

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
