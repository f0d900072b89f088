"""The page of a book as it is now, with what is running, for a browser on this machine: read-only."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook import durable
from tunebook.book import folder as book_folder
from tunebook.errors import UsageError
from tunebook.publish.export import export, texts_of_datasets
from tunebook.publish.open_data import Published
from tunebook.publish.site import Site

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from tunebook.book import Book

LOOPBACK = ("127.0.0.1", "localhost")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_COOKIE = "tunebook-token"
_PAUSE = 1.0


@dataclass
class Live:
    """A book's page, made anew whenever a run or an experiment of it has changed; `folder` holds its open data."""

    book: Book
    folder: Path
    _state: Any = None
    _site: Site | None = field(default=None, repr=False)

    def site(self) -> Site:
        """The page as the book is now."""
        state = self._look()
        if self._site is None or state != self._state:
            export(self.book, self.folder / "data", prune=True, texts=texts_of_datasets(is_all=True))
            self._site, self._state = Site(Published(self.folder / "data"), is_live=True), state
        return self._site

    def _look(self) -> Any:
        finished = [(path.name, (path / book_folder.RESULT).exists()) for path in self.book.run_folders()]
        experiments = self.book.experiments
        return finished, sorted(path.name for path in experiments.iterdir()) if experiments.is_dir() else []

    def file(self, path: str) -> bytes | None:
        """A file of the page or of its open data by its path; None where there is none such."""
        site = self.site()
        if path in site.pages:
            return site.render(path)
        kind, _, name = path.removeprefix("data/").partition("/")
        there = site.published
        known = {"runs": there.runs, "splits": there.splits, "experiments": there.experiments}
        if path.startswith("data/") and name.removesuffix(".json") in known.get(kind, {}):
            return (self.folder / "data" / kind / name).read_bytes()
        return None

    def running(self) -> list[dict[str, Any]]:
        """The runs that a process is at, each with how far it is."""
        return [_progress(path) for path in self.book.run_folders() if book_folder.status(path) == "running"]


def _progress(folder: Path) -> dict[str, Any]:
    lines = durable.read_lines(folder / "metrics.jsonl")
    last = lines[-1] if lines else {}
    spec = durable.read_json(folder / "run.json")["spec"]
    return {
        "run": folder.name,
        "purpose": spec.get("purpose", "result"),
        "step": last.get("step"),
        "epoch": last.get("epoch"),
        "loss": last.get("train/loss"),
    }


def token_for(host: str, *, allow_remote: bool) -> str | None:
    """The token that who comes to this host must show: None on loopback.

    Raises:
        UsageError: another interface was asked for without allowing it.
    """
    if host in LOOPBACK:
        return None
    if not allow_remote:
        raise UsageError(
            f"host {host!r} lets other machines in; expected one of {', '.join(LOOPBACK)}, or give --allow-remote, "
            "which asks everybody for a token"
        )
    return secrets.token_urlsafe(24)


def application(live: Live, *, hosts: list[str], token: str | None = None) -> Starlette:
    """The page as an ASGI application: GET and HEAD alone, for these values of the Host header, with the token."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
    from starlette.routing import Route

    def refused(request: Request) -> Response | None:
        if token is None or _is_same(request.cookies.get(_COOKIE, ""), token):
            return None
        if _is_same(request.query_params.get("token", ""), token):
            welcome = RedirectResponse("/" + request.url.path.lstrip("/"), headers=HEADERS)
            welcome.set_cookie(_COOKIE, token, httponly=True, samesite="strict")
            return welcome
        return PlainTextResponse(
            "a token is needed: open the address that tunebook serve printed\n", 401, HEADERS
        )

    async def page(request: Request) -> Response:
        if (answer := refused(request)) is not None:
            return answer
        path = request.path_params["path"] or "index.html"
        found = await run_in_threadpool(live.file, path)
        if found is None:
            return PlainTextResponse("there is no such page\n", 404, HEADERS)
        return Response(found, headers=HEADERS, media_type=mimetypes.guess_type(path)[0] or "text/plain")

    async def events(request: Request) -> Response:
        if (answer := refused(request)) is not None:
            return answer
        return StreamingResponse(_events(live), headers=HEADERS, media_type="text/event-stream")

    routes = [Route("/events", events, methods=["GET"]), Route("/{path:path}", page, methods=["GET"])]
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    return Starlette(routes=routes, middleware=[guard])


def _is_same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


async def _events(live: Live) -> AsyncIterator[str]:
    """What is running, told whenever it changes."""
    from starlette.concurrency import run_in_threadpool

    before = None
    while True:
        now = await run_in_threadpool(live.running)
        if now != before:
            yield f"data: {json.dumps(now)}\n\n"
        before = now
        await asyncio.sleep(_PAUSE)
