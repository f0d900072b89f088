"""The browser that pages are opened in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests import browser as found


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if os.environ.get("TUNEBOOK_NO_BROWSER") == "1":
        pytest.skip("TUNEBOOK_NO_BROWSER is set")
    path = found.find()
    if path is None:
        pytest.fail(
            "there is no browser: `python -m tests.browser` sets one up, TUNEBOOK_NO_BROWSER=1 does without"
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=found.ARGUMENTS)
        yield opened
        opened.close()
