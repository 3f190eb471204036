"""Writing files so that nothing is ever half-written."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairfer.errors import UsageError


def write_into_place(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then move it there in one step.

    A link is followed, and what is no plain file (``/dev/stdout``) is written to and never replaced.

    Parameters
    ----------
    path
        Where the file ends up; its folder is made when missing.
    write
        Called with the temporary path, which has the same suffix.

    Raises
    ------
    UsageError
        When the place cannot be written to.
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
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files for their owner only
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # the rename below must not reach the disk before the content
        temporary.replace(path)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror or error}); choose another place with --out"
        raise UsageError(message) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes in one step."""
    write_into_place(path, lambda temporary: temporary.write_bytes(data))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in one step; line ends stay as they are."""
    write_bytes(path, text.encode())


def dump_json(value: Any) -> str:  # noqa: ANN401 - anything that JSON holds
    """JSON as fairfer writes it: sorted nothing, two spaces, UTF-8, and never a NaN."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
