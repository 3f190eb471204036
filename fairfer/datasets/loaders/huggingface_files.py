"""Tables in the files that Hugging Face's ``datasets`` writes: Parquet, and the Arrow files of ``save_to_disk``."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fairfer.datasets.image_rows import ArrowColumn, ParquetColumn, RowSource
from fairfer.datasets.loaders.folder import SPLITS
from fairfer.errors import DataError
from fairfer.files import read_text

IMAGE = "image"
"""Usual name of the column of images."""

_STATE, _INFO, _SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
_SHARD = re.compile(r"(?P<split>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})(-[0-9a-f]+)?")
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException)
_DEPTH = 3


@dataclass(frozen=True)
class Part:
    """A table with its features.

    Attributes
    ----------
    source
        Its file or folder, for error messages.
    split
        Name of its split; empty if it has none.
    schema
        Columns and their types.
    features
        Description of the columns by ``datasets``; empty if the file has none.
    data
        The table, memory-mapped; ``None`` for a Parquet file, which is read by column.
    """

    source: Path
    split: str
    schema: pa.Schema
    features: Mapping[str, Any]
    data: pa.Table | None = None

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(n) for n in self.schema.names]

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """For each column of class codes the names of the classes."""
        return {
            str(column): tuple(map(str, feature["names"]))
            for column, feature in self.features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list)
        }

    def images(self, *, binary: bool = False) -> list[str]:
        """Columns of images: structures of ``bytes`` and ``path``; with `binary` also columns of bytes."""
        return [f.name for f in self.schema if _is_image(f.type) or (binary and _is_binary(f.type))]

    def nested(self, image: str) -> list[str]:
        """Columns that cannot be attributes: lists, structures and bytes, except the images."""
        return [f.name for f in self.schema if f.name != image and (pa.types.is_nested(f.type) or _is_binary(f.type))]

    def frame(self, image: str) -> pd.DataFrame:
        """The columns that can be labels or attributes."""
        skipped = {image, *self.nested(image)}
        columns = [c for c in self.columns if c not in skipped]
        table = self._read(columns)
        return table.to_pandas(ignore_metadata=True) if columns else pd.DataFrame(index=range(self.rows))

    @property
    def rows(self) -> int:
        """Number of rows."""
        if self.data is not None:
            return int(self.data.num_rows)
        with pq.ParquetFile(self.source) as file:
            return int(file.metadata.num_rows)

    def paths(self, image: str) -> list[str]:
        """Path of each image as it is stored, empty where there is none. Absolute paths are made relative to their folder."""
        if not _is_image(self.schema.field(image).type):
            return [""] * self.rows
        field = self._read([f"{image}.path"]).column(image)
        paths = [str(p or "") for p in pc.struct_field(field, "path").to_pylist()]
        if all(Path(p).is_absolute() for p in paths) and paths:
            common = os.path.commonpath([str(Path(p).parent) for p in paths])
            paths = [Path(p).relative_to(common).as_posix() for p in paths]
        return paths

    def pixels(self, image: str) -> RowSource:
        """The images."""
        if self.data is not None:
            return ArrowColumn(self.data.column(image), self.source)
        with pq.ParquetFile(self.source) as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
        return ParquetColumn(self.source, image, [sum(sizes[:i]) for i in range(len(sizes))])

    def _read(self, columns: Sequence[str]) -> pa.Table:
        """Some columns; ``image.path`` is a field of a structure."""
        if self.data is not None:
            return self.data.select(list(dict.fromkeys(c if c in self.columns else c.partition(".")[0] for c in columns)))
        try:
            with pq.ParquetFile(self.source) as file:
                return file.read(columns=list(columns))
        except _DAMAGE as error:
            raise _damaged(self.source, error) from error


def _is_image(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind)) and {kind.field(i).name for i in range(kind.num_fields)} == {"bytes", "path"}


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _damaged(path: Path, error: Exception) -> DataError:
    reason = (str(error).strip() or type(error).__name__).partition("\n")[0]
    return DataError(f"{path} cannot be read ({reason}); download or write it again")


# Parquet


def parquet_files(path: Path) -> list[Path]:
    """Parquet files with a column of images: the file, or those in a folder; empty if there are none, or on any error."""
    try:
        files = [path] if path.is_file() else _parquet_below(path)
        if not files or files[0].suffix.lower() != ".parquet":
            return []
        schema = pq.read_schema(files[0])
        return files if any(_is_image(f.type) for f in schema) else []
    except _DAMAGE:
        return []


def _parquet_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = [p for depth in range(_DEPTH) for p in folder.glob("*/" * depth + "*.parquet")]
    return sorted(p for p in files if not any(n.startswith(".") for n in p.relative_to(folder).parts))


def parquet_parts(path: Path) -> list[Part]:
    """Tables of Parquet files.

    Raises
    ------
    DataError
        If there are none, one is damaged, or a shard is missing.
    """
    files = [path] if path.is_file() else _parquet_below(path)
    if not files:
        message = f"{path} has no Parquet files; give the file, or the folder that holds data/train-00000-of-00001.parquet"
        raise DataError(message)
    _check_shards(files, path)
    return [_parquet_part(file, path) for file in files]


def _parquet_part(file: Path, root: Path) -> Part:
    try:
        schema = pq.read_schema(file)
        stored = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = stored.get("info", {}).get("features", {}) if isinstance(stored, dict) else {}
        return Part(file, _split_of(file, root), schema, features if isinstance(features, dict) else {})
    except _DAMAGE as error:
        raise _damaged(file, error) from error


def _split_of(file: Path, root: Path) -> str:
    """Split of a file: from ``SPLIT-00000-of-00002``, or a usual name of the file or of a folder above it."""
    if shard := _SHARD.fullmatch(file.stem):
        return shard["split"]
    folders = [] if file == root else [p.name for p in file.relative_to(root).parents if p.name]
    words = [file.stem, re.split(r"[-_.]", file.stem)[0], *(folders if file != root else [])]
    return next((w for w in words if w.casefold() in SPLITS), "")


def _check_shards(files: Sequence[Path], path: Path) -> None:
    """Refuse a folder with a missing shard: its rows would be absent without a word. A single file is what was asked for."""
    if path.is_file():
        return
    sets: dict[tuple[Path, str, int], set[int]] = {}
    for file in files:
        if shard := _SHARD.fullmatch(file.stem):
            sets.setdefault((file.parent, shard["split"], int(shard["total"])), set()).add(int(shard["number"]))
    for (folder, split, total), numbers in sets.items():
        if missing := sorted(set(range(total)) - numbers):
            message = f"{folder} has not {split}-{missing[0]:05}-of-{total:05}.parquet; download the missing files"
            raise DataError(message)


# save_to_disk


def is_saved_to_disk(path: Path) -> bool:
    """Whether a folder was written by ``save_to_disk``."""
    return path.is_dir() and ((path / _SPLITS).is_file() or ((path / _STATE).is_file() and (path / _INFO).is_file()))


def saved_parts(path: Path) -> list[Part]:
    """Tables of a folder of ``save_to_disk``, of one dataset or of several splits.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    """
    if not (path / _SPLITS).is_file():
        return [_saved_part(path, "")]
    splits = _read_json(path / _SPLITS).get("splits")
    if not isinstance(splits, list) or not splits:
        message = f"{path / _SPLITS} lists no splits; save the data set again with save_to_disk"
        raise DataError(message)
    return [_saved_part(path / str(s), str(s)) for s in splits]


def _saved_part(folder: Path, split: str) -> Part:
    state, info = _read_json(folder / _STATE), _read_json(folder / _INFO)
    if state.get("_indices_data_files"):
        message = f"{folder} was saved by an old version of datasets with rows in another order; save it again"
        raise DataError(message)
    try:
        files = [folder / str(f["filename"]) for f in state["_data_files"]]
        tables = []
        for file in files:
            with pa.memory_map(str(file)) as source:
                tables.append(pa.ipc.open_stream(source).read_all())
        data = pa.concat_tables(tables)
    except _DAMAGE as error:
        raise _damaged(folder, error) from error
    features = info.get("features")
    return Part(folder, split, data.schema, features if isinstance(features, dict) else {}, data)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path, "utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not isinstance(content, dict):
        raise _damaged(path, ValueError("it is not a JSON object"))
    return content
