"""Atomic file writes: a file has its old content or its new content, never a part of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from fairfer.errors import UsageError


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
            write(path)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}); choose another place with --out"
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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
