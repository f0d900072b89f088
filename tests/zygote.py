"""A process that has imported everything a run needs, and forks a worker per request: starting one takes no seconds.

`python -m tests.zygote` reads a JSON line per request and answers with one: `{"start": {...}}` with a process id,
`{"wait": pid}` with its exit code. What runs in a child is `tunebook.worker` as it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SECONDS = 60


class Zygote:
    """The requests, from the side of the tests."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        )

    def start(self, asked: dict[str, Any], folder: Path, **how: Any) -> int:
        """Fork a worker that is asked this; its output goes to files in `folder`. Its process id.

        `how`: `env` (variables), `file_bytes` (the largest file it may write), `threads`, `setup` (Python code
        that it runs first).
        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "asked").write_text(json.dumps(asked))
        return int(self._ask({"start": {"folder": str(folder), **how}}))

    def wait(self, pid: int) -> int:
        """How the worker ended: its exit code, or minus the signal."""
        return int(self._ask({"wait": pid}))

    def close(self) -> None:
        """End the zygote, when no worker is left."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(SECONDS)

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin and self._process.stdout
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def _import_everything() -> None:
    import importlib

    import torch

    names = (
        "tunebook.worker tunebook.flow tunebook.train tunebook.predict sklearn.metrics scipy.stats pyarrow.parquet "
        "pyarrow.csv transformers.models.bert.modeling_bert transformers.models.auto.tokenization_auto "
        "transformers.trainer_utils"
    )
    for name in names.split():
        importlib.import_module(name)
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, BertConfig

    assert AutoConfig and AutoTokenizer
    torch.set_num_threads(1)
    AutoModelForSequenceClassification.from_config(
        BertConfig(
            vocab_size=4, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4
        )
    )


def _work(folder: str, how: dict[str, Any]) -> int:
    """In the child: what `python -m tunebook.worker` does, with standard streams that are files."""
    import resource

    os.setsid()
    os.environ.update(how.get("env", {}))
    for descriptor, (name, flags) in enumerate(
        [("asked", os.O_RDONLY), ("told", os.O_WRONLY | os.O_CREAT), ("errors", os.O_WRONLY | os.O_CREAT)]
    ):
        os.dup2(os.open(f"{folder}/{name}", flags | (os.O_TRUNC if descriptor else 0), 0o666), descriptor)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
    if "file_bytes" in how:
        resource.setrlimit(resource.RLIMIT_FSIZE, (how["file_bytes"], resource.RLIM_INFINITY))
    if "threads" in how:
        import torch

        torch.set_num_threads(how["threads"])
    exec(how.get("setup", ""), {})
    from tunebook import worker

    sys.argv = ["worker"]
    code = worker.main()
    sys.stderr.flush()
    return code


def main() -> None:
    """Serve requests until standard input ends."""
    _import_everything()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            code = 99
            try:
                code = _work(request["start"]["folder"], request["start"])
            finally:
                os._exit(code)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
