"""FER+ in its official layout: ten votes a face, and the official rules that make a label of them.

::

    ROOT/fer2013new.csv
    ROOT/data/FER2013Train/label.csv, fer0000000.png, …
    ROOT/data/FER2013Valid/…
    ROOT/data/FER2013Test/…

The two label files disagree: both give every row its votes, but where two pictures are pixel twins ``fer2013new.csv`` repeats
one twin's votes for both, and ``label.csv`` keeps the ten votes that each received. The official trainer reads ``label.csv``;
so does this loader unless told otherwise, and the report names the file.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.duplicates import report_twins
from fairfer.datasets.images import FileImages, Images, PixelImages
from fairfer.datasets.loaders.fer2013 import SPLITS, read_pixels, sample_name, usage_of
from fairfer.datasets.loading import Loader
from fairfer.datasets.table_files import read_table
from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.labels import FERPLUS

VOTES = (*FERPLUS.labels, "unknown", "not a face")
"""Meaning of the ten vote columns, in the order of both label files."""

FOLDERS = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
LABEL_FILES = ("label.csv", "fer2013new.csv")
ORDER = "the vote rule sees all ten columns; faces whose label a model cannot say are left out after it"
"""Dropping a column of votes first would change which faces pass the rule, so reports state which came first."""
_EMOTIONS = len(FERPLUS)
_NEW_HEADER = [
    "Usage",
    "Image name",
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
]

Votes = NDArray[np.int64]


def majority(votes: Votes) -> NDArray[np.float64]:
    """Official ``majority``: single votes are dropped; a class with more than half of the rest is the label."""
    kept = np.where(votes <= 1, 0, votes).astype(float)
    return np.where((kept == kept.max(1, keepdims=True)) & (kept > 0.5 * kept.sum(1, keepdims=True)), kept, 0.0)


def crossentropy(votes: Votes) -> NDArray[np.float64]:
    """Official ``crossentropy``: the highest classes are taken, ties at once, until they hold three quarters of the votes.

    Single votes are dropped first. Taking stops at three classes, or where *unknown* or *not a face* is reached, which is then
    un-taken when an emotion stood before it. No label when what was taken is at most half of the votes, or more than three.
    """
    return np.array([_crossentropy(row) for row in np.where(votes <= 1, 0, votes)]).reshape(len(votes), len(VOTES))


def _crossentropy(row: Votes) -> NDArray[np.float64]:
    left, taken = row.astype(float), np.zeros(len(row))
    everything, part, count, valid = left.sum(), 0.0, 0, True
    while part < 0.75 * everything and count < 3 and valid:  # noqa: PLR2004 - the official constants
        highest = left.max()
        for i in range(len(row)):
            if left[i] != highest:
                continue
            taken[i] = highest
            left[i] = 0
            part += highest
            count += 1
            if i >= _EMOTIONS:
                valid = False
                if taken.sum() > highest:
                    taken[i] = 0
                    count -= 1
                break
    return taken if taken.sum() > 0.5 * everything and count <= 3 else np.zeros(len(row))  # noqa: PLR2004


def multi_target(votes: Votes) -> NDArray[np.float64]:
    """Official ``multi_target``: single votes are dropped; every class with at least 30 % of the rest is kept.

    No label when what is kept is at most half of the votes.
    """
    kept = np.where(votes <= 1, 0, votes).astype(float)
    total = kept.sum(1, keepdims=True)
    kept = np.where(kept >= 0.3 * total, kept, 0)
    return np.where(kept.sum(1, keepdims=True) > 0.5 * total, kept, 0)


def plurality(votes: Votes) -> NDArray[np.float64]:
    """The class with the most of all ten votes, FER+'s first on a tie; nothing is dropped. Not an official rule."""
    winner = np.zeros(votes.shape)
    winner[np.arange(len(votes)), votes.argmax(1)] = 1
    return winner


RULES: dict[str, Callable[[Votes], NDArray[np.float64]]] = {
    "majority": majority,
    "crossentropy": crossentropy,
    "multi_target": multi_target,
    "plurality": plurality,
}
"""Vote rules by name: (n, 10) votes to (n, 10) weights, a row of zeros where no class wins. The label is the largest weight,
the first in FER+'s order on a tie, as the official reader takes it."""


def labels_of(votes: Votes, rule: str) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """The class that each face's votes give (one of `VOTES`, ``unknown`` when none wins) and whether it is an emotion.

    Raises
    ------
    UsageError
        When there is no such rule.
    """
    if rule not in RULES:
        message = f"--rule {rule!r} is no vote rule of FER+; {did_you_mean(rule, RULES)}"
        raise UsageError(message)
    weights = RULES[rule](votes)
    winner = np.where(weights.sum(1) > 0, weights.argmax(1), VOTES.index("unknown"))
    return np.array(VOTES)[winner], winner < _EMOTIONS


@dataclass(frozen=True)
class _Rows:
    """Rows of a label file: picture names (made unique), their votes, and how many rows name no picture."""

    names: list[str]
    votes: Votes
    removed: int


def _read_label_csv(path: Path) -> _Rows:
    names, votes = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.reader(file), 1):
                names.append(_picture(row, path, number))
                votes.append(_votes(row[2:], path, number))
    except (OSError, UnicodeError, csv.Error) as error:
        message = f"{path} cannot be read ({error}); copy it again from microsoft/FERPlus"
        raise DataError(message) from error
    return _Rows(_unique(names), np.array(votes, np.int64).reshape(-1, len(VOTES)), 0)


def _picture(row: list[str], path: Path, number: int) -> str:
    if len(row) != 2 + len(VOTES) or not row[0]:
        message = (
            f"{path}, line {number}: not 'name, box, ten votes' but {len(row)} fields; copy it again from microsoft/FERPlus"
        )
        raise DataError(message)
    return row[0]


def _votes(cells: list[str], path: Path, number: int) -> list[int]:
    if not all(c.strip().isdecimal() for c in cells):
        message = f"{path}, line {number}: votes must be whole numbers, not {','.join(cells)}; copy the file again"
        raise DataError(message)
    return [int(c) for c in cells]


def _read_new_csv(path: Path, usage: str) -> _Rows:
    table = read_table(path, text=("Image name",))
    missing = [c for c in _NEW_HEADER if c not in table.columns]
    if missing:
        message = f"{path} lacks the column {missing[0]!r}; give fer2013new.csv of microsoft/FERPlus"
        raise DataError(message)
    rows = table[table["Usage"] == usage]
    named = rows["Image name"].notna()
    columns = {c: pd.to_numeric(rows.loc[named, c], errors="coerce").astype("float64") for c in _NEW_HEADER[2:]}
    numbers = pd.DataFrame(columns)
    wrong = (numbers.isna() | (numbers < 0) | (numbers % 1 != 0)).any(axis=1)
    if wrong.any():
        line = int(wrong.index[wrong][0]) + 2
        message = f"{path}, line {line}: votes must be whole numbers; copy the file again from microsoft/FERPlus"
        raise DataError(message)
    names = [str(n) for n in rows.loc[named, "Image name"]]
    return _Rows(_unique(names), numbers.to_numpy(np.int64), int((~named).sum()))


def _unique(names: list[str]) -> list[str]:
    """``fer2013new.csv`` lists four names twice; the second row of a name becomes ``name#2``."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return unique


def _data_folder(root: Path) -> Path | None:
    return next((p for p in (root / "data", root) if any((p / f / "label.csv").is_file() for f in FOLDERS.values())), None)


def _new_file(root: Path) -> Path | None:
    return next((p for p in (root / "fer2013new.csv", root.parent / "fer2013new.csv") if p.is_file()), None)


def _matches(path: Path) -> bool:
    return path.is_dir() and (_data_folder(path) is not None or (path / "fer2013new.csv").is_file())


def load(
    path: Path,
    *,
    split: str = "test",
    rule: str = "majority",
    votes_from: str = "label.csv",
    pixels: str | None = None,
    dedupe: bool = False,
) -> Dataset:
    """Read FER+.

    Parameters
    ----------
    path
        Folder of the official layout.
    split
        ``train``, ``valid``, ``test`` or ``all``.
    rule
        How ten votes make a label: ``majority`` (how FER+ evaluates), ``crossentropy``, ``multi_target`` or ``plurality``.
    votes_from
        ``label.csv`` (what the official trainer reads) or ``fer2013new.csv``.
    pixels
        Kaggle's ``fer2013.csv``, when the pictures were never written out as PNG files.
    dedupe
        Keep each picture once, and none that also occurs in another split.

    Raises
    ------
    DataError
        When a file is missing or is not what FER+ publishes.
    UsageError
        When an option has a value that does not exist.
    """
    usage_of(split)
    if votes_from not in LABEL_FILES:
        message = f"--votes-from {votes_from!r} is no label file of FER+; {did_you_mean(votes_from, LABEL_FILES)}"
        raise UsageError(message)
    labels_of(np.zeros((0, len(VOTES)), np.int64), rule)
    splits = list(FOLDERS) if split == "all" else [split]
    present = {s: r for s in FOLDERS if (r := _read_split(path, s, votes_from)) is not None}
    chosen = {s: present[s] for s in splits if s in present}
    if not chosen or (split != "all" and split not in present):
        have = f"there are: {', '.join(present)}" if present else "see the layout in datasets/README.md"
        message = f"{path} has no {split} split with {votes_from}; {have}"
        raise DataError(message)
    names = [n for r in chosen.values() for n in r.names]
    votes = np.concatenate([r.votes for r in chosen.values()])
    label, is_emotion = labels_of(votes, rule)
    index = pd.Index(names, name="sample_id", dtype="str")
    samples = pd.DataFrame({"label": label, "split": [s for s, r in chosen.items() for _ in r.names]}, index=index, dtype="str")
    images, others = _images(path, chosen, present, pixels)
    dataset = Dataset(
        name=f"FER+ {split}",
        labels=FERPLUS,
        samples=samples[is_emotion],
        images=images,
        votes=pd.DataFrame(votes, index=index, columns=list(VOTES))[is_emotion],
        steps=_steps(chosen, votes_from, rule, label, is_emotion),
        card={
            "layout": "ferplus",
            "split": split,
            "vote rule": rule,
            "votes from": votes_from,
            "order": ORDER,
            "source": path.name,
        },
    )
    elsewhere = ", ".join(s for s in present if s not in chosen)
    return report_twins(dataset, images if others else None, others, elsewhere, dedupe=dedupe)


def _read_split(root: Path, split: str, votes_from: str) -> _Rows | None:
    if votes_from == "fer2013new.csv":
        file = _new_file(root)
        rows = None if file is None else _read_new_csv(file, SPLITS[split])
        return rows if rows is not None and rows.names else None
    data = _data_folder(root)
    file = None if data is None else data / FOLDERS[split] / "label.csv"
    return _read_label_csv(file) if file is not None and file.is_file() else None


def _steps(
    chosen: dict[str, _Rows], votes_from: str, rule: str, label: NDArray[np.str_], is_emotion: NDArray[np.bool_]
) -> tuple[Step, ...]:
    removed = sum(r.removed for r in chosen.values())
    steps = [Step(f"rows in {votes_from}: {len(label) + removed:,}")]
    if removed:
        steps.append(Step("rows that name no picture (removed by FER+)", removed))
    for what, why in (("unknown", f"unknown by the rule {rule!r}"), ("not a face", "voted not a face")):
        excluded = int((~is_emotion & (label == what)).sum())
        if excluded:
            steps.append(Step(why, excluded))
    repeated = sum("#" in n for r in chosen.values() for n in r.names)
    if repeated:
        steps.append(Step(f"rows that repeat a picture's name, kept with #2 after it: {repeated}"))
    return tuple(steps)


def _images(root: Path, chosen: dict[str, _Rows], present: dict[str, _Rows], pixels: str | None) -> tuple[Images, list[str]]:
    """Pictures of all splits at hand, and the names of those that were not chosen."""
    others = [n for s, r in present.items() if s not in chosen for n in r.names]
    if pixels is not None:
        table, pictures = read_pixels(Path(pixels).expanduser())
        names = [sample_name(i) for i in range(len(table))]
        wanted = [n for r in chosen.values() for n in r.names]
        lacking = {n.partition("#")[0] for n in wanted} - set(names)
        if lacking:
            message = f"{pixels} has {len(names):,} rows and lacks {min(lacking)}; give the whole fer2013.csv"
            raise DataError(message)
        rows = {n: int(n[3:10]) for n in [*wanted, *others] if n.partition("#")[0] in set(names)}
        images = PixelImages(list(rows), pictures[list(rows.values())])
        return images, [n for n in others if n in rows]
    data = _data_folder(root) or root / "data"
    files = {n: f"{FOLDERS[s]}/{n.partition('#')[0]}" for s, r in present.items() for n in r.names}
    on_disk = {f"{f}/{p.name}" for f in FOLDERS.values() if (data / f).is_dir() for p in (data / f).iterdir()}
    if not any(files[n] in on_disk for r in chosen.values() for n in r.names):
        message = (
            f"{data} holds none of the pictures; write them with FER+'s generate_training_data.py, "
            "or give Kaggle's table with --pixels fer2013.csv"
        )
        raise DataError(message)
    return FileImages(data, files), [n for n in others if files[n] in on_disk]


LOADER = Loader("ferplus", "FER+'s official folder (fer2013new.csv, data/FER2013Test/label.csv and PNGs)", _matches, load)
