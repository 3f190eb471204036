"""Run the code of a model library without its side effects, and without network access unless it is allowed."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from typing import NoReturn

from fairfer.errors import ModelError


@contextlib.contextmanager
def isolated(library: str, *, network: bool = False) -> Iterator[list[str]]:
    """Run a library's code.

    What it prints to stdout, where results go, and its warnings are dropped. Environment variables and handlers of the root
    logger, which libraries set when they are imported, are restored. Unless `network` is true, nothing can be downloaded: each
    library has its own way of downloading, so host names are not resolved while its code runs.

    Parameters
    ----------
    library
        Its name, for the error that it receives when it tries to download.
    network
        Whether it may download.

    Yields
    ------
    list of str
        The hosts whose resolution was refused.
    """
    refused: list[str] = []

    def refuse(host: object, *_: object, **__: object) -> NoReturn:
        refused.append(str(host))
        message = f"fairfer does not let {library} connect to {host} without the option download=yes"
        raise OSError(message)

    resolve, root = socket.getaddrinfo, logging.getLogger()
    environment, handlers, level = dict(os.environ), list(root.handlers), root.level
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        if not network:
            socket.getaddrinfo = refuse
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield refused
    finally:
        socket.getaddrinfo = resolve
        root.handlers[:] = handlers
        root.setLevel(level)
        for key in set(os.environ) - set(environment):
            del os.environ[key]
        os.environ.update(environment)


@contextlib.contextmanager
def hidden(*packages: str) -> Iterator[None]:
    """Make packages look as if they were not installed.

    For libraries that import optional packages which are not needed here. Importing them takes seconds, and some combinations
    crash the process.

    Parameters
    ----------
    *packages
        Names as they are imported.
    """
    before = {name: sys.modules[name] for name in packages if name in sys.modules}
    sys.modules.update(dict.fromkeys(packages))  # type: ignore[arg-type] # None: importing raises ModuleNotFoundError
    try:
        yield
    finally:
        for name in packages:
            del sys.modules[name]
        sys.modules.update(before)


def check_torchvision(what: str) -> None:
    """Check that importing torchvision does not crash the process.

    Some builds of it crash a process in which TensorFlow was loaded before; the other order works.

    Parameters
    ----------
    what
        What needs it, as the start of the error message.

    Raises
    ------
    ModelError
        If TensorFlow is loaded and torchvision is not.
    """
    if "tensorflow" in sys.modules and "torchvision" not in sys.modules:
        message = (
            f"{what} needs torchvision, which can crash a process in which TensorFlow is loaded; start a new process, or load "
            "this model before the others"
        )
        raise ModelError(message)
