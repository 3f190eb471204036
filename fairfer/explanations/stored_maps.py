"""Relevance maps of a run, computed in parts and stored, so that an interrupted command can be resumed.

::

    RUN/explanations/METHOD/part-00000.parquet

A part holds `PART_SIZE` pairs of a face and a label. A map is stored with at most `SIDE` pixels a side, as 16-bit floats
relative to its largest magnitude. A map shows the outline of one person's face: the folder is shared with the same care as the
dataset. Parts of another network, method or dataset are made again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fairfer.datasets.dataset import digest_lines
from fairfer.datasets.images import UnreadableImageError
from fairfer.predictions.run_folder import read_part, write_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from fairfer.datasets.dataset import Dataset
    from fairfer.explanations.attribution import Method

FORMAT = 1
"""Version of the files."""

PART_SIZE = 256
"""Pairs per part."""

SIDE = 64
"""Largest height and width of a stored map, in pixels. Larger maps are summed over blocks of pixels."""


@dataclass(frozen=True)
class MapPart:
    """Maps of consecutive pairs.

    Attributes
    ----------
    readable
        (n,) whether the image could be read; the other arrays hold not a number where it could not.
    maps
        (n, height, width) signed relevance; positive speaks for the label.
    frames
        (n, 4) left, top, width and height of each map in the pixels of its image.
    outputs
        (n,) the network's output that is explained.
    conserved
        (n,) sum of the relevance as a share of the output, for methods that promise it.
    """

    readable: NDArray[np.bool_]
    maps: NDArray[np.float32]
    frames: NDArray[np.float64]
    outputs: NDArray[np.float64]
    conserved: NDArray[np.float64]


def make_maps(
    dataset: Dataset,
    method: Method,
    pairs: pd.DataFrame,
    targets: Sequence[int],
    folder: Path | None,
    identity: str,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Iterator[MapPart]:
    """Make, or read, the maps of pairs of a face and a label, part by part. Memory does not depend on the number of pairs.

    Parameters
    ----------
    dataset
        Images.
    method
        How the maps are made.
    pairs
        Columns ``sample_id`` and ``label``.
    targets
        (pairs,) number of each label among the network's outputs.
    folder
        Where parts are stored; nowhere if ``None``.
    identity
        What the maps depend on beside method, images and pairs: name, version and options of the model.
    progress
        Wraps the iterable of parts.
    """
    ids, labels = pairs["sample_id"].astype("str").tolist(), pairs["label"].astype("str").tolist()
    options = json.dumps(dict(method.options), sort_keys=True)
    for index in progress(range(-(-len(ids) // PART_SIZE))):
        rows = slice(index * PART_SIZE, (index + 1) * PART_SIZE)
        lines = [str(FORMAT), identity, method.name, options, dataset.images_digest]
        digest = digest_lines([*lines, *(f"{i}\t{label}" for i, label in zip(ids[rows], labels[rows], strict=True))])
        path = None if folder is None else folder / f"part-{index:05d}.parquet"
        table = None if path is None else read_part(path, digest)
        if table is None:
            part = _made(dataset, method, ids[rows], targets[rows])
            table = _to_table(part, ids[rows], labels[rows])
            if path is not None:
                write_part(path, table, digest)
        yield _from_table(table)  # also without a folder, so that the numbers do not depend on it


def _made(dataset: Dataset, method: Method, ids: Sequence[str], targets: Sequence[int]) -> MapPart:
    images, rows = [], []
    for i, sample_id in enumerate(ids):
        try:
            images.append(dataset.image(sample_id))
        except UnreadableImageError:
            continue
        rows.append(i)
    n = len(ids)
    readable = np.zeros(n, bool)
    readable[rows] = True
    numbers = np.full((n, 6), np.nan)
    if not rows:
        return MapPart(readable, np.zeros((n, 1, 1), np.float32), numbers[:, :4], numbers[:, 4], numbers[:, 5])
    maps = method.maps(images, [targets[i] for i in rows])
    small = shrink(maps.values)
    values = np.full((n, *small.shape[1:]), np.nan, np.float32)
    values[rows] = small
    numbers[rows] = np.column_stack([maps.frames, maps.outputs, maps.conserved])
    return MapPart(readable, values, numbers[:, :4], numbers[:, 4], numbers[:, 5])


def shrink(maps: NDArray[np.float32], side: int = SIDE) -> NDArray[np.float32]:
    """Maps of at most `side` pixels a side. Each pixel is the sum of a block, so that the relevance of a map is kept.

    Parameters
    ----------
    maps
        (n, height, width).
    side
        Largest height and width of the result.
    """
    _, height, width = maps.shape
    down, across = (_summing(length, min(length, side)) for length in (height, width))
    return np.asarray(down @ maps.astype(np.float64) @ across.T, np.float32)


def _summing(length: int, shorter: int) -> NDArray[np.float64]:
    """(shorter, length) matrix that sums pixels into blocks of equal size; a pixel on a border is divided between two."""
    edges = np.arange(shorter + 1) * (length / shorter)
    pixel = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return np.asarray(np.clip(overlap, 0, None))


def _to_table(part: MapPart, ids: Sequence[str], labels: Sequence[str]) -> pa.Table:
    n, height, width = part.maps.shape
    largest = np.nan_to_num(np.abs(part.maps)).reshape(n, -1).max(axis=1, initial=0)
    relative = part.maps / np.where(largest > 0, largest, 1)[:, None, None]
    return pa.table(
        {
            "sample_id": pa.array(list(ids), pa.string()),
            "label": pa.array(list(labels), pa.string()),
            "readable": pa.array(part.readable),
            "output": pa.array(part.outputs),
            "conserved": pa.array(part.conserved),
            **{name: pa.array(part.frames[:, i]) for i, name in enumerate(("left", "top", "width", "height"))},
            "largest": pa.array(largest.astype(np.float32)),
            "rows": pa.array(np.full(n, height)),
            "columns": pa.array(np.full(n, width)),
            "map": pa.array([m.tobytes() for m in relative.astype("<f2")], pa.binary()),
        }
    )


def _from_table(table: pa.Table) -> MapPart:
    columns = {name: table.column(name).to_numpy() for name in table.column_names if name not in ("sample_id", "label", "map")}
    shape = (int(columns["rows"][0]), int(columns["columns"][0]))
    relative = np.frombuffer(b"".join(table.column("map").to_pylist()), "<f2").reshape(-1, *shape)
    return MapPart(
        columns["readable"].astype(bool),
        relative.astype(np.float32) * columns["largest"][:, None, None].astype(np.float32),
        np.column_stack([columns[name] for name in ("left", "top", "width", "height")]),
        columns["output"],
        columns["conserved"],
    )
