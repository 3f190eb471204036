"""BP4D: people in eight tasks that evoke emotions, with the occurrence of action units in the coded frames.

::

    ROOT/AUCoding/AU_OCC/F001_T1.csv      header: numbers of action units; first column: frame; 1, 0, and 9 for unknown
    ROOT/Images/F001/T1/2440.jpg          or 2D+3D/, BP4D-training/, …

The path of an image names the subject and the task, and the last number of its name is that of the frame.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from fairfer.datasets.cards import DatasetCard
from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.images import FileImages
from fairfer.datasets.layout_files import annotated, fail, first_names, read_lines, whole_number
from fairfer.datasets.loaders import Loader
from fairfer.datasets.unit_frames import Frame, find_frames, find_image_folder, pair_frames, unit_truth
from fairfer.errors import DataError

UNKNOWN = 9
"""The action unit could not be coded, because it was hidden."""
GENDERS = {"F": "female", "M": "male"}
_CODES = ("AUCoding/AU_OCC", "AU_OCC")
_IMAGES = ("Images", "BP4D-training", "2D+3D", "Sequences(2D+3D)", "Sequences")
_FILE = re.compile(r"([FM]\d{3})_(T\d+)\.csv", re.IGNORECASE)
_RECORDING = re.compile(r"(?<![A-Za-z])([FM]\d{3})[/_ -]+(T\d{1,2})(?!\d)", re.IGNORECASE)
_VALUES = {0: 0, 1: 1, UNKNOWN: None}

CARD = DatasetCard(
    title="BP4D",
    content="videos of 41 people in eight tasks that evoke emotions; occurrence of action units in about 140,000 coded frames",
    license="by agreement",
    permitted_use="Non-commercial research by the group that signed the agreement; some pictures may be printed.",
    obtain="Sign the agreement on the page. Extract AUCoding and the images into one folder.",
    url="http://www.cs.binghamton.edu/~lijun/Research/3DFE/3DFE_Analysis.html",
    citation=(
        "Zhang, Yin, Cohn, Canavan, Reale, Horowitz, Liu, Girard: BP4D-Spontaneous: a high-resolution spontaneous 3D dynamic "
        "facial expression database. Image and Vision Computing 32(10), 2014."
    ),
    people="41 subjects (column subject), 23 women and 18 men; gender from the names of the files",
    audit_options="--model py-feat-aus --subject subject",
)


def _codes(path: Path) -> Path | None:
    return next((path / n for n in _CODES if any(_FILE.fullmatch(f) for f in first_names(path / n))), None)


def _matches(path: Path) -> bool:
    return path.is_dir() and _codes(path) is not None


def load(path: Path, *, labels: str | None = None, image_folder: str | None = None) -> Dataset:
    """Read BP4D: the coded frames that have an image, as multi-label data. Audits should use ``--subject subject``.

    Parameters
    ----------
    path
        The folder with ``AUCoding/AU_OCC``.
    labels
        Action units to read, such as ``AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU14,AU15,AU17,AU23,AU24``; by default all that were
        coded in some frame.
    image_folder
        Folder of the images; by default ``Images``, ``BP4D-training``, ``2D+3D`` or ``Sequences``.

    Raises
    ------
    DataError
        If a file is missing or is not BP4D's.
    UsageError
        If there is no such action unit.
    """
    folder = _codes(path)
    if folder is None:
        message = f"{path} has no {_CODES[0]}/F001_T1.csv; see `fairfer datasets bp4d` for how to obtain it"
        raise DataError(message)
    advice = "extract the images as F001/T1/2440.jpg, or name their folder with --image-folder"
    images = find_image_folder(path, image_folder, _IMAGES, advice)
    tables = [_read(file) for file in sorted(folder.iterdir()) if _FILE.fullmatch(file.name)]
    files = find_frames(images, _RECORDING, "BP4D")
    codes, steps = pair_frames(pd.concat(tables), files, images, "BP4D")
    truth = unit_truth(codes, labels, "BP4D")
    frame_of = {file: frame for frame, file in files.files.items()}
    names = {i: frame_of[str(i)][0].partition("_")[::2] for i in truth.columns.index}
    gender, attribute = annotated(
        "gender",
        {str(i): GENDERS[subject[0]] for i, (subject, _) in names.items()},
        tuple(GENDERS.values()),
        "the authors of BP4D (letter of the subject)",
        "the documentation does not say whether the subjects were asked",
    )
    samples = truth.columns.assign(
        subject=pd.Series({i: subject for i, (subject, _) in names.items()}, dtype="str"),
        task=pd.Series({i: task for i, (_, task) in names.items()}, dtype="str"),
        frame=pd.Series({i: frame_of[str(i)][1] for i in names}, dtype="int64"),
    )
    return Dataset(
        name="BP4D",
        labels=truth.labels,
        samples=samples.join(gender),
        attributes=(attribute,),
        images=FileImages(images, {i: i for i in truth.columns.index}),
        steps=(Step(f"coded recordings: {len(tables):,}"), *steps, *truth.steps),
        card={"layout": "bp4d", "action unit present": "occurrence", "source": path.resolve().name},
        task="multi-label",
    )


def _read(file: Path) -> pd.DataFrame:
    """Occurrence of each unit in one recording, indexed by frame: 1, 0 or missing."""
    recording = file.stem.upper()
    lines = read_lines(file)
    number, header = next(lines, (1, ""))
    units = [whole_number(cell) for cell in header.split(",")[1:]]
    numbers = [u for u in units if u is not None and u > 0]
    if not units or len(numbers) < len(units) or len(set(numbers)) < len(numbers):
        fail(file, number, f"{header[:60]!r} is no header of a column for the frame and one for each action unit")
    rows: dict[Frame, list[int | None]] = {}
    for number, line in lines:
        cells = [whole_number(cell) for cell in line.split(",")]
        frame, *values = cells
        if len(values) != len(numbers) or frame is None:
            fail(file, number, f"{len(values)} codes instead of {len(numbers)}, or no number of the frame")
        wrong = next((text for text, v in zip(line.split(",")[1:], values, strict=True) if v not in _VALUES), None)
        if wrong is not None:
            fail(file, number, f"{wrong!r} is none of the codes 0, 1 and {UNKNOWN}")
        if (recording, frame) in rows:
            fail(file, number, f"frame {frame} occurs twice")
        rows[recording, frame] = [_VALUES[v] for v in values if v is not None]
    if not rows:
        fail(file, 1, "no coded frame follows the header")
    index = pd.Index(list(rows), tupleize_cols=False)
    return pd.DataFrame(list(rows.values()), index=index, columns=[f"AU{n}" for n in numbers]).astype("Int8")


LOADER = Loader("bp4d", "BP4D (AUCoding/AU_OCC/ and images such as F001/T1/2440.jpg)", _matches, load, CARD)
