"""`tunebook serve`: the page of the book as it is now, for a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from tunebook.cli._options import Root


def command(
    host: Annotated[str, typer.Option(help="The interface to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes any.")] = 8642,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let other machines in, with a token.")
    ] = False,
    root: Root = None,
) -> None:
    """Serve the page of the live book on this machine, read-only, with texts and what is running.

    Example: tunebook serve --port 8642
    """
    import socket
    import tempfile
    from pathlib import Path

    from tunebook.book import open_book
    from tunebook.cli._terminal import say
    from tunebook.errors import UsageError
    from tunebook.serve import LOOPBACK, Live, application, token_for

    token = token_for(host, allow_remote=allow_remote)
    try:
        import uvicorn
    except ImportError as error:
        raise UsageError(f"serving needs {error.name}: pip install 'tunebook[serve]'") from error
    try:
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error.strerror}; --port takes another"
        ) from error
    with tempfile.TemporaryDirectory(prefix="tunebook-") as folder, listening:
        live = Live(open_book(root), Path(folder))
        app = application(live, hosts=None if token else list(LOOPBACK), token=token)
        shown = f"[{host}]" if ":" in host else host
        say(f"http://{shown}:{listening.getsockname()[1]}/" + (f"?token={token}" if token else ""))
        settings = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, server_header=False)
        uvicorn.Server(settings).run(sockets=[listening])
