"""Crash points: named places between two durable steps where a test may kill the process."""

from __future__ import annotations

import os
import signal


def point(name: str) -> None:
    """Nothing, unless TUNEBOOK_CRASH names this place: then the process is killed here.

    `TUNEBOOK_CRASH=name` kills at the first passing, `name#3` at the third; the variable counts down.
    """
    wanted, _, left = os.environ.get("TUNEBOOK_CRASH", "").partition("#")
    if wanted != name:
        return
    if int(left or 1) > 1:
        os.environ["TUNEBOOK_CRASH"] = f"{name}#{int(left) - 1}"
        return
    os.kill(os.getpid(), signal.SIGKILL)
