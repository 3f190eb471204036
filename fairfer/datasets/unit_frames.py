"""What loaders of action units share: frames of videos as image files, and action units per frame as true labels."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from fairfer.datasets.dataset import Step
from fairfer.datasets.layout_files import PICTURES
from fairfer.datasets.tables import list_some
from fairfer.errors import DataError, UsageError
from fairfer.labels import LabelSpace, action_unit, order_labels
from fairfer.vocabulary import TRUTH_PREFIX

_SHOWN = 64
"""Action units that a message lists: all."""

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class UnitTruth:
    """Action units of a dataset as its true labels.

    Attributes
    ----------
    labels
        Action units by number.
    columns
        One column ``truth:AU1`` per label: 1, 0 or missing for unknown; without rows in which every unit is unknown.
    steps
        What was left out.
    """

    labels: LabelSpace
    columns: pd.DataFrame
    steps: tuple[Step, ...]


def unit_truth(values: pd.DataFrame, requested: str | None, name: str) -> UnitTruth:
    """Make true labels of action units.

    Parameters
    ----------
    values
        One column per action unit (``AU1``): 1, 0 or missing (nullable Int8), indexed by sample id.
    requested
        Action units to read (``--labels``), such as ``AU1,AU2``; all that somebody coded by default.
    name
        Name of the dataset.

    Raises
    ------
    DataError
        If no action unit of any row is known.
    UsageError
        If a requested unit does not exist.
    """
    units = choose_units(requested, values.columns, name)
    known = values[units].notna()
    coded = [u for u in units if known[u].any()]
    uncoded = [u for u in units if u not in coded]
    if not coded:
        message = f"{name}: {list_some(units, _SHOWN)} unknown in every frame; choose others with --labels"
        raise DataError(message)
    kept = known[coded].any(axis=1)
    steps = [Step(f"action units that are unknown in every frame and left out: {', '.join(uncoded)}")] if uncoded else []
    if not kept.all():
        steps.append(Step("frames in which every action unit is unknown", int((~kept).sum()), unlabeled=True))
    columns = values.loc[kept, coded].add_prefix(TRUTH_PREFIX)
    return UnitTruth(LabelSpace(f"{name} action units", tuple(coded)), columns, tuple(steps))


def choose_units(requested: str | None, available: Iterable[object], name: str) -> list[str]:
    """The action units that ``--labels`` lists, or all, by number.

    Parameters
    ----------
    requested
        Such as ``AU1,AU2,AU12`` or ``1,2,12``.
    available
        Action units that the dataset has.
    name
        Name of the dataset, for the error message.

    Raises
    ------
    UsageError
        If one of them is not in the dataset, or listed twice.
    """
    units = order_labels(map(str, available))
    if requested is None:
        return list(units)
    chosen: list[str] = []
    for text in (part.strip() for part in requested.split(",") if part.strip()):
        unit = action_unit(f"AU{text}" if text.isdecimal() else text)
        if unit is None or unit not in units:
            message = f"--labels {text}: {name} has no such action unit; it has {list_some(units, _SHOWN)}"
            raise UsageError(message)
        if unit in chosen:
            message = f"--labels {requested}: {unit} is listed twice; list each action unit once"
            raise UsageError(message)
        chosen.append(unit)
    if not chosen:
        message = f"--labels is empty; list action units of {name}, as in --labels {','.join(units[:3])}"
        raise UsageError(message)
    return list(order_labels(chosen))


def find_image_folder(path: Path, requested: str | None, usual: tuple[str, ...], advice: str) -> Path:
    """The folder of the frames.

    Parameters
    ----------
    path
        The folder of the dataset.
    requested
        The option ``--image-folder``: relative to the working directory, or to the dataset.
    usual
        Folders in the dataset that are tried without the option.
    advice
        What to do if there is none.

    Raises
    ------
    DataError
        If there is no such folder.
    """
    if requested is not None:
        given = Path(requested).expanduser()
        if folder := next((p for p in (given, path / given) if p.is_dir()), None):
            return folder
        message = f"--image-folder {requested} is not a folder; {advice}"
        raise DataError(message)
    if folder := next((path / name for name in usual if (path / name).is_dir()), None):
        return folder
    message = f"{path} has no folder {usual[0]} with the frames; {advice}"
    raise DataError(message)


Frame = tuple[str, int]
"""A recording (``SN001``, ``F001_T1``) and the number of a frame in it."""


@dataclass(frozen=True)
class FrameFiles:
    """Image files of frames.

    Attributes
    ----------
    files
        By frame, relative to the folder.
    others
        Number of image files whose names do not state a recording and a number.
    """

    files: Mapping[Frame, str]
    others: int

    def of(self, recordings: Collection[str]) -> FrameFiles:
        """Those of some recordings only."""
        return FrameFiles({frame: file for frame, file in self.files.items() if frame[0] in recordings}, self.others)


def find_frames(folder: Path, recording: re.Pattern[str], name: str) -> FrameFiles:
    """Find the image of each frame by its path.

    Parameters
    ----------
    folder
        It is searched with all its subfolders.
    recording
        Pattern of the name of a recording; its groups are joined by ``_``. Of several in a path, the last counts.
    name
        Name of the dataset, for the error message.

    Returns
    -------
    FrameFiles
        The number of a frame is the last number in the name of the file, apart from the recording.

    Raises
    ------
    DataError
        If two files are the same frame, such as those of two cameras, or there is none.
    """
    files: dict[Frame, str] = {}
    others = 0
    for file in _pictures(folder):
        frame = _frame_of(file, recording)
        if frame is None:
            others += 1
        elif frame in files:
            message = (
                f"{folder} has two images of frame {frame[1]} of {frame[0]}: {files[frame]} and {file}; keep one per frame"
            )
            raise DataError(message)
        else:
            files[frame] = file
    if not files:
        message = f"{folder} has no image whose path names a recording of {name} and the number of a frame; rename the images"
        raise DataError(message)
    return FrameFiles(files, others)


def _pictures(folder: Path) -> Iterator[str]:
    """Image files below a folder, by path. `os.walk` is several times faster than `Path.rglob` for 100,000 files."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        prefix = PurePosixPath(Path(root).relative_to(folder).as_posix())
        for name in sorted(names):
            if PurePosixPath(name).suffix.lower() in PICTURES and not name.startswith("."):
                yield (prefix / name).as_posix()


def _frame_of(file: str, recording: re.Pattern[str]) -> Frame | None:
    found = list(recording.finditer(file))
    name = file.rpartition("/")[2].rpartition(".")[0]
    numbers = _NUMBER.findall(recording.sub(" ", name))
    if not found or not numbers:
        return None
    return "_".join(found[-1].groups()).upper(), int(numbers[-1])


def pair_frames(codes: pd.DataFrame, images: FrameFiles, folder: Path, name: str) -> tuple[pd.DataFrame, tuple[Step, ...]]:
    """Keep the coded frames that have an image.

    Parameters
    ----------
    codes
        Indexed by frame.
    images
        From `find_frames`.
    folder, name
        Folder of the images and name of the dataset, for the error message.

    Returns
    -------
    codes, steps
        The frames with an image, indexed by its file, and what was left out.

    Raises
    ------
    DataError
        If no coded frame has an image.
    """
    files = pd.Series([images.files.get(frame) for frame in codes.index], index=codes.index, dtype="str")
    present = files.notna().to_numpy()
    if not present.any():
        recording, number = codes.index[0]
        message = (
            f"{folder} has no image of a coded frame of {name} (the first: frame {number} of {recording}); check the names"
        )
        raise DataError(message)
    steps = [Step(f"coded frames: {len(codes):,}")]
    if missing := int((~present).sum()):
        steps.append(Step("coded frames without an image file", missing))
    coded = set(codes.index)
    if uncoded := sum(frame not in coded for frame in images.files):
        steps.append(Step(f"images of frames without codes, not used: {uncoded:,}"))
    if images.others:
        steps.append(Step(f"images whose name has no recording or number, not used: {images.others:,}"))
    kept = codes[present].set_axis(pd.Index(files[present], name="sample_id", dtype="str"), axis=0)
    return kept, tuple(steps)
