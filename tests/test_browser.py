"""The watch over pages sees what it must, and the browser is found or its lack is an error."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.browser import find, launched, opened, unwanted

ROOT = Path(__file__).parent.parent
STRICT = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
ELSEWHERE = "http://192.0.2.1"


# First, while this module has no browser open.
@pytest.mark.skipif(unwanted(), reason="TUNEBOOK_NO_BROWSER is set")
def test_a_closed_browser_leaves_the_thread_to_others() -> None:
    for _ in range(2):
        with launched() as browser:
            assert browser.version
        asyncio.run(asyncio.sleep(0))


def page_of(folder: Path, body: str, *, head: str = "") -> str:
    """The address of a page with this body."""
    path = folder / "page.html"
    path.write_text(f"<!doctype html><html lang=en><meta charset=utf-8>{head}<title>x</title>{body}")
    return path.as_uri()


def seen(browser: Any, address: str, **how: Any) -> list[str]:
    """What the watch notes of a page, a moment after it has loaded."""
    with opened(browser, address, **how) as (page, watch):
        page.wait_for_timeout(200)
        return watch.faults


def test_a_clean_page_is_clean(browser: Any, tmp_path: Path) -> None:
    script = "<script>document.title = 'y'; console.log('said'); fetch('data:,x')</script>"
    assert (
        seen(browser, page_of(tmp_path, script + "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>"))
        == []
    )
    assert seen(browser, page_of(tmp_path, "<p>text", head=STRICT)) == []


@pytest.mark.parametrize(
    ("head", "body", "says"),
    [
        (STRICT, "<script>document.title = 'y'</script>", "CSP: script-src-elem inline"),
        (STRICT, "<p style='color: red'>x", "CSP: style-src-attr inline"),
        (STRICT, f"<img src={ELSEWHERE}/x.png>", f"CSP: img-src {ELSEWHERE}/x.png"),
        ("", f"<img src={ELSEWHERE}/x.png>", f"request to {ELSEWHERE}/x.png"),
        ("", f"<script>fetch('{ELSEWHERE}/').catch(() => 0)</script>", f"request to {ELSEWHERE}/"),
        ("", "<script>new WebSocket('ws://192.0.2.1/')</script>", "request to ws://192.0.2.1/"),
        ("", f"<script>open('{ELSEWHERE}/new')</script>", f"request to {ELSEWHERE}/new"),
        (f"<meta http-equiv=refresh content='0; url={ELSEWHERE}/'>", "", f"request to {ELSEWHERE}/"),
        ("", "<script>missing()</script>", "error: missing is not defined"),
        ("", "<script>Promise.reject(new Error('late'))</script>", "error: late"),
        ("", "<script>console.error('told')</script>", "told"),
        ("", "<script>alert('look')</script>", "dialog: look"),
    ],
)
def test_the_watch_sees(browser: Any, tmp_path: Path, head: str, body: str, says: str) -> None:
    assert any(says in fault for fault in seen(browser, page_of(tmp_path, body, head=head)))


class Redirecting(BaseHTTPRequestHandler):
    """Serves a page that asks for an address of this server, which sends it elsewhere."""

    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", f"{ELSEWHERE}/there")
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(
            b"<!doctype html><title>x</title>" + (b"<img src=away>" if self.path == "/" else b"")
        )

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        serving.join()


def test_a_server_on_this_machine_may_be_asked_but_sends_nobody_elsewhere(browser: Any, origin: str) -> None:
    assert seen(browser, origin + "still", origin=origin) == []
    assert f"request to {ELSEWHERE}/there" in seen(browser, origin, origin=origin)


def test_a_server_that_is_not_the_pages_own_is_elsewhere(browser: Any, tmp_path: Path, origin: str) -> None:
    assert f"request to {origin}still" in seen(browser, page_of(tmp_path, f"<img src={origin}still>"))


def test_other_machines_have_no_address(browser: Any) -> None:
    """Even without the watch."""
    from playwright.sync_api import Error

    page = browser.new_page()
    for address in (f"{ELSEWHERE}/", "http://example.invalid/"):
        with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
            page.goto(address)
    page.context.close()


# --- which browser ------------------------------------------------------------------------------------------------


def test_the_one_that_is_named_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mine"
    program.touch(mode=0o755)
    monkeypatch.setenv("TUNEBOOK_BROWSER", str(program))
    assert find() == str(program)
    monkeypatch.setenv("TUNEBOOK_BROWSER", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match=r"TUNEBOOK_BROWSER is .*none, which is no program"):
        find()


def test_one_on_the_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNEBOOK_BROWSER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "google-chrome").touch(mode=0o755)
    assert find() == str(tmp_path / "google-chrome")


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("TUNEBOOK_BROWSER", "/none/chromium", "/none/chromium, which is no program"),
        ("TUNEBOOK_NO_BROWSER", "1", "1 skipped"),
    ],
)
def test_without_a_browser_tests_of_pages_fail_unless_they_are_left_out(
    variable: str, value: str, says: str
) -> None:
    env = {name: content for name, content in os.environ.items() if not name.startswith("PYTEST")}
    env.pop("TUNEBOOK_NO_BROWSER", None)
    which = "tests/test_browser.py::test_a_clean_page_is_clean"
    found = [
        subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=env | {variable: value}, capture_output=True, text=True
        )
        for words in (["-m", "tests.browser"], ["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", which])
    ]
    assert [done.returncode for done in found] == [int(variable == "TUNEBOOK_BROWSER")] * 2
    assert variable in found[0].stdout and says in found[1].stdout, found
