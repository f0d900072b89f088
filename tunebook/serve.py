"""The page of a book as it is now, with what is running, for a browser on this machine: read-only."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tunebook import durable
from tunebook.book import folder as book_folder
from tunebook.errors import TunebookError, UsageError
from tunebook.publish.export import export, texts_of_datasets
from tunebook.publish.open_data import Published
from tunebook.publish.site import Site

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tunebook.book import Book

LOOPBACK = ("127.0.0.1", "localhost", "::1")
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
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def site(self) -> Site:
        """The page as the book is now; who asks while it is made waits for it."""
        with self._lock:
            state = self._look()
            if self._site is None or state != self._state:
                export(self.book, self.folder / "data", prune=True, texts=texts_of_datasets(is_all=True))
                self._site, self._state = Site(Published(self.folder / "data"), is_live=True), state
            return self._site

    def _look(self) -> Any:
        """What changes when a run finishes, or anything in an experiment's folder does."""
        results = [_stamp(path / book_folder.RESULT) for path in self.book.run_folders()]
        return results, [_stamp(path) for path in sorted(self.book.experiments.glob("*/*"))]

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
        return list(self._running())

    def _running(self) -> Iterator[dict[str, Any]]:
        for path in self.book.run_folders():
            try:
                if book_folder.status(path) == "running":
                    yield _progress(path)
            except (TunebookError, OSError, KeyError, TypeError, AttributeError):
                continue  # a folder that is damaged, or goes away just now, keeps no other run from being told


def _stamp(path: Path) -> tuple[str, int, int] | None:
    """What of a file is another when it was written again; None where there is none such."""
    try:
        found = path.stat()
    except OSError:
        return None
    return str(path), found.st_mtime_ns, found.st_size


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


def application(live: Live, *, hosts: list[str] | None, token: str | None = None) -> ASGIApp:
    """The page as an ASGI application: GET and HEAD alone, with the token, for these names in the Host header, which
    are any where they are None."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
    from starlette.routing import Route

    def refused(request: Request) -> Response | None:
        if token is None or _is_same(request.cookies.get(_COOKIE, ""), token):
            return None
        if _is_same(request.query_params.get("token", ""), token):
            welcome = RedirectResponse("/" + request.url.path.lstrip("/"))
            welcome.set_cookie(_COOKIE, token, httponly=True, samesite="strict")
            return welcome
        return PlainTextResponse("a token is needed: open the address that tunebook serve printed\n", 401)

    async def page(request: Request) -> Response:
        if (answer := refused(request)) is not None:
            return answer
        path = request.path_params["path"] or "index.html"
        found = await run_in_threadpool(live.file, path)
        if found is None:
            return PlainTextResponse("there is no such page\n", 404)
        return Response(found, media_type=mimetypes.guess_type(path)[0] or "text/plain")

    async def events(request: Request) -> Response:
        if (answer := refused(request)) is not None:
            return answer
        return StreamingResponse(_events(live), media_type="text/event-stream")

    routes = [Route("/events", events, methods=["GET"]), Route("/{path:path}", page, methods=["GET"])]
    return _guarded(Starlette(routes=routes), hosts)


def _guarded(app: ASGIApp, hosts: list[str] | None) -> ASGIApp:
    """An application that answers these hosts alone, and sends `HEADERS` with every answer.

    It stands around the whole: what Starlette says of an error of ours passes none of its own middleware.
    """
    from starlette.datastructures import Headers, MutableHeaders
    from starlette.responses import PlainTextResponse

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] == "http" and hosts is not None and _host(Headers(scope=scope)) not in hosts:
            refusal = PlainTextResponse("this host is not served\n", 400)
            await refusal(scope, receive, send_with_headers)
        else:
            await app(scope, receive, send_with_headers)

    return guard


def _host(headers: Any) -> str | None:
    """The name in the Host header, without port and without the brackets of IPv6; None where there is none."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return None


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
