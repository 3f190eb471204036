"""CK+ (Extended Cohn-Kanade): sequences from a neutral face to the peak of an expression.

::

    ROOT/cohn-kanade-images/S005/001/S005_001_00000001.png … S005_001_00000011.png
    ROOT/Emotion/S005/001/S005_001_00000011_emotion.txt
    ROOT/FACS/S005/001/S005_001_00000011_facs.txt                    lines "action unit, intensity"

The label of a sequence is that of the frame that the emotion file names: the last one, the peak. 327 of 593 sequences have one.
The action units of the peak are in the FACS file (``--labels facs``): those that it does not list are absent. The intensity 0
is that of a unit that is present and was not graded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fairfer.datasets.binary_columns import HIGHEST_INTENSITY, check_threshold
from fairfer.datasets.cards import DatasetCard
from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.images import FileImages
from fairfer.datasets.layout_files import check_images, fail, read_lines, subfolders, whole_number
from fairfer.datasets.loaders import Loader
from fairfer.datasets.unit_frames import unit_truth
from fairfer.errors import DataError, UsageError
from fairfer.labels import LabelSpace, order_labels

SPELLINGS = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
"""Codes 0 to 7."""
NEUTRAL = "neutral"
_IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images")
_EMOTIONS = ("Emotion", "Emotion_labels/Emotion")
_FACS = ("FACS", "FACS_labels/FACS")
EMOTION, ACTION_UNITS = "emotion", "facs"
NOT_GRADED = 0
_SUBJECT = re.compile(r"S\d{3}")

CARD = DatasetCard(
    title="CK+",
    content=(
        "593 posed sequences of 123 people in a laboratory, with the action units of the last frame; 327 have one of seven "
        "expressions, contempt included"
    ),
    license="by agreement",
    permitted_use="Non-commercial research by the person who signed the agreement; pictures of some people may be printed.",
    obtain="Fill in the agreement on the page; a link follows. Extract the images and the labels into one folder.",
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
    return path.is_dir() and _first(path, _IMAGES) is not None and _first(path, (*_EMOTIONS, *_FACS)) is not None


def load(path: Path, *, labels: str = EMOTION, neutral_frames: bool = False, au_threshold: float | None = None) -> Dataset:
    """Read CK+: the peak frame of each labeled sequence. It has no official split; audits should use ``--subject subject``.

    Parameters
    ----------
    path
        The folder with ``cohn-kanade-images`` and ``Emotion`` or ``FACS``.
    labels
        ``emotion`` (default); ``facs`` for action units, as multi-label data; or those to read, such as ``AU1,AU2,AU12``.
    neutral_frames
        Also take the first frame of each labeled sequence as a neutral face, as many studies do. These
        frames have no label of their own.
    au_threshold
        Lowest intensity at which an action unit is present. By default every unit that is listed is. With a threshold, a unit
        that was not graded is unknown.

    Raises
    ------
    DataError
        If a file is missing or is not CK+'s.
    UsageError
        If options contradict each other, or there is no such action unit.
    """
    images = _first(path, _IMAGES)
    if images is None:
        message = f"{path} has no folder {_IMAGES[0]}; extract the images and the labels of CK+ into one folder"
        raise DataError(message)
    sequences = [s for subject in subfolders(images) if _SUBJECT.fullmatch(subject.name) for s in subfolders(subject)]
    if labels != EMOTION:
        if neutral_frames:
            message = "--neutral-frames is for emotions: first frames have no coded action units; remove it"
            raise UsageError(message)
        return _with_units(path, sequences, None if labels == ACTION_UNITS else labels, au_threshold)
    if au_threshold is not None:
        message = f"--au-threshold is for action units; add --labels {ACTION_UNITS}, or remove it"
        raise UsageError(message)
    emotions = _first(path, _EMOTIONS)
    if emotions is None:
        units = f"; for action units add --labels {ACTION_UNITS}" if _first(path, _FACS) else ""
        message = f"{path} has no folder {_EMOTIONS[0]}; extract the emotion labels of CK+ into the same folder{units}"
        raise DataError(message)
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


def _with_units(path: Path, sequences: list[Path], requested: str | None, au_threshold: float | None) -> Dataset:
    """The peak frame of each sequence with its action units."""
    facs = _first(path, _FACS)
    if facs is None:
        message = f"{path} has no folder {_FACS[0]}; extract the FACS labels of CK+ into the same folder"
        raise DataError(message)
    threshold = None if au_threshold is None else check_threshold(au_threshold)
    coded: dict[str, dict[str, int | None]] = {}
    empty = 0
    for sequence in sequences:
        file = _only(facs / sequence.parent.name / sequence.name, "facs")
        if file is None:
            continue
        intensities = _read_units(file)
        empty += not intensities
        if intensities:
            frame = sequence / (file.name.removesuffix("_facs.txt") + ".png")
            coded[frame.relative_to(path).as_posix()] = {u: _presence(i, threshold) for u, i in intensities.items()}
    check_images(path, coded, "CK+")
    if not coded:
        message = f"{facs} has no action units of any sequence; extract the FACS labels of CK+ again"
        raise DataError(message)
    units = order_labels({unit for row in coded.values() for unit in row})
    # A unit that the file does not list is absent: the coders looked for all of them.
    values = pd.DataFrame([{u: row.get(u, 0) for u in units} for row in coded.values()], dtype="Int8")
    truth = unit_truth(values.set_axis(pd.Index(list(coded), name="sample_id", dtype="str"), axis=0), requested, "CK+")
    steps = [Step(f"sequences: {len(sequences):,}")]
    if uncoded := len(sequences) - len(coded) - empty:
        steps.append(Step("sequences without a FACS file", uncoded, unlabeled=True))
    if empty:
        steps.append(Step("sequences whose FACS file is empty", empty, unlabeled=True))
    ids = [str(i) for i in truth.columns.index]
    return Dataset(
        name="CK+ FACS",
        labels=truth.labels,
        samples=truth.columns.assign(subject=pd.Series({i: i.rsplit("/", 3)[1] for i in ids}, dtype="str")),
        images=FileImages(path, {i: i for i in ids}),
        steps=(*steps, *truth.steps),
        card={
            "layout": "ck+",
            "frames": "peak",
            "action unit present": "if listed" if threshold is None else f"from intensity {threshold:g}; unknown if not graded",
            "source": path.resolve().name,
        },
        task="multi-label",
    )


def _presence(intensity: int, threshold: float | None) -> int | None:
    """Whether a listed unit is present; unknown where a threshold asks for the intensity and there is none."""
    if threshold is None:
        return 1
    return None if intensity == NOT_GRADED else int(intensity >= threshold)


def _read_units(file: Path) -> dict[str, int]:
    """Intensities by action unit."""
    intensities: dict[str, int] = {}
    for number, line in read_lines(file):
        fields = [whole_number(text) for text in line.split()]
        unit, intensity = fields if len(fields) == len(("unit", "intensity")) else (None, None)
        if not unit or unit < 0 or intensity is None or not 0 <= intensity <= HIGHEST_INTENSITY:
            fail(file, number, f"{line!r} is not an action unit with an intensity from 0 to {HIGHEST_INTENSITY}")
        if f"AU{unit}" in intensities:
            fail(file, number, f"AU{unit} occurs twice")
        intensities[f"AU{unit}"] = intensity
    return intensities


def _only(folder: Path, kind: str) -> Path | None:
    """The one label file of a sequence, if it has one."""
    files = sorted(folder.glob(f"*_{kind}.txt")) if folder.is_dir() else []
    if len(files) > 1:
        message = f"{folder} has {len(files)} {kind} files; keep the one of the peak frame"
        raise DataError(message)
    return files[0] if files else None


def _read_label(folder: Path) -> tuple[str, str] | None:
    """Name of the labeled frame, and its label; ``None`` if the sequence has no emotion file."""
    file = _only(folder, "emotion")
    if file is None:
        return None
    lines = list(read_lines(file))
    number, text = lines[0] if lines else (1, "")
    code = whole_number(text)
    if code is None or not 0 <= code < len(SPELLINGS) or len(lines) != 1:
        fail(file, number, f"{text!r} is not one code from 0 to {len(SPELLINGS) - 1}")
    label = LabelSpace.of("CK+", SPELLINGS).labels[code]
    return file.name.removesuffix("_emotion.txt") + ".png", label


LOADER = Loader("ck+", "CK+ (cohn-kanade-images/ and Emotion/ or FACS/)", _matches, load, CARD)
