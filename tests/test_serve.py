"""The live page: on loopback alone unless allowed, read-only, no other host, no frame, and what is running is told."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import results
from tests.browser import opened
from tests.publish.made import book_of, search
from tunebook import serve
from tunebook.book import Book
from tunebook.book.experiments import write_tuning
from tunebook.book.lock import hold
from tunebook.errors import UsageError
from tunebook.publish.export import export
from tunebook.serve import HEADERS, POLICY, Live, application, token_for


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


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
        for host in ("evil.example", "evil.example:80", "[::1", "", "localhost.evil.example", "[::2]:80"):
            assert get(address, Host=host)[0] == 400, host
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1:2", "[::1]:3", "[::1]"):
            assert get(address, Host=host)[0] == 200, host
        for method, path, host in (("GET", "", "x"), ("POST", "", "localhost"), ("GET", "none", "localhost")):
            status, answered, _ = get(address + path, method=method, Host=host)
            assert status in (400, 404, 405)
            assert {key.lower(): answered[key.lower()] for key in HEADERS} == {
                key.lower(): value for key, value in HEADERS.items()
            }
        run = next(iter((book_root / "runs").iterdir())).name
        assert json.loads(get(f"{address}data/runs/{run}.json")[2])["schema"] == 1


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")
def test_the_loopback_of_ipv6_is_served(book_root: Path) -> None:
    assert token_for("::1", allow_remote=False) is None
    with served(book_root, "--host", "::1") as address:
        assert address.startswith("http://[::1]:") and get(address)[0] == 200
        assert get(address, Host="evil.example")[0] == 400


def test_an_error_of_ours_has_the_policy_too(tmp_path: Path) -> None:
    class Broken(Live):
        def file(self, path: str) -> bytes | None:
            raise ZeroDivisionError

    sent: list[Any] = []
    app = application(Broken(Book(tmp_path), tmp_path), hosts=["localhost"])
    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "root_path": "",
             "headers": [(b"host", b"localhost")], "http_version": "1.1", "scheme": "http"}  # fmt: skip

    async def ask() -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, send)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(ask())
    assert sent[0]["status"] == 500
    assert (b"content-security-policy", POLICY.encode()) in sent[0]["headers"]


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


def test_an_edit_inside_an_experiment_is_seen(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book", seeds=2)
    live = Live(book, tmp_path / "data")
    assert live.site().studies[0].tuning == {}
    (folder,) = book.experiments.iterdir()
    write_tuning(folder, {"full": search({})})
    assert live.site().studies[0].tuning


def test_a_run_that_was_made_anew_is_seen(tmp_path: Path) -> None:
    book = book_of(tmp_path / "book", seeds=2)
    live = Live(book, tmp_path / "data")
    before = live.site()
    results.finish(book, results.Run(seed=0, skill=2.0))
    assert live.site() is not before


def test_two_who_ask_at_once_get_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    live = Live(book_of(tmp_path / "book", seeds=2), tmp_path / "data")
    barrier, calls = threading.Barrier(4), []

    def counted(*given: Any, **more: Any) -> Any:
        calls.append(given)
        return export(*given, **more)

    monkeypatch.setattr(serve, "export", counted)

    def ask(number: int) -> Any:
        barrier.wait(timeout=60)
        return live.site()

    with ThreadPoolExecutor(4) as threads:
        pages = list(threads.map(ask, range(4)))
    assert len(calls) == 1 and all(page is pages[0] for page in pages)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "{"),
        ("run.json", "[]"),
        ("run.json", "{}"),
        ("failure.json", "{"),
        ("metrics.jsonl", "x\ny\n"),
    ],
)
def test_a_run_that_cannot_be_read_hides_no_other(tmp_path: Path, name: str, content: str) -> None:
    book = book_of(tmp_path / "book", seeds=2)
    live = Live(book, tmp_path / "data")
    damaged, well = (results.begin(book, results.Run(seed=seed)) for seed in (8, 9))
    (damaged / name).write_text(content)
    with hold(well, wait=False):
        if name == "failure.json":
            assert [one["run"] for one in live.running()] == [well.name]
        else:
            with hold(damaged, wait=False):
                assert [one["run"] for one in live.running()] == [well.name]


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
