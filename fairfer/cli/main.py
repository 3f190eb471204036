"""The ``fairfer`` command: parse, call public functions, print, exit.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 a policy failed, 2 could not run, 3 inconclusive, 130
interrupted. Only this package prints. Slow imports are made inside the command that needs them.
"""

from __future__ import annotations

import re
import shlex
import sys
import traceback
from typing import Annotated

import typer

from fairfer import __version__
from fairfer.cli import annotate, audit, console, explain, listing, models, plan, probe, results
from fairfer.cli.command import app
from fairfer.errors import FairferError

COULD_NOT_RUN = 2
INTERRUPTED = 130

COMMANDS = (audit, results, explain, probe, plan, annotate, models, listing)
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
    console.install()
    code = _run()
    failure = console.finish()
    if failure is not None:
        _complain(f"standard output cannot be written ({failure.strerror}); write to another place")
        code = COULD_NOT_RUN
    sys.exit(code)


def _run() -> int:
    """Run a command, and return its exit code."""
    try:
        for argument in sys.argv:
            argument.encode()
        result = app(standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 - any other way out would have Python's exit code 1: a failed policy
        return _explain(error)
    if result == INTERRUPTED:  # typer has caught the exception
        return _explain(KeyboardInterrupt())
    return result if isinstance(result, int) else 0


def _explain(error: BaseException) -> int:
    """Print one line for what a user can fix and a traceback for a bug, and return the exit code."""
    if isinstance(error, KeyboardInterrupt):
        _complain(f"interrupted; to resume, run the same command again: {shlex.join(['fairfer', *sys.argv[1:]])}")
        return INTERRUPTED
    show = getattr(error, "show", None)
    if callable(show):  # typer's own errors: an unknown option, a value of the wrong type
        show()
    elif isinstance(error, FairferError):
        _complain(str(error))
    elif isinstance(error, MemoryError):
        _complain("there is not enough memory; use fewer --permutations, cross fewer attributes, or give a smaller table")
    elif isinstance(error, UnicodeEncodeError) and error.object in sys.argv:
        _complain(f"the argument {error.object!r} is not valid UTF-8; rename the file, or write the text as UTF-8")
    elif isinstance(error, SystemExit):  # fairfer's own commands do not end in this way
        _complain(f"a package that fairfer uses tried to end the program (sys.exit({error.code!r})); see what it printed")
    elif isinstance(error, OSError) and not getattr(error, "__notes__", None):  # with a note: from a model's own code
        place = f"{error.filename}: " if error.filename is not None else ""
        _complain(f"{place}{error.strerror or error}; check the path, its permissions and the space that is left")
    else:
        traceback.print_exception(error)
    return COULD_NOT_RUN


def _complain(message: str) -> None:
    line = re.sub(r"\s*[\n\r]\s*", " ", message)
    typer.echo(f"fairfer: {line}", err=True)
