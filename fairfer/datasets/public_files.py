"""Downloads of those datasets, or parts of them, whose license allows it. All others are obtained from their authors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fairfer.downloads import fetch
from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.files import read_text, write_text

CHECKSUMS = "SHA256SUMS"
"""File of a download with the checksum of each file, as ``sha256sum -c`` reads it."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a dataset.

    Attributes
    ----------
    path
        Path below the folder of the dataset, and below the address of the download.
    sha256
        Its checksum. ``None`` if fairfer's authors could not obtain the file: the checksum is then recorded at the first
        download and verified at every later one.
    size
        Its number of bytes.
    """

    path: str
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Download:
    """What can be downloaded of a dataset.

    Attributes
    ----------
    title
        Name of the dataset.
    address
        Address below which the files are.
    license
        The license, and what it asks for.
    files
        The files.
    next_step
        What to do after the download.
    """

    title: str
    address: str
    license: str
    files: tuple[RemoteFile, ...]
    next_step: str


DOWNLOADS = {
    "ferplus": Download(
        title="FER+ labels",
        address="https://raw.githubusercontent.com/microsoft/FERPlus/master",
        license="MIT, Copyright (c) Microsoft Corporation",
        files=(
            RemoteFile("fer2013new.csv", "d5956664a5cf4c93a2a1c713573224639de7f20c9c34d55617068c09c392c541", 1_436_794),
            RemoteFile(
                "data/FER2013Train/label.csv", "a82c40c825505cd30e139195c246bc38f8ac39de0e8968cbf15e1dab7837658c", 1_491_168
            ),
            RemoteFile("data/FER2013Valid/label.csv", size=187_137),
            RemoteFile(
                "data/FER2013Test/label.csv", "425142295cc23872651271be9f45a99dac11af426f948d1b60967c8845b7bdf2", 186_598
            ),
        ),
        next_step="the images are not part of it: download fer2013.csv from Kaggle, then "
        "fairfer audit {folder} --pixels fer2013.csv",
    ),
    "cremad": Download(
        title="CREMA-D tables (actors and ratings, without videos)",
        address="https://raw.githubusercontent.com/CheyneyComputerScience/CREMA-D/master",
        license="Open Database License (ODbL) 1.0: name the source, and share a database made of it under the same license",
        files=(
            RemoteFile("VideoDemographics.csv"),
            RemoteFile("processedResults/summaryTable.csv"),
            RemoteFile("processedResults/tabulatedVotes.csv"),
        ),
        next_step="fairfer audit {folder} --votes face",
    ),
}
"""Downloads by name of the loader."""


@dataclass(frozen=True)
class Downloaded:
    """A finished download.

    Attributes
    ----------
    folder
        Where the dataset is.
    what
        What was downloaded.
    recorded
        Files whose checksum was not known before and was recorded now.
    """

    folder: Path
    what: Download
    recorded: tuple[str, ...]


def choose_download(name: str, advice: str = "") -> Download:
    """The download of a dataset.

    Parameters
    ----------
    name
        Name of the dataset.
    advice
        How to obtain it if it cannot be downloaded; empty if fairfer does not know it.

    Raises
    ------
    UsageError
        If its license does not allow a download, or there is no such dataset.
    """
    if name in DOWNLOADS:
        return DOWNLOADS[name]
    if advice:
        message = f"{name} must be obtained from its authors: {advice}"
        raise UsageError(message)
    message = f"{name!r} cannot be downloaded; {did_you_mean(name, DOWNLOADS)}"
    raise UsageError(message)


def download(
    what: Download,
    folder: Path,
    *,
    progress: Callable[[str, int, int | None], object] = lambda _path, _done, _total: None,
) -> Downloaded:
    """Download the files of a dataset; those that are whole already are verified, and an interrupted one is continued.

    Parameters
    ----------
    what
        One of `DOWNLOADS`.
    folder
        Where the files are written.
    progress
        Called with the path of the file, the number of bytes so far and that of the whole file.

    Raises
    ------
    DataError
        If a file cannot be had, or is another one than before.
    """
    checksums = _read_checksums(folder)
    recorded = []
    for file in what.files:
        expected = file.sha256 or checksums.get(file.path)
        target = folder / file.path
        fetch(
            f"{what.address}/{file.path}",
            target,
            sha256=expected,
            size=file.size,
            progress=partial(progress, file.path),
        )
        if expected is None:
            expected = hashlib.sha256(target.read_bytes()).hexdigest()
            recorded.append(file.path)
        checksums[file.path] = expected
        write_text(folder / CHECKSUMS, "".join(f"{digest}  {path}\n" for path, digest in checksums.items()))
    return Downloaded(folder, what, tuple(recorded))


def _read_checksums(folder: Path) -> dict[str, str]:
    path = folder / CHECKSUMS
    if not path.exists():
        return {}
    try:
        lines = [line.partition("  ") for line in read_text(path).splitlines()]
    except (OSError, UnicodeError) as error:
        message = f"{path} cannot be read ({error}); remove it to record the checksums again"
        raise DataError(message) from error
    return {name: digest for digest, _, name in lines}
