"""The ``fairfer`` command: parse, call public functions, print, exit.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 a policy failed, 2 could not run, 3 inconclusive, 130
interrupted. Only this package prints. Slow imports are made inside the command that needs them.
"""

from __future__ import annotations

import io
import re
import sys
import traceback
from typing import Annotated

import typer

from fairfer import __version__
from fairfer.cli import audit, listing, results
from fairfer.cli.command import app
from fairfer.errors import FairferError

COULD_NOT_RUN = 2
INTERRUPTED = 130

COMMANDS = (audit, results, listing)
"""Modules that register commands."""


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer passes the option's value by position
    if asked:
        typer.echo(f"fairfer {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    del version  # its callback has printed it


def main() -> None:
    """Entry point: bad input is one line on stderr and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a character that the terminal lacks is no reason to fail
    try:
        app()
    except FairferError as error:
        line = re.sub(r"\s*\n\s*", " ", str(error))
        typer.echo(f"fairfer: {line}", err=True)
        sys.exit(COULD_NOT_RUN)
    except KeyboardInterrupt:
        typer.echo("fairfer: interrupted; run the same command again to resume", err=True)
        sys.exit(INTERRUPTED)
    except Exception:  # noqa: BLE001 - a bug: its traceback, and not Python's exit code 1, which means a failed policy
        traceback.print_exc()
        sys.exit(COULD_NOT_RUN)
