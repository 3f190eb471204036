"""Data sets of Hugging Face: Parquet files with images in them, folders of such files, and folders of ``save_to_disk``.

Parquet and Arrow files are read with pyarrow, so no extra is needed. The names of a ``ClassLabel`` are in the metadata of the
file (``huggingface``) or in ``dataset_info.json``. Images are read row by row when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.demographics import read_attributes
from fairfer.datasets.duplicates import check_duplicates
from fairfer.datasets.image_rows import RowImages, RowSource
from fairfer.datasets.label_columns import TRUTH, Truth, multi_label_truth, single_label_truth
from fairfer.datasets.loaders import Loader
from fairfer.datasets.loaders.huggingface_files import (
    IMAGE,
    Part,
    is_saved_to_disk,
    parquet_files,
    parquet_parts,
    saved_parts,
)
from fairfer.datasets.tables import SourceTable, find_column, from_frame, is_pattern, list_some, match_columns
from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.labels import SPACES

_FEWEST = 2
"""Fewest labels that can be told apart."""


def _matches(path: Path) -> bool:
    return is_saved_to_disk(path) or bool(parquet_files(path))


def load(
    path: Path,
    *,
    truth: str | None = None,
    labels: str | None = None,
    split: str | None = None,
    image_column: str | None = None,
    dedupe: bool = False,
    name: str | None = None,
    not_missing: Mapping[str, Sequence[str]] | None = None,
) -> Dataset:
    """Read a Parquet file with images, a folder of Parquet files, or a folder of ``save_to_disk``.

    Parameters
    ----------
    path
        The file or folder.
    truth
        Column of true labels (by default ``label``, ``emotion``, …), or a pattern such as ``truth_*`` for one column per label.
    labels
        Label space: ``ferplus``, ``fer2013``, ``affectnet``, or a list separated by commas. Needed for integer codes whose
        names are not in the file: the position in the list is the code.
    split
        Which split to read; all by default.
    image_column
        Column of images; by default the only one.
    dedupe
        Exclude exact duplicates.
    name
        Name of the dataset; that of the file or folder by default.
    not_missing
        For each attribute the values that look like a word for a missing value and are none.

    Raises
    ------
    DataError
        If a file is damaged or missing, or integer codes have no names.
    UsageError
        If a column or split does not exist.
    """
    parts = saved_parts(path) if is_saved_to_disk(path) else parquet_parts(path)
    dataset = from_parts(
        parts,
        path if path.is_file() else path / path.resolve().name,
        truth=truth,
        labels=labels,
        split=split,
        image_column=image_column,
        not_missing=not_missing,
    )
    dataset = dataset.replace(name=name or " ".join([path.resolve().stem, *([split] if split else [])]))
    return check_duplicates(dataset, dedupe=True) if dedupe else dataset


def from_parts(
    parts: Sequence[Part],
    source: Path,
    *,
    truth: str | None,
    labels: str | None,
    split: str | None,
    image_column: str | None,
    not_missing: Mapping[str, Sequence[str]] | None,
) -> Dataset:
    """Make a dataset of tables with the same columns.

    Parameters
    ----------
    parts
        One table or several, each with the name of its split.
    source
        The file, for error messages; the provenance of attributes is looked for beside it.
    truth, labels, split, image_column, not_missing
        See `load`.

    Raises
    ------
    DataError, UsageError
        See `load`.
    """
    chosen = _of_split(parts, split, source)
    column = _image_column(chosen[0], image_column, source)
    nested = chosen[0].nested(column)
    frame, rows = _joined(chosen, column, source)
    clean = from_frame(frame.reset_index(drop=True)).frame.set_axis(frame.index, axis=0) if len(frame.columns) else frame
    table = SourceTable(clean, source)
    target, used = _truth(table, chosen[0].names, truth, labels)
    labeled = table.frame.loc[target.columns.index]
    others = [c for c in table.columns if c not in {*used, "label", "split"}]
    groups = read_attributes(SourceTable(labeled[others], source), others, not_missing)
    splits = labeled[[c for c in labeled.columns if c == "split"]]
    unlabeled = len(frame) - len(labeled)
    return Dataset(
        name=source.stem,
        labels=target.labels,
        samples=pd.concat([target.columns, groups.frame, splits], axis=1),
        attributes=groups.attributes,
        refused=groups.refused,
        images=RowImages(rows),
        steps=(
            Step(f"rows in {source.name}: {len(frame):,}"),
            *([Step(f"columns that hold lists or structures and are not read: {list_some(nested)}")] if nested else []),
            *([Step("rows without a true label", unlabeled, unlabeled=True)] if unlabeled else []),
        ),
        card={
            "layout": "huggingface",
            "source": source.name,
            "truth": truth or list_some(used),
            "image column": column,
            **({"split": split} if split else {}),
        },
        task=target.task,
    )


def _of_split(parts: Sequence[Part], split: str | None, source: Path) -> Sequence[Part]:
    if split in (None, "all"):
        return parts
    chosen = [p for p in parts if p.split == split]
    if not chosen:
        names = sorted({p.split for p in parts} - {""})
        advice = did_you_mean(str(split), names) if names else "its file names state none; remove --split"
        message = f"{source} has no split {split!r}; {advice}"
        raise UsageError(message)
    return chosen


def _image_column(part: Part, requested: str | None, source: Path) -> str:
    if requested is not None:
        if requested not in part.columns:
            message = f"{source} has no column {requested!r} (--image-column); {did_you_mean(requested, part.columns)}"
            raise UsageError(message)
        if requested not in part.images(binary=True):
            message = f"{source}, column {requested!r} holds no images (--image-column); name a column of encoded images"
            raise UsageError(message)
        return requested
    images = part.images()
    if len(images) == 1 or IMAGE in images:
        return IMAGE if IMAGE in images else images[0]
    found = f"several columns of images ({list_some(images)})" if images else "no column of images"
    message = f"{source} has {found}; name one with --image-column"
    raise UsageError(message)


def _joined(parts: Sequence[Part], column: str, source: Path) -> tuple[pd.DataFrame, dict[str, tuple[RowSource, int]]]:
    """Rows of all parts by sample id, and for each id the row that has its image."""
    for part in parts[1:]:
        if set(part.columns) != set(parts[0].columns) or part.names != parts[0].names:
            message = (
                f"{part.source} has other columns or class names than {parts[0].source}; read one with --split, or rewrite it"
            )
            raise DataError(message)
    frames = [part.frame(column) for part in parts]
    ids = _sample_ids(parts, column)
    rows = {}
    for part, names in zip(parts, ids, strict=True):
        pixels = part.pixels(column)
        rows.update({n: (pixels, i) for i, n in enumerate(names)})
    frame = pd.concat(frames, ignore_index=True)
    if not len(frame):
        message = f"{source} has no rows; give a data set with at least one"
        raise DataError(message)
    frame.index = pd.Index([n for names in ids for n in names], name="sample_id", dtype="str")
    if any(p.split for p in parts) and "split" not in frame:
        frame["split"] = [p.split for p, names in zip(parts, ids, strict=True) for _ in names]
    for name, classes in parts[0].names.items():
        if name in frame:
            frame[name] = _class_names(frame[name], classes, f"{source}, column {name!r}")
    return frame, rows


def _sample_ids(parts: Sequence[Part], column: str) -> list[list[str]]:
    """Paths of the images where all have one and none occurs twice, else the split and the number of the row in it."""
    paths = [part.paths(column) for part in parts]
    names = [f"{part.split}/{path}" if part.split else path for part, of in zip(parts, paths, strict=True) for path in of]
    if all(p and p == p.strip() for of in paths for p in of) and len(set(names)) == len(names):
        named = iter(names)
        return [[next(named) for _ in of] for of in paths]
    counts: dict[str, int] = {}
    ids = []
    for part, of in zip(parts, paths, strict=True):
        start = counts.get(part.split, 0)
        ids.append([f"{part.split or 'row'}/{start + i}" for i in range(len(of))])
        counts[part.split] = start + len(of)
    return ids


def _class_names(values: pd.Series, classes: Sequence[str], where: str) -> pd.Series:
    """Codes of a ``ClassLabel`` as names; -1, by which Hugging Face marks an unknown label, is missing."""
    codes = values.where(values != -1)
    wrong = codes.notna() & ~codes.isin(range(len(classes)))
    if bool(wrong.any()):
        message = (
            f"{where}, row {values.index[wrong][0]!r}: code {codes[wrong].iloc[0]} has no name; the file has {len(classes)}"
        )
        raise DataError(message)
    return codes.map(dict(enumerate(classes))).astype("str").where(codes.notna())


def _truth(
    table: SourceTable, names: Mapping[str, Sequence[str]], requested: str | None, labels: str | None
) -> tuple[Truth, list[str]]:
    """True labels, and their columns."""
    if is_pattern(table, requested):
        columns = match_columns(table, str(requested), "--truth")
        return multi_label_truth(table.frame, columns, labels, table.source), list(columns.values())
    column = find_column(table, requested, TRUTH, "the true labels; name the column with --truth")
    if column is None:
        message = (
            f"{table.source} has no column called {list_some(TRUTH)}; name the column of true labels with --truth "
            f"(columns: {list_some(table.columns)})"
        )
        raise UsageError(message)
    where, values = table.column(column), table.frame[column]
    if column not in names and pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        space = _code_names(labels, where)
        values = _class_names_of(values, space, where)
        labels = labels if labels in SPACES else ",".join(space.values())
    return single_label_truth(values, labels, where), [column]


def _code_names(labels: str | None, where: str) -> dict[int, str]:
    """Names of integer codes, from ``--labels``."""
    if labels is None:
        message = (
            f"{where} holds integer codes without names; state their order with --labels, "
            "as in --labels fer2013 or --labels angry,happy,sad"
        )
        raise UsageError(message)
    if labels in SPACES:
        return dict(enumerate(SPACES[labels].labels))
    parts = [p.strip() for p in labels.split(",") if p.strip()]
    pairs = [p.partition("=")[::2] if "=" in p else (str(i), p) for i, p in enumerate(parts)]
    if not all(code.strip().isdecimal() and label.strip() for code, label in pairs) or len(parts) < _FEWEST:
        message = f"--labels {labels!r}: list the labels in the order of their codes, as in angry,happy or 1=angry,2=happy"
        raise UsageError(message)
    return {int(code): label.strip() for code, label in pairs}


def _class_names_of(values: pd.Series, names: Mapping[int, str], where: str) -> pd.Series:
    wrong = values.notna() & ~values.isin(list(names))
    if bool(wrong.any()):
        message = (
            f"{where}, row {values.index[wrong][0]!r}: code {values[wrong].iloc[0]:g} has no label in --labels "
            f"({list_some(f'{c}={n}' for c, n in names.items())}); list all codes"
        )
        raise DataError(message)
    return values.map(names).astype("str").where(values.notna())


LOADER = Loader(
    "huggingface",
    "a Parquet file with images, a folder of such files, or a folder of save_to_disk (Hugging Face)",
    _matches,
    load,
)
