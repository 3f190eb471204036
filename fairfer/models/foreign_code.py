"""Run code of a model's author so that it can neither end nor change this process.

A model is any Python code. It may call `sys.exit`, print, change signal handlers, warning filters or the working directory.
Each call into it goes through `foreign_code`, which undoes these and turns an attempt to end the program into a `ModelError`.
`os._exit` cannot be undone; `fairfer.files.mark_unfinished` is for that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from fairfer.errors import ModelError

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE", "SIGALRM") if hasattr(signal, name)
)


@contextlib.contextmanager
def foreign_code(what: str) -> Iterator[None]:
    """Run code of a model's author.

    What it prints goes to stderr. Afterwards, signal handlers, warning filters, NumPy's error handling, the standard streams
    and the working directory are as before.

    Parameters
    ----------
    what
        Start of an error message, such as ``model smiles``.

    Raises
    ------
    ModelError
        When the code tries to end the program: `SystemExit`, `KeyboardInterrupt` without an interrupt from the keyboard, or any
        other exception that is not an `Exception`. Ordinary exceptions pass.
    """
    interrupts: list[int] = []
    with _kept_state(), _kept_signals(interrupts):
        try:
            yield
        except Exception:
            raise
        except BaseException as error:
            if interrupts:
                raise KeyboardInterrupt from error
            message = f"{what} tried to end the program ({_shown(error)}); raise an ordinary exception instead"
            raise ModelError(message) from error
        if interrupts:  # the code caught the exception
            raise KeyboardInterrupt


def _shown(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r})"
    return type(error).__name__


@contextlib.contextmanager
def _kept_state() -> Iterator[None]:
    """Restore streams, working directory, warning filters and NumPy's error handling."""
    streams, numpy_errors = (sys.stdout, sys.stderr), np.geterr()
    filters, show = list(warnings.filters), warnings.showwarning
    folder = _working_folder()
    if sys.stderr is not None:
        sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        np.seterr(**numpy_errors)
        warnings.showwarning = show
        if list(warnings.filters) != filters:
            warnings.resetwarnings()
            kept: Any = warnings.filters
            kept[:] = filters
        if folder is not None and _working_folder() != folder:
            os.chdir(folder)


def _working_folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return None


@contextlib.contextmanager
def _kept_signals(interrupts: list[int]) -> Iterator[None]:
    """Restore signal handlers; append to `interrupts` when the keyboard interrupts the program."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.default_int_handler(number, frame)

    if before[signal.SIGINT] is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
