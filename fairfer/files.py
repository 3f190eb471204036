"""Atomic file writes: a file has its old content or its new content, never a part of it. The mark of an unfinished run."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from fairfer.errors import RunError, UsageError

UNFINISHED = "unfinished"
"""File of a run folder while its predictions or its audit are being made."""

LOADING = "The model is being loaded.\n"
ASKED = "The model is being asked, or was interrupted; an audit in this folder may be outdated.\n"
"""Content of that file: whether the predictions may have changed already."""


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """Read a text file. A named pipe without a writer is an error; `Path.read_text` would wait for one forever.

    Raises
    ------
    OSError, UnicodeError
        When the file cannot be read.
    """
    return read_bytes(path).decode(encoding)


def read_bytes(path: Path) -> bytes:
    """Read a file, as `read_text` does.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    if _is_named_pipe(path):
        raise OSError(errno.EINVAL, "it is a named pipe, not a file", str(path))
    return path.read_bytes()


def _is_named_pipe(path: Path) -> bool:
    """Whether a path is a named pipe; ``<(command)`` of a shell is another kind of pipe and always has a writer."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode) and not path.as_posix().startswith(("/dev/", "/proc/"))
    except (OSError, ValueError):
        return False


def write_into_place(path: Path, write: Callable[[Path], object]) -> None:
    """Write a temporary file beside `path`, then rename it to `path`.

    Symbolic links are followed. A path that is not a regular file, such as ``/dev/stdout``, is written to directly.

    Parameters
    ----------
    path
        Destination. Its folder is created if it does not exist.
    write
        Called with the temporary path, which has the same suffix as `path`.

    Raises
    ------
    UsageError
        If the destination cannot be written to.
    """
    path = path.resolve() if path.is_symlink() else path
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            if _is_named_pipe(path):
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))  # an error without a reader; writing would wait forever
            write(path)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        message = f"{path} cannot be written ({getattr(error, 'strerror', None) or error}); choose another place with --out"
        raise UsageError(message) from error
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes the file readable by its owner only
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # the content must reach the disk before the rename does
        temporary.replace(path)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror or error}); choose another place with --out"
        raise UsageError(message) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes atomically."""
    write_into_place(path, lambda temporary: temporary.write_bytes(data))


def write_text(path: Path, text: str) -> None:
    """Write text atomically as UTF-8, without converting line ends."""
    write_bytes(path, text.encode())


def dump_json(value: object) -> str:
    """Serialize as JSON: keys in their own order, indented by two spaces, NaN refused with a `ValueError`."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def mark_unfinished(run: Path, content: str = ASKED) -> None:
    """Mark a run folder, so that an earlier audit in it is not used if this process ends before the new one is written.

    Raises
    ------
    UsageError
        When the folder cannot be written.
    """
    path = run / UNFINISHED
    try:
        run.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")  # its presence counts, so it need not be atomic
    except (OSError, ValueError) as error:
        message = f"{path} cannot be written ({getattr(error, 'strerror', None) or error}); choose another place with --out"
        raise UsageError(message) from error


def mark_finished(run: Path) -> None:
    """Remove the mark."""
    (run / UNFINISHED).unlink(missing_ok=True)


def check_finished(run: Path) -> None:
    """Refuse a run folder with the mark.

    Raises
    ------
    RunError
        When it is marked as unfinished.
    """
    if os.path.lexists(run / UNFINISHED):
        message = f"{run} is unfinished: its last fairfer audit did not end, so an audit in it may be outdated; run it again"
        raise RunError(message)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
