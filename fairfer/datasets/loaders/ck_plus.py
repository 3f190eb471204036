"""CK+ (Extended Cohn-Kanade): sequences from a neutral face to the peak of an expression.

::

    ROOT/cohn-kanade-images/S005/001/S005_001_00000001.png … S005_001_00000011.png
    ROOT/Emotion/S005/001/S005_001_00000011_emotion.txt

The label of a sequence is that of the frame that the emotion file names: the last one, the peak. 327 of 593 sequences have one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fairfer.datasets.cards import DatasetCard
from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.images import FileImages
from fairfer.datasets.layout_files import check_images, fail, read_lines, subfolders, whole_number
from fairfer.datasets.loaders import Loader
from fairfer.errors import DataError
from fairfer.labels import LabelSpace

SPELLINGS = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
"""Codes 0 to 7."""
NEUTRAL = "neutral"
_IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images")
_EMOTIONS = ("Emotion", "Emotion_labels/Emotion")
_SUBJECT = re.compile(r"S\d{3}")

CARD = DatasetCard(
    title="CK+",
    content="593 posed sequences of 123 people in a laboratory; 327 have one of seven expressions, contempt included",
    license="by agreement",
    permitted_use="Non-commercial research by the person who signed the agreement; pictures of some people may be printed.",
    obtain="Fill in the agreement on the page; a link follows. Extract the images and the emotion labels into one folder.",
    url="https://www.jeffcohn.net/resources/",
    citation=(
        "Lucey, Cohn, Kanade, Saragih, Ambadar, Matthews: The Extended Cohn-Kanade Dataset (CK+): A complete dataset for "
        "action unit and emotion-specified expression. CVPR Workshops 2010."
    ),
    people="subjects (column subject); no gender, race or age",
    audit_options="--subject subject",
)


def _first(path: Path, names: tuple[str, ...]) -> Path | None:
    return next((path / n for n in names if (path / n).is_dir()), None)


def _matches(path: Path) -> bool:
    return path.is_dir() and _first(path, _IMAGES) is not None and _first(path, _EMOTIONS) is not None


def load(path: Path, *, neutral_frames: bool = False) -> Dataset:
    """Read CK+: the peak frame of each labeled sequence. It has no official split; audits should use ``--subject subject``.

    Parameters
    ----------
    path
        The folder with ``cohn-kanade-images`` and ``Emotion``.
    neutral_frames
        Also take the first frame of each labeled sequence as a neutral face, as many studies do. Nobody labeled these frames.

    Raises
    ------
    DataError
        If a file is missing or is not CK+'s.
    """
    images, emotions = _first(path, _IMAGES), _first(path, _EMOTIONS)
    if images is None or emotions is None:
        lacking = _IMAGES[0] if images is None else _EMOTIONS[0]
        message = f"{path} has no folder {lacking}; extract the images and the emotion labels of CK+ into one folder"
        raise DataError(message)
    sequences = [s for subject in subfolders(images) if _SUBJECT.fullmatch(subject.name) for s in subfolders(subject)]
    rows = []
    for sequence in sequences:
        labeled = _read_label(emotions / sequence.parent.name / sequence.name)
        if labeled is None:
            continue
        frame, label = labeled
        rows.append(_Row(sequence, frame, label))
        if neutral_frames:
            first = min((p.name for p in sequence.glob("*.png")), default=frame)
            if first == frame:
                message = f"{sequence} has only the frame {frame}, so no neutral one; copy the sequence again"
                raise DataError(message)
            rows.append(_Row(sequence, first, NEUTRAL))
    unlabeled = len(sequences) - len({r.sequence for r in rows})
    return _dataset(path, rows, len(sequences), unlabeled, neutral_frames=neutral_frames)


@dataclass(frozen=True)
class _Row:
    """A frame with its label."""

    sequence: Path
    frame: str
    label: str


def _dataset(path: Path, rows: list[_Row], sequences: int, unlabeled: int, *, neutral_frames: bool) -> Dataset:
    labels = {r.label for r in rows}
    space = LabelSpace.of("CK+ 8", SPELLINGS)
    if NEUTRAL not in labels:
        space = LabelSpace.of("CK+ 7", SPELLINGS[1:])
    files = [(r.sequence / r.frame).relative_to(path).as_posix() for r in rows]
    check_images(path, files, "CK+")
    frames = len(rows) - (sequences - unlabeled)
    steps = [Step(f"sequences: {sequences:,}")]
    if unlabeled:
        steps.append(Step("sequences without an emotion label", unlabeled, unlabeled=True))
    if neutral_frames:
        steps.append(Step(f"first frames taken as neutral (--neutral-frames), which have no label of their own: {frames:,}"))
    return Dataset(
        name="CK+",
        labels=space,
        samples=pd.DataFrame(
            {"label": [r.label for r in rows], "subject": [r.sequence.parent.name for r in rows]},
            index=pd.Index(files, name="sample_id", dtype="str"),
            dtype="str",
        ),
        images=FileImages(path, {f: f for f in files}),
        steps=tuple(steps),
        card={
            "layout": "ck+",
            "frames": "peak, and first as neutral" if neutral_frames else "peak",
            "source": path.resolve().name,
        },
    )


def _read_label(folder: Path) -> tuple[str, str] | None:
    """Name of the labeled frame, and its label; ``None`` if the sequence has no emotion file."""
    files = sorted(folder.glob("*_emotion.txt")) if folder.is_dir() else []
    if not files:
        return None
    if len(files) > 1:
        message = f"{folder} has {len(files)} emotion files; keep the one of the peak frame"
        raise DataError(message)
    [file] = files
    lines = list(read_lines(file))
    number, text = lines[0] if lines else (1, "")
    code = whole_number(text)
    if code is None or not 0 <= code < len(SPELLINGS) or len(lines) != 1:
        fail(file, number, f"{text!r} is not one code from 0 to {len(SPELLINGS) - 1}")
    label = LabelSpace.of("CK+", SPELLINGS).labels[code]
    return file.name.removesuffix("_emotion.txt") + ".png", label


LOADER = Loader("ck+", "CK+ (cohn-kanade-images/ and Emotion/)", _matches, load, CARD)
