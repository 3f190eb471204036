"""A folder of images in Hugging Face's imagefolder convention.

Either a ``metadata.csv`` (``.jsonl``, ``.parquet``) beside the images, with a column ``file_name``, the true label (or one
column per label, named with ``--truth 'truth_*'``) and attributes as the other columns; or one folder per label
(``happy/…``), also below split folders (``train/happy/…``). The provenance of the attributes is in ``metadata.toml`` or
``attributes.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pandas as pd

from fairfer.datasets.binary_columns import Coding
from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.demographics import read_attributes
from fairfer.datasets.duplicates import check_duplicates
from fairfer.datasets.images import FileImages
from fairfer.datasets.label_columns import TRUTH, multi_label_truth, single_label_truth
from fairfer.datasets.loaders import Loader
from fairfer.datasets.tables import SourceTable, find_column, is_pattern, list_some, match_columns, read_table
from fairfer.datasets.vote_columns import add_plurality, read_votes, with_votes
from fairfer.errors import DataError, UsageError, did_you_mean

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm"})
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
    votes: str | None = None,
    not_missing: Mapping[str, Sequence[str]] | None = None,
    au_threshold: float | None = None,
    unknown_codes: str | None = None,
) -> Dataset:
    """Read a folder of images.

    Parameters
    ----------
    path
        The folder.
    truth
        Metadata column of true labels (by default ``label``, ``emotion``, …), or a pattern such as ``truth_*`` for one
        column per label (1, 0, and 9, NA or empty for unknown).
    labels
        Label space: ``ferplus``, ``fer2013``, ``affectnet``, or a list separated by commas. By default the labels in the data.
    split
        Which split folder to read; all by default.
    dedupe
        Exclude exact duplicates.
    name
        Name of the dataset; the folder's name by default.
    votes
        Pattern for metadata columns of raters' votes or of a soft label, one per label (``votes_*``), or one column of JSON
        lists. Without a column of true labels, the label with the most votes is the true one.
    not_missing
        For each attribute the values that look like a word for a missing value and are none.
    au_threshold
        The columns of true labels are intensities of action units, 0 to 5; a unit is present from this one.
    unknown_codes
        Codes in the columns of true labels that mean unknown, in addition to 9, separated by commas, such as ``-1,999``.

    Raises
    ------
    DataError
        If there are no images, or the metadata do not fit them.
    UsageError
        If a column or split does not exist.
    """
    coding = Coding.of(au_threshold, unknown_codes)
    if not path.is_dir():
        message = f"{path} is not a folder; give the folder of the images"
        raise DataError(message)
    parts = [_read(folder, path, truth, votes, labels, split=s) for folder, s in _split_folders(path, split).items()]
    frame = pd.concat([p.frame for p in parts])
    metadata = next((p.metadata for p in parts if p.metadata is not None), None)
    table = SourceTable(frame, metadata or path)
    columns = match_columns(table, str(truth), "--truth") if parts[0].multi_label else {"label": "label"}
    if parts[0].multi_label:
        target = multi_label_truth(frame, columns, labels, table.source, coding)
    else:
        coding.refuse_single_label()
        target = single_label_truth(frame["label"], labels, table.column(parts[0].truth))
    labeled = frame.loc[target.columns.index]
    rated = None if votes is None else read_votes(table, votes, labels)
    rating = rated.used if rated is not None else ()
    others = [str(c) for c in frame.columns if c not in {*columns.values(), *rating, "label", "split"}]
    groups = read_attributes(SourceTable(labeled[others], metadata), others, not_missing)
    splits = labeled[[c for c in labeled.columns if c == "split"]]
    dataset = Dataset(
        name=name or (f"{path.resolve().name} {split}" if split else path.resolve().name),
        labels=target.labels,
        samples=pd.concat([target.columns, groups.frame, splits], axis=1),
        attributes=groups.attributes,
        refused=groups.refused,
        images=FileImages(path, {str(i): str(i) for i in labeled.index}),
        steps=_steps(parts, len(frame) - len(labeled)),
        card={
            "layout": "folder",
            "source": path.resolve().name,
            **({"split": split} if split else {}),
            **coding.describe(),
        },
        task=target.task,
    )
    if rated is not None:
        dataset = with_votes(dataset, rated, parts[0].truth)
    # Finding duplicates decodes every image. FER+ is known to have many; another folder is searched only if asked to.
    return check_duplicates(dataset, dedupe=True) if dedupe else dataset


@dataclass(frozen=True)
class _Part:
    """The images of one folder.

    Attributes
    ----------
    frame
        Indexed by path relative to the dataset. The true labels are in ``label``, or in the columns of a pattern.
    truth
        Name of the column of true labels in the metadata, or the pattern.
    multi_label
        Whether `truth` is a pattern.
    metadata
        The metadata file, if there is one.
    step
        How many rows or images there are.
    """

    frame: pd.DataFrame
    truth: str
    multi_label: bool
    metadata: Path | None
    step: Step


def _split_folders(path: Path, split: str | None) -> dict[Path, str]:
    """The folders to read, with the name of their split; the folder itself if it has no split folders."""
    folders = {path: ""}
    if _metadata(path) is None:
        named = {p: SPLITS[p.name.casefold()] for p in sorted(path.iterdir()) if p.is_dir() and p.name.casefold() in SPLITS}
        folders = named or folders
    if split is None:
        return folders
    splits = sorted(set(folders.values()) - {""})
    if SPLITS.get(split, split) not in splits:
        message = f"{path} has no split {split!r}; {did_you_mean(split, splits)}"
        raise UsageError(message)
    return {f: s for f, s in folders.items() if s == SPLITS.get(split, split)}


def _read(folder: Path, root: Path, truth: str | None, votes: str | None, labels: str | None, *, split: str) -> _Part:
    metadata = _metadata(folder)
    if metadata is None and votes is not None:
        message = f"--votes {votes!r} names columns, but {folder} has no {METADATA[0]}; add one, or remove the option"
        raise UsageError(message)
    part = _from_folders(folder, truth) if metadata is None else _from_metadata(metadata, truth, votes, labels)
    prefix = "" if folder == root else folder.relative_to(root).as_posix() + "/"
    frame = part.frame.set_axis(pd.Index([prefix + str(i) for i in part.frame.index], name="sample_id", dtype="str"), axis=0)
    return replace(part, frame=frame.assign(split=split) if split else frame)


def _from_metadata(path: Path, truth: str | None, votes: str | None, labels: str | None) -> _Part:
    table = read_table(path, text=("file_name",))
    if votes is not None:
        table, truth = add_plurality(table, read_votes(table, votes, labels), truth)
    file_column = find_column(table, None, ("file_name",), "the image files")
    if file_column is None:
        message = f"{path} has no column 'file_name'; add one with the file of each image"
        raise DataError(message)
    multi_label = is_pattern(table, truth)
    truth_column = None
    if not multi_label:
        truth_column = find_column(table, truth, TRUTH, "the true labels; name the column with --truth")
        if truth_column is None:
            message = (
                f"{path} has no column called {list_some(TRUTH)}; name the column of true labels with --truth, "
                "or one column per label with a pattern such as --truth 'truth_*'"
            )
            raise UsageError(message)
        if truth_column != "label" and "label" in table.columns:
            message = f"{path} has a column 'label' beside the true labels in {truth_column!r}; rename it"
            raise DataError(message)
    files = _check_files(table, file_column, path.parent)
    frame = table.frame.set_index(files).drop(columns=file_column)
    if truth_column is not None:
        frame = frame.rename(columns={truth_column: "label"})
    return _Part(frame, truth_column or str(truth), multi_label, path, Step(f"rows in {path.name}: {len(files):,}"))


def _check_files(table: SourceTable, column: str, folder: Path) -> pd.Series:
    """The column of files: each occurs once and is below the folder, and at least one of them exists."""
    nameless = table.frame[column].isna().to_numpy()
    if nameless.any():
        message = (
            f"{table.source}, row {table.row(int(nameless.argmax()))}: {column} is empty; name the image or remove the row"
        )
        raise DataError(message)
    files = table.frame[column].astype("str")
    repeated = files[files.duplicated()]
    if len(repeated):
        message = f"{table.source} has the file {repeated.iloc[0]!r} more than once; keep one row per image"
        raise DataError(message)
    outside = [f for f in files if PurePosixPath(f).is_absolute() or ".." in PurePosixPath(f).parts]
    if outside:
        message = f"{table.source} has the file {outside[0]!r}, which is outside of its folder; give paths below the folder"
        raise DataError(message)
    if not any((folder / f).is_file() for f in files):
        message = f"{table.source} has {len(files):,} files and none exists (first: {files.iloc[0]}); correct file_name"
        raise DataError(message)
    return files


def _from_folders(folder: Path, truth: str | None) -> _Part:
    if truth is not None:
        message = f"--truth {truth!r} names a column, but {folder} has no {METADATA[0]}; add one, or remove the option"
        raise UsageError(message)
    labels = {
        f"{label.name}/{file.relative_to(label).as_posix()}": label.name
        for label in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        for file in sorted(label.rglob("*"))
        if file.suffix.lower() in SUFFIXES
    }
    if not labels:
        message = (
            f"{folder} has neither a {METADATA[0]} nor one folder of images per label; see datasets/README.md for the layouts"
        )
        raise DataError(message)
    frame = pd.DataFrame({"label": list(labels.values())}, index=list(labels), dtype="str")
    return _Part(frame, "label", multi_label=False, metadata=None, step=Step(f"images in label folders: {len(labels):,}"))


def _steps(parts: Sequence[_Part], unlabeled: int) -> tuple[Step, ...]:
    return (*(p.step for p in parts), *([Step("rows without a true label", unlabeled, unlabeled=True)] if unlabeled else []))


LOADER = Loader("folder", "a folder with metadata.csv (file_name, label, …) or one folder of images per label", _matches, load)
