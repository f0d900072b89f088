"""The command line: one file per verb. Results go to standard output, everything else to standard error."""

from __future__ import annotations

import errno
import io
import sys
from typing import Annotated

import typer

from tunebook.cli._terminal import safe, safe_lines, say
from tunebook.errors import TunebookError
from tunebook.registry import scan

_HELP = """A laboratory and a reference book for fine-tuning pretrained Transformer encoders.

An experiment is declared, run, resumed after any crash, compared and stored in a book.

Example: tunebook run experiments/pocket.toml
"""


def _version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        print(version("tunebook"))
        raise typer.Exit


def application() -> typer.Typer:
    """The verbs of this folder as a typer application; a module with several commands is a group."""
    app = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
    )

    @app.callback()
    def tunebook(
        version: Annotated[
            bool,
            typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True),
        ] = False,
    ) -> None:
        pass

    for module in scan(__name__):
        name = module.__name__.rpartition(".")[2].removesuffix("_")
        if hasattr(module, "GROUP"):
            about = (module.__doc__ or "").partition(": ")[2].capitalize()
            group = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
            for verb, command in module.GROUP.items():
                group.command(verb)(command)
            app.add_typer(group, name=name)
        else:
            app.command(name)(module.command)
    return app


def main() -> int:
    """Run the command line; the exit code is that of the table in DESIGN.md."""
    _write_anything()
    try:
        application()(standalone_mode=True)
    except TunebookError as error:
        say(f"tunebook: {safe_lines(error)}")
        return error.exit_code
    except KeyboardInterrupt:
        print("tunebook: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        say(f"tunebook: a name is longer than this system allows: {safe(str(error.filename)[:60])}...")
        return 2
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
    return 0


def _write_anything() -> None:
    """Let a terminal or pipe that lacks a character of a text get its code instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
