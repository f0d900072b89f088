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
    # Whatever else it wants to call on its own: no other machine has an address.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
REPORTER = """
window.addEventListener('securitypolicyviolation', (event) => {
  console.error('CSP: ' + event.violatedDirective + ' ' + event.blockedURI);
});
"""


def unwanted() -> bool:
    """Whether TUNEBOOK_NO_BROWSER leaves out the tests of pages."""
    return os.environ.get("TUNEBOOK_NO_BROWSER", "") not in ("", "0")


def find() -> str | None:
    """The browser's program: the one that TUNEBOOK_BROWSER names, one on the PATH, or Playwright's own.

    Raises:
        FileNotFoundError: TUNEBOOK_BROWSER names no program.
    """
    if named := os.environ.get("TUNEBOOK_BROWSER"):
        if program := shutil.which(named):
            return program
        raise FileNotFoundError(
            f"TUNEBOOK_BROWSER is {named}, which is no program: name a Chromium, or unset it"
        )
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


@contextmanager
def launched() -> Iterator[Any]:
    """A browser that runs until the block ends.

    Only one at a time in a process, and no event loop beside it: Playwright's own stays in the thread until then.
    """
    program = find()
    if program is None:
        raise FileNotFoundError(
            "there is no browser: `python -m tests.browser` sets one up, TUNEBOOK_NO_BROWSER=1 does without"
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Watch:
    """What pages did that they must not: errors, requests to elsewhere, violations of their policy, dialogs."""

    faults: list[str] = field(default_factory=list)

    def on(self, context: Any, *, origin: str) -> None:
        """Watch all pages of a context; what they ask of others than `origin` is stopped and noted."""

        def is_allowed(url: str) -> bool:
            return url.startswith((origin, "data:", "blob:"))

        def see(request: Any) -> None:
            if not is_allowed(request.url):
                self.note(f"request to {request.url}")

        context.add_init_script(REPORTER)
        context.on(
            "console", lambda told: self.note(told.text) if told.type in ("error", "warning") else None
        )
        context.on("weberror", lambda caught: self.note(f"error: {caught.error}"))
        context.on("dialog", lambda dialog: (self.note(f"dialog: {dialog.message}"), dialog.dismiss()))
        context.on("request", see)
        context.route(lambda url: not is_allowed(url), lambda route: route.abort())
        context.route_web_socket(lambda url: True, lambda socket: self.note(f"request to {socket.url}"))

    def note(self, fault: str) -> None:
        """Take down a fault."""
        self.faults.append(fault)


@contextmanager
def opened(browser: Any, url: str, *, origin: str = "file://", **context: Any) -> Iterator[tuple[Any, Watch]]:
    """A page of the browser at an address, and what is seen of it and of the pages that it opens."""
    watch = Watch()
    surroundings = browser.new_context(service_workers="block", **context)  # what workers ask is not seen
    watch.on(surroundings, origin=origin)
    page = surroundings.new_page()
    page.goto(url)
    try:
        yield page, watch
    finally:
        surroundings.close()


def main() -> int:
    """Print the browser that the tests will use, or why they cannot; 0 where they can go on."""
    if unwanted():
        print("TUNEBOOK_NO_BROWSER is set: tests of pages are left out")
        return 0
    try:
        found = set_up()
    except FileNotFoundError as error:
        print(error)
        return 1
    print(found or "no browser can be had; TUNEBOOK_NO_BROWSER=1 leaves the tests of pages out")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
