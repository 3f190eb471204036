"""A folder of pictures in Hugging Face's imagefolder convention.

Either a ``metadata.csv`` (``.jsonl``, ``.parquet``) with a column ``file_name`` beside the pictures, its other columns the
label and the attributes; or one folder per label (``happy/…``), also below split folders (``train/happy/…``). Provenance of the
attributes stands in ``metadata.toml`` or ``attributes.toml``.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from fairfer.datasets.annotations import read_attributes
from fairfer.datasets.dataset import Attribute, Dataset, Step
from fairfer.datasets.duplicates import report_twins
from fairfer.datasets.images import FileImages
from fairfer.datasets.label_columns import TRUTH, label_space, to_labels, whereabouts
from fairfer.datasets.loading import Loader
from fairfer.datasets.table_files import find_column, read_table, show
from fairfer.errors import DataError, UsageError, did_you_mean

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm"})
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
SPLITS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
}


def _matches(path: Path) -> bool:
    if not path.is_dir():
        return False
    return _metadata(path) is not None or any(_metadata(p) or p.is_dir() for p in path.iterdir())


def _metadata(folder: Path) -> Path | None:
    return next((folder / name for name in METADATA if (folder / name).is_file()), None) if folder.is_dir() else None


def load(
    path: Path,
    *,
    truth: str | None = None,
    labels: str | None = None,
    split: str | None = None,
    dedupe: bool = False,
    name: str | None = None,
) -> Dataset:
    """Read a folder of pictures.

    Parameters
    ----------
    path
        The folder.
    truth
        Column of the true label in the metadata; ``label``, ``emotion``, … when not given.
    labels
        The label space: ``ferplus``, ``fer2013``, ``affectnet``, or a list with commas; by the values when not given.
    split
        Which of the split folders to read; all when not given.
    dedupe
        Keep each picture once.
    name
        What to call the data set; the folder's name when not given.

    Raises
    ------
    DataError
        When there are no pictures, or the metadata does not fit them.
    UsageError
        When a column or split does not exist.
    """
    if not path.is_dir():
        message = f"{path} is no folder; give the folder of the pictures"
        raise DataError(message)
    folders = _split_folders(path)
    if split is not None:
        known = sorted(set(folders.values()) - {""})
        if SPLITS.get(split, split) not in known:
            message = f"{path} has no split {split!r}; {did_you_mean(split, known)}"
            raise UsageError(message)
        folders = {f: s for f, s in folders.items() if s == SPLITS.get(split, split)}
    parts = [_read(folder, path, truth, split=s) for folder, s in folders.items()]
    frames, notes = [p[0] for p in parts], [step for p in parts for step in p[1]]
    samples = pd.concat(frames)
    table = next((t for f in folders if (t := _metadata(f)) is not None), None)
    where = (
        whereabouts(path, truth or "label") if table is None else whereabouts(table, str(samples.attrs.get("truth", "label")))
    )
    space = label_space(labels, samples["label"], where)
    samples["label"] = to_labels(samples["label"], space, where)
    columns = [str(c) for c in samples.columns if c not in ("label", "split")]
    attributes: tuple[Attribute, ...] = ()
    refused: dict[str, tuple[Attribute, str]] = {}
    if columns and table is not None:
        attributes, refused, samples = read_attributes(samples, columns, table)
    dataset = Dataset(
        name=name or (f"{path.resolve().name} {split}" if split else path.resolve().name),
        labels=space,
        samples=samples,
        attributes=attributes,
        refused=refused,
        images=FileImages(path, {str(i): str(i) for i in samples.index}),
        steps=tuple(notes),
        card={"layout": "folder", "source": path.resolve().name, **({"split": split} if split else {})},
    )
    # Looking for twins decodes every picture: unlike FER+, which is known to hold many, a folder is searched when asked to.
    return report_twins(dataset, None, (), "", dedupe=True) if dedupe else dataset


def _split_folders(path: Path) -> dict[Path, str]:
    """The folders to read, with the name of their split; the folder itself when it has no split folders."""
    if _metadata(path) is None:
        found = {p: SPLITS[p.name.casefold()] for p in sorted(path.iterdir()) if p.is_dir() and p.name.casefold() in SPLITS}
        if found:
            return found
    return {path: ""}


def _read(folder: Path, root: Path, truth: str | None, *, split: str) -> tuple[pd.DataFrame, list[Step]]:
    table = _metadata(folder)
    frame, steps = _from_folders(folder) if table is None else _from_metadata(table, truth)
    prefix = "" if folder == root else folder.relative_to(root).as_posix() + "/"
    frame.index = pd.Index([prefix + str(i) for i in frame.index], name="sample_id", dtype="str")
    if split:
        frame["split"] = split
    return frame, steps


def _from_metadata(table: Path, truth: str | None) -> tuple[pd.DataFrame, list[Step]]:
    frame = read_table(table, text=("file_name",))
    file_column = find_column(frame, None, ("file_name",), table, "the picture's file")
    if file_column is None:
        message = f"{table} has no column 'file_name'; name each picture's file in it"
        raise DataError(message)
    truth_column = find_column(frame, truth, TRUTH, table, "the true label; name it with --truth")
    if truth_column is None:
        message = f"{table} has no column called {show(TRUTH)}; name the true label's with --truth"
        raise UsageError(message)
    nameless = frame[file_column].isna().to_numpy()
    if nameless.any():
        message = f"{table}, row {int(nameless.argmax()) + 2}: no {file_column}; name the picture or remove the row"
        raise DataError(message)
    if truth_column != "label" and "label" in frame.columns:
        message = f"{table} has a column 'label' beside the true label {truth_column!r}; rename it"
        raise DataError(message)
    files = frame[file_column].astype("str")
    twice = files[files.duplicated()]
    if len(twice):
        message = f"{table} names the file {twice.iloc[0]!r} more than once; keep one row a picture"
        raise DataError(message)
    outside = [f for f in files if PurePosixPath(f).is_absolute() or ".." in PurePosixPath(f).parts]
    if outside:
        message = f"{table} names {outside[0]!r}, which lies outside of its folder; give paths below it"
        raise DataError(message)
    if not any((table.parent / f).is_file() for f in files):
        message = f"{table} names {len(files):,} pictures and none is there (the first: {files.iloc[0]}); check file_name"
        raise DataError(message)
    unlabelled = frame[truth_column].isna()
    frame = frame.rename(columns={truth_column: "label"}).set_index(files).drop(columns=file_column)[~unlabelled.to_numpy()]
    frame.attrs["truth"] = truth_column
    steps = [Step(f"rows in {table.name}: {len(files):,}")]
    if unlabelled.any():
        steps.append(Step("rows without a true label", int(unlabelled.sum())))
    return frame, steps


def _from_folders(folder: Path) -> tuple[pd.DataFrame, list[Step]]:
    found = {
        f"{label.name}/{file.relative_to(label).as_posix()}": label.name
        for label in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        for file in sorted(label.rglob("*"))
        if file.suffix.lower() in PICTURES
    }
    if not found:
        message = f"{folder} holds no metadata.csv and no folder of pictures per label; see datasets/README.md for the layouts"
        raise DataError(message)
    frame = pd.DataFrame({"label": list(found.values())}, index=list(found), dtype="str")
    return frame, [Step(f"pictures below {folder.name}, labelled by their folder: {len(found):,}")]


LOADER = Loader(
    "folder", "a folder with metadata.csv (file_name, label, …) or one folder of pictures per label", _matches, load
)
