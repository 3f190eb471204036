"""DISFA: videos of people who watched a film, with the intensity of twelve action units in every frame.

::

    ROOT/ActionUnit_Labels/SN001/SN001_au1.txt … SN001_au26.txt     lines "frame,intensity", frames from 1
    ROOT/Images/SN001/00001.png …                                   extracted from the videos by the user

Videos are not decoded. The path of an image names the subject, and the last number of its name is that of the frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from fairfer.datasets.binary_columns import HIGHEST_INTENSITY, check_threshold
from fairfer.datasets.cards import DatasetCard
from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.images import FileImages
from fairfer.datasets.layout_files import chosen_splits, fail, first_names, read_lines, subfolders
from fairfer.datasets.loaders import Loader
from fairfer.datasets.unit_frames import Frame, find_frames, find_image_folder, pair_frames, unit_truth
from fairfer.errors import DataError, UsageError

PRESENT = 2.0
"""Intensity from which most studies take an action unit of DISFA for present (B)."""
ALL = "all"
FOLDS: Mapping[str, tuple[int, ...]] = {
    "part1": (2, 10, 1, 26, 27, 32, 30, 9, 16),
    "part2": (13, 18, 11, 28, 12, 6, 31, 21, 24),
    "part3": (3, 29, 23, 25, 8, 5, 7, 17, 4),
}
"""Numbers of the subjects in the three folds that most studies use."""
NO_FOLD = "none"
_FOLD_OF = {f"SN{number:03d}": fold for fold, numbers in FOLDS.items() for number in numbers}
_LABELS = "ActionUnit_Labels"
_SUBJECT = re.compile(r"(SN\d{3})(?!\d)", re.IGNORECASE)
_FILE = re.compile(r"SN\d{3}_au(\d+)\.txt", re.IGNORECASE)
_LINE = re.compile(r"(\d+)\s*,\s*(\d+)")

CARD = DatasetCard(
    title="DISFA",
    content="videos of 27 people who watched a film, 4,845 frames each; intensity (0 to 5) of twelve action units per frame",
    license="by agreement",
    permitted_use="Non-commercial research by the group that signed the agreement; images must not be passed on.",
    obtain="Sign the agreement on the page; links follow. Extract the frames of one camera to Images/SN001/00001.png, ….",
    url="http://mohammadmahoor.com/disfa/",
    citation=(
        "Mavadati, Mahoor, Bartlett, Trinh, Cohn: DISFA: A Spontaneous Facial Action Intensity Database. IEEE Transactions on "
        "Affective Computing 4(2), 2013."
    ),
    people="27 subjects (column subject), 12 women and 15 men; the label files have no gender, race or age",
    audit_options="--model py-feat-aus --subject subject",
)

_EXTRACT = (
    "extract the frames of one camera, as in ffmpeg -i Videos_LeftCamera/LeftVideoSN001_comp.avi Images/SN001/%05d.png, or "
    "name their folder with --image-folder"
)


def _matches(path: Path) -> bool:
    folders = subfolders(path / _LABELS)[:5] if path.is_dir() else []
    return any(_FILE.fullmatch(name) for folder in folders for name in first_names(folder))


def load(
    path: Path,
    *,
    split: str = ALL,
    labels: str | None = None,
    au_threshold: float = PRESENT,
    image_folder: str | None = None,
    first_frame: int = 1,
) -> Dataset:
    """Read DISFA: the coded frames that have an image, as multi-label data. Audits should use ``--subject subject``.

    Parameters
    ----------
    path
        The folder with ``ActionUnit_Labels``.
    split
        ``part1``, ``part2`` or ``part3``, the folds that most studies use; all by default. The column ``fold`` has them too.
    labels
        Action units to read, such as ``AU1,AU2,AU4,AU6,AU9,AU12,AU25,AU26``; all by default.
    au_threshold
        Lowest intensity at which an action unit is present.
    image_folder
        Folder of the extracted frames; ``Images`` by default.
    first_frame
        Number of the first frame in the names of the images: 1 as in the label files (and as ffmpeg counts), or 0.

    Raises
    ------
    DataError
        If a file is missing or is not DISFA's, or the images are numbered otherwise.
    UsageError
        If an option has an invalid value.
    """
    threshold = check_threshold(au_threshold)
    if first_frame not in (0, 1):
        message = f"--first-frame {first_frame}: the images of DISFA are numbered from 1, or from 0; give one of them"
        raise UsageError(message)
    folds = chosen_splits(split, tuple(FOLDS), "DISFA")
    folder = path / _LABELS
    subjects = [s for s in subfolders(folder) if _SUBJECT.fullmatch(s.name)]
    if not subjects:
        message = f"{path} has no {_LABELS}/SN001; see `fairfer datasets disfa` for how to obtain it"
        raise DataError(message)
    kept = [s for s in subjects if split == ALL or _fold(s.name.upper()) in folds]
    if not kept:
        message = f"--split {split}: {folder} has no subject of this fold; copy the label files again, or choose another fold"
        raise DataError(message)
    images = find_image_folder(path, image_folder, ("Images",), _EXTRACT)
    names = {s.name.upper() for s in kept}
    files = find_frames(images, _SUBJECT, "DISFA").of(names)
    _check_first(files.files, images, first_frame)
    intensities = pd.concat([_read_subject(s, first_frame - 1) for s in kept])
    present = (intensities >= threshold).astype("Int8").where(intensities.notna())
    codes, steps = pair_frames(present, files, images, "DISFA")
    truth = unit_truth(codes, labels, "DISFA")
    frames = pd.Series(codes.index, index=codes.index).map({file: frame for frame, file in files.files.items()})
    subject = frames.loc[truth.columns.index].map(lambda frame: frame[0])
    return Dataset(
        name="DISFA" if split == ALL else f"DISFA {split}",
        labels=truth.labels,
        samples=truth.columns.assign(
            subject=subject.astype("str"),
            fold=subject.map(_fold).astype("str"),
            frame=frames.loc[truth.columns.index].map(_number).astype("int64") - (first_frame - 1),
        ),
        images=FileImages(images, {i: i for i in truth.columns.index}),
        steps=(*_fold_steps(len(subjects), len(kept), split), *steps, *truth.steps),
        card={
            "layout": "disfa",
            "action unit present": f"from intensity {threshold:g}",
            "fold": split,
            "image numbers start at": str(first_frame),
            "source": path.resolve().name,
        },
        task="multi-label",
    )


def _fold_steps(subjects: int, kept: int, split: str) -> tuple[Step, ...]:
    steps = [Step(f"subjects: {subjects:,}")]
    return (*steps, Step(f"subjects of {split} (--split): {kept:,}")) if split != ALL else tuple(steps)


def _number(frame: Frame) -> int:
    return frame[1]


def _fold(subject: str) -> str:
    """The fold of a subject; others than those of the dataset are in none."""
    return _FOLD_OF.get(subject, NO_FOLD)


def _check_first(files: Mapping[Frame, str], images: Path, first_frame: int) -> None:
    """Refuse images that count from another number: each would get the label of another frame."""
    first = min(files, key=_number, default=None)
    if first is not None and _number(first) < first_frame:
        message = f"{images} has {files[first]}, but DISFA counts frames from 1; add --first-frame 0 if the images count from 0"
        raise DataError(message)
    if first is not None and not first_frame and _number(first) > 0:
        message = (
            f"--first-frame 0: no image in {images} has the number 0 (the first is {files[first]}), so each would get "
            "the label of another frame; leave the option out"
        )
        raise UsageError(message)


def _read_subject(folder: Path, shift: int) -> pd.DataFrame:
    """Intensities of one subject, indexed by frame as the images count; a unit whose file lacks a frame is unknown there."""
    units: dict[str, dict[Frame, int]] = {}
    for name in first_names(folder):
        if match := _FILE.fullmatch(name):
            units[f"AU{int(match[1])}"] = _read_unit(folder / name, folder.name.upper(), shift)
    if not units:
        message = f"{folder} has no file such as {folder.name}_au1.txt; copy the folder again from the dataset"
        raise DataError(message)
    return pd.DataFrame(units).astype("Int8").sort_index()


def _read_unit(file: Path, subject: str, shift: int) -> dict[Frame, int]:
    intensities: dict[Frame, int] = {}
    for number, line in read_lines(file):
        match = _LINE.fullmatch(line)
        if match is None or int(match[2]) > HIGHEST_INTENSITY:
            fail(file, number, f"{line!r} is not FRAME,INTENSITY with an intensity from 0 to {HIGHEST_INTENSITY}")
        frame = (subject, int(match[1]) + shift)
        if frame in intensities:
            fail(file, number, f"frame {match[1]} occurs twice")
        intensities[frame] = int(match[2])
    return intensities


LOADER = Loader("disfa", "DISFA (ActionUnit_Labels/ and frames in Images/)", _matches, load, CARD)
