"""The browser that tests of pages drive: found, or set up, and watched while a page is open.

`python -m tests.browser` prints which one there is, and installs one where there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REPORTER = """
window.addEventListener('securitypolicyviolation', (event) => {
  console.error('CSP: ' + event.violatedDirective + ' ' + event.blockedURI);
});
"""


def find() -> str | None:
    """The browser's program: the one that TUNEBOOK_BROWSER names, one on the PATH, or Playwright's own."""
    named = os.environ.get("TUNEBOOK_BROWSER")
    if named:
        return named
    on_path = next((path for name in NAMES if (path := shutil.which(name))), None)
    return on_path or _playwrights_own()


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
        return path if Path(path).is_file() else None


def set_up() -> str | None:
    """The browser that there is; else Debian's is installed where that is allowed, else Playwright's own."""
    found = find()
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        install = "apt-get update && apt-get install -y --no-install-recommends chromium"
        subprocess.run(["sh", "-c", install], stdout=sys.stderr, check=False)
        found = find()
    if found is None:
        command = [sys.executable, "-m", "playwright", "install", "chromium"]
        subprocess.run(command, stdout=sys.stderr, check=False)
        found = find()
    return found


@dataclass
class Watch:
    """What a page did that it must not: errors, requests to elsewhere, violations of its policy, dialogs."""

    faults: list[str] = field(default_factory=list)

    def on(self, page: Any, *, origin: str = "file://") -> None:
        """Watch a page; what it asks of others than `origin` is stopped and noted."""
        page.add_init_script(REPORTER)
        page.on("console", lambda told: self.note(told.text) if told.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.note(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.note(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.route("**/*", lambda route: self._pass(route, origin))

    def note(self, fault: str) -> None:
        """Take down a fault."""
        self.faults.append(fault)

    def _pass(self, route: Any, origin: str) -> None:
        url = route.request.url
        if url.startswith((origin, "data:")):
            route.continue_()
        else:
            self.note(f"request to {url}")
            route.abort()


@contextmanager
def opened(browser: Any, url: str, *, origin: str = "file://", **context: Any) -> Iterator[tuple[Any, Watch]]:
    """A page of the browser at an address, and what is seen of it."""
    watch = Watch()
    with_context = browser.new_context(**context)
    page = with_context.new_page()
    watch.on(page, origin=origin)
    page.goto(url)
    try:
        yield page, watch
    finally:
        with_context.close()


if __name__ == "__main__":
    if os.environ.get("TUNEBOOK_NO_BROWSER") == "1":
        print("TUNEBOOK_NO_BROWSER is set: tests of pages are left out")
    else:
        browser = set_up()
        print(browser or "no browser can be had; TUNEBOOK_NO_BROWSER=1 leaves the tests of pages out")
        sys.exit(0 if browser else 1)
