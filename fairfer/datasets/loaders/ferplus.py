"""FER+ in its official layout: ten votes per face, and the official rules that derive labels from them.

::

    ROOT/fer2013new.csv
    ROOT/data/FER2013Train/label.csv, fer0000000.png, …
    ROOT/data/FER2013Valid/…
    ROOT/data/FER2013Test/…

The two label files differ where images are exact duplicates: ``label.csv`` has the ten votes that each image received,
``fer2013new.csv`` repeats the votes of one of them. The official trainer reads ``label.csv``, and so does this loader by
default. The report names the file.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairfer.datasets.cards import DatasetCard
from fairfer.datasets.dataset import Dataset, Step, UnselectedFaces
from fairfer.datasets.duplicates import OtherImages, check_duplicates
from fairfer.datasets.images import FileImages, Images, PixelImages
from fairfer.datasets.layout_files import read_lines
from fairfer.datasets.loaders import Loader
from fairfer.datasets.loaders.fer2013 import SPLITS, read_pixels, sample_name, usage_of
from fairfer.datasets.tables import read_table
from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.labels import FERPLUS
from fairfer.vocabulary import TRUTH_PREFIX

VOTES = (*FERPLUS.labels, "unknown", "not a face")
"""The ten vote columns, in the order of both label files."""

FOLDERS = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
LABEL_FILES = ("label.csv", "fer2013new.csv")
ORDER = "the vote rule reads all ten columns; unsupported labels are excluded afterwards"
"""Stated in reports, because excluding a column of votes before the rule would change which faces pass it."""
MULTI_TARGET = "multi_target"
_EMOTIONS = len(FERPLUS)
# Constants of the official rules.
_SINGLE_VOTE = 1
_MAJORITY = 0.5
_TAKEN = 0.75
_MOST_CLASSES = 3
_TARGET_SHARE = 0.3
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
    """Official ``majority``: single votes are dropped; a class with more than half of the others is the label."""
    kept = _without_single_votes(votes)
    return np.where((kept == kept.max(1, keepdims=True)) & (kept > _MAJORITY * kept.sum(1, keepdims=True)), kept, 0.0)


def crossentropy(votes: Votes) -> NDArray[np.float64]:
    """Official ``crossentropy``: the classes with most votes are taken, all ties at once, until they have 75 % of the votes.

    Single votes are dropped first. Taking stops at three classes, or at *unknown* or *not a face*, which counts only if no
    emotion was taken before it. There is no label if the taken classes have at most half of the votes, or are more than three.
    """
    return np.array([_crossentropy(row) for row in _without_single_votes(votes)]).reshape(len(votes), len(VOTES))


def _crossentropy(row: NDArray[np.float64]) -> NDArray[np.float64]:
    remaining, taken = row.copy(), np.zeros(len(row))
    total, part, count, valid = remaining.sum(), 0.0, 0, True
    while part < _TAKEN * total and count < _MOST_CLASSES and valid:
        highest = remaining.max()
        for i in range(len(row)):
            if remaining[i] != highest:
                continue
            taken[i] = highest
            remaining[i] = 0
            part += highest
            count += 1
            if i >= _EMOTIONS:
                valid = False
                if taken.sum() > highest:
                    taken[i] = 0
                    count -= 1
                break
    return taken if taken.sum() > _MAJORITY * total and count <= _MOST_CLASSES else np.zeros(len(row))


def multi_target(votes: Votes) -> NDArray[np.float64]:
    """Official ``multi_target``: single votes are dropped; every class with at least 30 % of the others is a target.

    There is no target if the kept classes have at most half of the votes.
    """
    kept = _without_single_votes(votes)
    total = kept.sum(1, keepdims=True)
    kept = np.where(kept >= _TARGET_SHARE * total, kept, 0)
    return np.where(kept.sum(1, keepdims=True) > _MAJORITY * total, kept, 0)


def plurality(votes: Votes) -> NDArray[np.float64]:
    """The class with most of all ten votes, the first in FER+'s order on a tie; nothing is dropped. Not an official rule."""
    winner = np.zeros(votes.shape)
    winner[np.arange(len(votes)), votes.argmax(1)] = 1
    return winner


def _without_single_votes(votes: Votes) -> NDArray[np.float64]:
    return np.where(votes <= _SINGLE_VOTE, 0, votes).astype(float)


RULES: dict[str, Callable[[Votes], NDArray[np.float64]]] = {
    "majority": majority,
    "crossentropy": crossentropy,
    MULTI_TARGET: multi_target,
    "plurality": plurality,
}
"""Vote rules by name: (n, 10) votes to (n, 10) weights. A row of zeros has no label."""


def labels_of(votes: Votes, rule: str) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Return the class with the largest weight (one of `VOTES`), and whether it is an emotion.

    The class is the first in FER+'s order on a tie, as in the official reader, and ``unknown`` if all weights are 0. The
    official reader excludes faces whose class is not an emotion, also by the rule ``multi_target``.

    Raises
    ------
    UsageError
        If there is no such rule.
    """
    if rule not in RULES:
        message = f"--rule {rule!r} is not a vote rule of FER+; {did_you_mean(rule, RULES)}"
        raise UsageError(message)
    weights = RULES[rule](votes)
    winner = np.where(weights.sum(1) > 0, weights.argmax(1), VOTES.index("unknown"))
    return np.array(VOTES)[winner], winner < _EMOTIONS


def selects(votes: Votes, rule: str) -> NDArray[np.bool_]:
    """Whether faces with these votes have a label by a rule."""
    return labels_of(votes, rule)[1]


def targets_of(votes: Votes) -> NDArray[np.int8]:
    """Return (n, 8) targets by the rule ``multi_target``: 1 for the emotions of a face, else 0.

    As in the official reader, *unknown* and *not a face* are cut off, also where they are among the targets.
    """
    return (multi_target(votes)[:, :_EMOTIONS] > 0).astype(np.int8)


@dataclass(frozen=True)
class _Rows:
    """Rows of a label file: image names (made unique), their votes, and the number of rows without an image name."""

    names: list[str]
    votes: Votes
    removed: int


def _read_label_csv(path: Path) -> _Rows:
    names, votes = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.reader(file), 1):
                names.append(_image_name(row, path, number))
                votes.append(_votes(row[2:], path, number))
    except (OSError, UnicodeError, csv.Error) as error:
        message = f"{path} cannot be read ({error}); copy the file again from microsoft/FERPlus"
        raise DataError(message) from error
    return _Rows(_unique(names), np.array(votes, np.int64).reshape(-1, len(VOTES)), 0)


def _image_name(row: list[str], path: Path, number: int) -> str:
    if len(row) != 2 + len(VOTES) or not row[0]:
        message = f"{path}, line {number}: {len(row)} fields instead of name, box and ten votes; copy the file again"
        raise DataError(message)
    return row[0]


def _votes(cells: list[str], path: Path, number: int) -> list[int]:
    if not all(c.strip().isdecimal() for c in cells):
        message = f"{path}, line {number}: votes are not whole numbers ({','.join(cells)}); copy the file again"
        raise DataError(message)
    return [int(c) for c in cells]


def _read_new_csv(path: Path, usage: str) -> _Rows:
    table = read_table(path, text=("Image name",)).frame
    missing = [c for c in _NEW_HEADER if c not in table.columns]
    if missing:
        message = f"{path} has no column {missing[0]!r}; copy the file again from microsoft/FERPlus"
        raise DataError(message)
    rows = table[table["Usage"] == usage]
    named = rows["Image name"].notna()
    columns = {c: pd.to_numeric(rows.loc[named, c], errors="coerce").astype("float64") for c in _NEW_HEADER[2:]}
    numbers = pd.DataFrame(columns)
    wrong = (numbers.isna() | (numbers < 0) | (numbers % 1 != 0)).any(axis=1)
    if wrong.any():
        line = int(wrong.index[wrong][0]) + 2
        message = f"{path}, line {line}: votes are not whole numbers; copy the file again from microsoft/FERPlus"
        raise DataError(message)
    names = [str(n) for n in rows.loc[named, "Image name"]]
    return _Rows(_unique(names), numbers.to_numpy(np.int64), int((~named).sum()))


def _unique(names: list[str]) -> list[str]:
    """Rename repeated names: ``fer2013new.csv`` has four names twice, and the second row becomes ``name#2``."""
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
    pixels: str | os.PathLike[str] | None = None,
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
        How labels are derived from ten votes: ``majority`` (the official evaluation), ``crossentropy`` or ``plurality``
        give one label per face; ``multi_target`` gives any number (a multi-label dataset).
    votes_from
        ``label.csv`` (which the official trainer reads) or ``fer2013new.csv``.
    pixels
        Kaggle's ``fer2013.csv``, if the images were never written as PNG files.
    dedupe
        Exclude exact duplicates, also those of images in other splits.

    Raises
    ------
    DataError
        If a file is missing or is not FER+'s.
    UsageError
        If an option has an invalid value.
    """
    usage_of(split)
    if votes_from not in LABEL_FILES:
        message = f"--votes-from {votes_from!r} is not a label file of FER+; {did_you_mean(votes_from, LABEL_FILES)}"
        raise UsageError(message)
    labels_of(np.zeros((0, len(VOTES)), np.int64), rule)
    present = {s: r for s in FOLDERS if (r := _read_split(path, s, votes_from)) is not None}
    chosen = {s: r for s, r in present.items() if split in ("all", s)}
    if not chosen:
        advice = f"available: {', '.join(present)}" if present else "see datasets/README.md for the layout"
        message = f"{path} has no {split} split with {votes_from}; {advice}"
        raise DataError(message)
    votes = np.concatenate([r.votes for r in chosen.values()])
    label, is_emotion = labels_of(votes, rule)
    index = pd.Index([n for r in chosen.values() for n in r.names], name="sample_id", dtype="str")
    samples = _truth_columns(votes, rule, label, index)
    samples["split"] = pd.Series([s for s, r in chosen.items() for _ in r.names], index=index, dtype="str")
    images, others = _images(path, chosen, present, pixels)
    all_votes = pd.DataFrame(votes, index=index, columns=list(VOTES))
    dataset = Dataset(
        name=f"FER+ {split}",
        labels=FERPLUS,
        samples=samples[is_emotion],
        images=images,
        votes=all_votes[is_emotion],
        unselected=UnselectedFaces(rule, all_votes[~is_emotion], samples.loc[~is_emotion, ["split"]]),
        steps=_steps(chosen, votes_from, rule, label, is_emotion),
        card={
            "layout": "ferplus",
            "split": split,
            "vote rule": rule,
            "votes from": votes_from,
            "order": ORDER,
            "source": path.name,
        },
        task="multi-label" if rule == MULTI_TARGET else "single-label",
    )
    elsewhere = OtherImages(images, others, ", ".join(s for s in present if s not in chosen)) if others else None
    return check_duplicates(dataset, elsewhere, dedupe=dedupe)


def _truth_columns(votes: Votes, rule: str, label: NDArray[np.str_], index: pd.Index) -> pd.DataFrame:
    if rule != MULTI_TARGET:
        return pd.DataFrame({"label": label}, index=index, dtype="str")
    columns = [f"{TRUTH_PREFIX}{n}" for n in FERPLUS.labels]
    return pd.DataFrame(targets_of(votes), index=index, columns=columns).astype("Int8")


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
        steps.append(Step("rows without an image (removed by FER+)", removed))
    for what, why in (("unknown", f"labeled unknown by the rule {rule!r}"), ("not a face", "labeled as not a face")):
        excluded = int((~is_emotion & (label == what)).sum())
        if excluded:
            steps.append(Step(why, excluded))
    repeated = sum("#" in n for r in chosen.values() for n in r.names)
    if repeated:
        steps.append(Step(f"rows that repeat an image name, kept as NAME#2: {repeated}"))
    return tuple(steps)


def _images(
    root: Path, chosen: dict[str, _Rows], present: dict[str, _Rows], pixels: str | os.PathLike[str] | None
) -> tuple[Images, list[str]]:
    """Images of all splits that are present, and the names of those that were not chosen."""
    others = [n for s, r in present.items() if s not in chosen for n in r.names]
    if pixels is not None:
        table, stack = read_pixels(Path(pixels).expanduser())
        names = [sample_name(i) for i in range(len(table))]
        required = [n for r in chosen.values() for n in r.names]
        missing = {n.partition("#")[0] for n in required} - set(names)
        if missing:
            message = f"{pixels} has {len(names):,} rows but not {min(missing)}; give the complete fer2013.csv"
            raise DataError(message)
        rows = {n: int(n[3:10]) for n in [*required, *others] if n.partition("#")[0] in set(names)}
        images = PixelImages(list(rows), stack[list(rows.values())])
        return images, [n for n in others if n in rows]
    data = _data_folder(root) or root / "data"
    files = {n: f"{FOLDERS[s]}/{n.partition('#')[0]}" for s, r in present.items() for n in r.names}
    on_disk = {f"{f}/{p.name}" for f in FOLDERS.values() if (data / f).is_dir() for p in (data / f).iterdir()}
    if not any(files[n] in on_disk for r in chosen.values() for n in r.names):
        message = (
            f"{data} has none of the images; write them with FER+'s generate_training_data.py, "
            "or give Kaggle's table with --pixels fer2013.csv"
        )
        raise DataError(message)
    return FileImages(data, files), [n for n in others if files[n] in on_disk]


CARD = DatasetCard(
    title="FER+",
    content="the images of FER2013 with ten votes per face for eight emotions, unknown and not a face",
    license="MIT (labels)",
    permitted_use="The labels may be used and passed on for any purpose; the images are FER2013's, with no license stated.",
    obtain="`fairfer download ferplus` downloads the labels. The images come from Kaggle: add --pixels fer2013.csv.",
    url="https://github.com/microsoft/FERPlus",
    citation=(
        "Barsoum, Zhang, Canton Ferrer, Zhang: Training Deep Networks for Facial Expression Recognition with Crowd-Sourced "
        "Label Distribution. ICMI 2016."
    ),
    people="no attributes; identities are unknown",
)


def _sizes(path: Path) -> dict[str, int]:
    """Rows of the label files that are present."""
    data = _data_folder(path)
    files = {} if data is None else {s: data / f / "label.csv" for s, f in FOLDERS.items()}
    return {s: sum(1 for _ in read_lines(f)) for s, f in files.items() if f.is_file()}


LOADER = Loader(
    "ferplus", "FER+'s official folder (fer2013new.csv, data/FER2013Test/label.csv and PNGs)", _matches, load, CARD, _sizes
)
