"""How long a model took, recorded only when asked, and apart from its answers: times differ between runs, answers do not.

``times/part-NNNNN.parquet`` has the columns ``sample_id``, ``seconds`` (per image: the average of its call) and ``images`` (in
the call). An image that could not be read has no row.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fairfer.files import write_into_place

FOLDER = "times"


def times_path(run: Path, index: int) -> Path:
    """File of the times of one part."""
    return run / FOLDER / f"part-{index:05d}.parquet"


def write_times(path: Path, times: pd.DataFrame) -> None:
    """Write the times of one part in one step."""
    table = pa.Table.from_pandas(times.reset_index(), preserve_index=False)
    write_into_place(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def read_times(run: Path, parts: int) -> pd.DataFrame | None:
    """Times of a run, indexed by ``sample_id``; ``None`` if it has none. A damaged file counts as missing."""
    found = []
    for index in range(parts):
        path = times_path(run, index)
        try:
            found.append(pq.read_table(path, partitioning=None, columns=["sample_id", "seconds", "images"]).to_pandas())
        except (OSError, pa.ArrowException):
            continue
    return pd.concat(found).set_index("sample_id") if found else None
