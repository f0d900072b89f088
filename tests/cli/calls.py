"""Call the command line as a user does: in a process of its own, or here where only its answer is of interest."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tunebook import cli

SECONDS = 120


@dataclass(frozen=True)
class Done:
    """What a call ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def here(*arguments: object) -> Done:
    """Call `tunebook ...` in this process: the same `main`, without the seconds that starting Python takes."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["tunebook", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = cli.main()
    return Done(code, out.getvalue(), err.getvalue())


def shell(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None, **how: Any) -> Done:
    """Call `python -m tunebook ...` in a process of its own, whose output goes into pipes."""
    done = subprocess.run(
        [sys.executable, "-m", "tunebook", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | dict(env or {}),
        capture_output=True,
        timeout=SECONDS,
        **how,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())
