"""DeepFace's code without its side effects."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import warnings
from collections.abc import Iterator
from typing import NoReturn

MAX_TEXT = 200
"""Longest text of another library's error in one of ours."""


@contextlib.contextmanager
def isolated(*, network: bool) -> Iterator[list[object]]:
    """Run DeepFace's code without its side effects.

    Its log, which would go to stdout among the results, and the warnings of the libraries that it imports are dropped.
    TensorFlow uses the Keras version that DeepFace is written for. Unless `network` is true, nothing can be downloaded: each
    detector has its own way of downloading, so host names are not resolved meanwhile.

    Yields
    ------
    list
        The hosts whose resolution was refused.
    """
    refused: list[object] = []

    def refuse(host: object, *_: object, **__: object) -> NoReturn:
        refused.append(host)
        message = f"fairfer does not let DeepFace download from {host} without the option download=yes"
        raise OSError(message)

    resolve = socket.getaddrinfo
    before = {key: os.environ.get(key) for key in ("TF_USE_LEGACY_KERAS", "TF_CPP_MIN_LOG_LEVEL")}
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        if not network:
            socket.getaddrinfo = refuse
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield refused
    finally:
        socket.getaddrinfo = resolve
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def first_line(error: Exception) -> str:
    """First line of an error's text, without a trailing period."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].strip().rstrip(".")[:MAX_TEXT]
