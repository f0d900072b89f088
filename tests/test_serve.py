"""The live page: on loopback alone unless allowed, read-only, no other host, no frame, and what is running is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import results
from tests.browser import opened
from tests.publish.made import book_of
from tunebook.book.lock import hold
from tunebook.errors import UsageError
from tunebook.serve import Live, token_for


@contextmanager
def served(root: Path, *words: str) -> Iterator[str]:
    """The address of a server of a book."""
    command = [sys.executable, "-m", "tunebook", "serve", "--port", "0", "--root", str(root), *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            assert line.startswith("http://"), line + process.stderr.read()
            yield line.strip()
        finally:
            process.terminate()
            process.wait(timeout=20)
            process.stderr.close()


def get(url: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, method=method, headers=headers), timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


@pytest.fixture(scope="module")
def book_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("book")
    book_of(root)
    return root


def test_pages_are_served_with_their_policy_and_nothing_else_is(book_root: Path) -> None:
    with served(book_root) as address:
        status, headers, text = get(address)
        assert status == 200 and "Which encoder, which method, how sure?" in text
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers and "server" not in headers
        assert get(address + "experiments/study.html")[0] == 200
        for path in (
            "../book.sqlite",
            "data/../../book.sqlite",
            "data/runs/",
            "data/runs/../../x.json",
            "%2e%2e/x",
        ):
            assert get(address + path)[0] == 404, path
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert get(address, method=method)[0] == 405
        assert get(address, Host="evil.example")[0] == 400
        run = next(iter((book_root / "runs").iterdir())).name
        assert json.loads(get(f"{address}data/runs/{run}.json")[2])["schema"] == 1


def test_another_interface_is_refused_unless_it_is_allowed() -> None:
    with pytest.raises(UsageError, match=r"host '0\.0\.0\.0' lets other machines in"):
        token_for("0.0.0.0", allow_remote=False)
    assert token_for("127.0.0.1", allow_remote=True) is None
    assert len(token_for("0.0.0.0", allow_remote=True) or "") >= 30


def test_a_remote_page_asks_for_its_token(book_root: Path) -> None:
    with served(book_root, "--host", "0.0.0.0", "--allow-remote") as address:
        found = re.fullmatch(r"http://0\.0\.0\.0:(\d+)/\?token=(\S+)", address)
        assert found is not None
        local, token = f"http://127.0.0.1:{found[1]}/", found[2]
        assert get(local)[0] == 401 and get(local + "?token=wrong")[0] == 401
        assert get(local, Cookie=f"tunebook-token={token}")[0] == 200
        assert get(local + "events", Cookie="tunebook-token=x")[0] == 401


def test_a_port_that_is_taken_is_named(book_root: Path) -> None:
    with served(book_root) as address:
        port = address.rpartition(":")[2].strip("/")
        command = [sys.executable, "-m", "tunebook", "serve", "--port", port, "--root", str(book_root)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and f"cannot listen on 127.0.0.1, port {port}" in done.stderr


def test_the_page_follows_the_book(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book", seeds=2)
    live = Live(book, tmp_path / "data")
    before = live.site()
    count = len(before.published.runs)
    assert live.site() is before
    results.finish(book, results.Run(seed=7))
    assert len(live.site().published.runs) == count + 1


def test_what_is_running_is_told(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book", seeds=2)
    live = Live(book, tmp_path / "data")
    folder = results.begin(book, results.Run(seed=8))
    results.durable.append_line(folder / "metrics.jsonl", {"step": 5, "epoch": 0.5, "train/loss": 0.7})
    assert live.running() == []
    with hold(folder, wait=False):
        assert live.running() == [
            {"run": folder.name, "purpose": "result", "step": 5, "epoch": 0.5, "loss": 0.7}
        ]


def test_the_page_is_clean_in_a_browser_and_shows_what_runs(browser: Any, tmp_path: Path) -> None:
    book = book_of(tmp_path / "book", seeds=2)
    folder = results.begin(book, results.Run(seed=8))
    results.durable.append_line(folder / "metrics.jsonl", {"step": 5, "epoch": 0.5, "train/loss": 0.7})
    with (
        hold(folder, wait=False),
        served(tmp_path / "book") as address,
        opened(browser, address, origin=address) as (page, watch),
    ):
        page.locator("#running li", has_text="step 5").wait_for()
        page.locator("ul.experiments a").first.click()
        page.locator("figcaption button").first.click()
        page.locator(".live canvas").first.wait_for()
        assert watch.faults == []
