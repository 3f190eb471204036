"""Archives: a folder that is unpacked is complete, and nothing is written outside of it."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path

from fairfer.errors import DataError


def unpack(archive: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """Unpack a zip or tar archive into a new folder, which appears only when everything is in it.

    Parameters
    ----------
    archive
        A file; its content, not its name, says what it is.
    folder
        Must not exist, or be empty.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    DataError
        When the archive is damaged, would write outside of `folder`, has links or devices, needs more space than there is, or
        the folder has files already.
    """
    source, target = Path(archive), Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        message = f"{target} exists and is not an empty folder; remove it, or unpack {source.name} into another one"
        raise DataError(message)
    unfinished = target.with_name(f".{target.name}.unpacking")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)  # left by a process that was killed
        unfinished.mkdir(parents=True)
        try:
            _extract(source, unfinished)
            if target.is_dir():
                target.rmdir()
            unfinished.replace(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, RuntimeError) as error:
        message = f"{source} cannot be unpacked ({str(error).strip() or 'it ends too early'}); download it again"
        raise DataError(message) from error
    except OSError as error:
        message = f"{source} cannot be unpacked into {target} ({error.strerror or error}); check the space that is left"
        raise DataError(message) from error
    return target


def _extract(source: Path, target: Path) -> None:
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as content:
            entries = content.infolist()
            for entry in entries:
                kind = stat.S_IFMT(entry.external_attr >> 16)
                _check_entry(source, entry.filename, plain=kind in (0, stat.S_IFREG, stat.S_IFDIR))
            _check_space(source, target, sum(entry.file_size for entry in entries))
            content.extractall(target)
        return
    if not tarfile.is_tarfile(source):
        message = f"{source} is neither a zip nor a tar archive; download it again"
        raise DataError(message)
    with tarfile.open(source) as archive:
        members = archive.getmembers()
        for member in members:
            _check_entry(source, member.name, plain=member.isfile() or member.isdir())
        _check_space(source, target, sum(member.size for member in members))
        archive.extractall(target, filter="data")


def _check_entry(source: Path, name: str, *, plain: bool) -> None:
    parts = re.split(r"[/\\]", name)
    if not plain or ".." in parts or not parts[0] or ":" in parts[0]:
        problem = "would be written outside of its folder" if plain else "is a link or a device"
        message = f"{source}: {name!r} {problem}; do not use this archive"
        raise DataError(message)


def _check_space(source: Path, target: Path, needed: int) -> None:
    """An archive of a few bytes can unpack to more than any disk holds."""
    free = shutil.disk_usage(target).free
    if needed > free:
        message = f"{source} unpacks to {needed:,} bytes, but {free:,} are left in {target.parent}; unpack it elsewhere"
        raise DataError(message)
