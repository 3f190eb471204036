"""A hundred million faces from a Parquet file to rates and gaps: wall seconds, and the most memory that it took.

``python tests/bench/bench_hundred_million.py [--rows 100000000] [--folder FOLDER] [--threads N]``

A file of ``truth``, ``said``, ``gender`` and ``race`` (text, dictionary-encoded) is made up in a temporary folder, a row group
at a time. A fresh process then counts it (`fairfer.metrics.counts.count_relation`: everyone, by gender, by race, by both) and makes
all rates and gaps of the counts (`fairfer.audits.audit.measure_counts`, with the default number of draws; the first import of
Fairlearn is part of its time). DuckDB has the threads and the memory limit that it chooses by itself, unless ``--threads`` says
how many. The counts are held against those that the generator kept, and the file is deleted. Peak memory is that of a whole
process, Python and all packages included (``ru_maxrss``; not on Windows).
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from fairfer.audits.audit import MINIMUM, PERMUTATIONS, measure_counts
from fairfer.audits.result import AuditPlan
from fairfer.labels import FERPLUS
from fairfer.metrics.counts import EVERYONE, Grouping, count_relation, grouping_name

GOAL = 2.0
GROUPINGS: list[Grouping] = [(), ("gender",), ("race",), ("gender", "race")]
NO_ANSWER = "(no_face)"
LEVELS = {
    "truth": FERPLUS.labels,
    "said": (*FERPLUS.labels, NO_ANSWER),
    "gender": ("female", "male"),
    "race": ("black", "east asian", "indian", "latino", "middle eastern", "white"),
}
ROW_GROUP = 1_000_000
BYTES_A_ROW = 4


def generate(path: Path, rows: int) -> None:
    """Write the file, and beside it how often each combination was written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    generator = np.random.default_rng(0)
    shape = tuple(map(len, LEVELS.values()))
    written = np.zeros(shape, np.int64).ravel()
    schema = pa.schema({name: pa.dictionary(pa.int8(), pa.string()) for name in LEVELS})
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, ROW_GROUP):
            size = min(ROW_GROUP, rows - start)
            codes = {name: generator.integers(len(levels), size=size, dtype=np.int8) for name, levels in LEVELS.items()}
            # Seven in ten are read rightly, and one race a little worse than the others.
            right = generator.random(size, np.float32) < 0.7 - 0.02 * (codes["race"] == 0)
            codes["said"] = np.where(right, codes["truth"], codes["said"])
            columns = [pa.DictionaryArray.from_arrays(c, pa.array(LEVELS[n], pa.string())) for n, c in codes.items()]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=ROW_GROUP)
            written += np.bincount(np.ravel_multi_index(tuple(codes.values()), shape), minlength=len(written))
    np.save(path.with_suffix(".npy"), written.reshape(shape))


def count(path: Path, threads: int | None) -> dict[str, object]:
    """Count the file, measure, and tell how long each took."""
    import duckdb

    groups = {
        grouping_name(g): [",".join(names) for names in itertools.product(*(LEVELS[a] for a in g))] for g in GROUPINGS if g
    }
    how = {"unsupported_labels": "drop", "minimum": MINIMUM, "confidence": 0.95, "permutations": PERMUTATIONS, "seed": 0}
    settings = AuditPlan(by=[list(g) for g in GROUPINGS if g], **how)
    with duckdb.connect() as connection:
        if threads is not None:
            connection.execute(f"SET threads = {threads}")
        used, limit = connection.sql("SELECT current_setting('threads'), current_setting('memory_limit')").fetchall()[0]
        start = time.perf_counter()
        relation = "read_parquet('{}')".format(str(path).replace("'", "''"))
        counts = count_relation(connection, relation, GROUPINGS)
        counted = time.perf_counter()
    peak_of_counting = peak()
    measuring = time.perf_counter()
    measured = measure_counts(counts, FERPLUS.labels, {EVERYONE: [EVERYONE], **groups}, settings)
    done = time.perf_counter()
    crossed = counts[counts["attribute"] == "gender,race"]
    found = dict(zip(zip(crossed["group"], crossed["truth"], crossed["predicted"], strict=True), crossed["n"], strict=True))
    written = np.load(path.with_suffix(".npy"))
    kept = {}
    for where in np.argwhere(written):
        truth, said, gender, race = (names[i] for names, i in zip(LEVELS.values(), where, strict=True))
        kept[f"{gender},{race}", truth, said] = written[tuple(where)]
    return {
        "threads": used,
        "limit": limit,
        "counting": counted - start,
        "measuring": done - measuring,
        "peak_of_counting": peak_of_counting,
        "everyone": int(counts.loc[counts["attribute"] == EVERYONE, "n"].sum()),
        "cells": len(counts),
        "rates": len(measured.rates),
        "gaps": len(measured.gaps),
        "same": found == kept,
    }


def peak() -> float:
    """The most memory that this process has held, in GB (10⁹ bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def child(what: str, path: Path, *more: str) -> dict[str, object]:
    """Do one part in a process of its own, whose peak memory is that of the part."""
    start = time.perf_counter()
    command = [sys.executable, __file__, "--here", what, "--folder", str(path), *more]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {**json.loads(answer), "wall": time.perf_counter() - start}


def main() -> None:
    """Make the file up, count it, print and delete it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made; the system's own when not given")
    parser.add_argument("--threads", type=int, help="DuckDB's; as many as it takes by itself when not given")
    parser.add_argument("--here", choices=["generate", "count"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        done = generate(given.folder, given.rows) if given.here == "generate" else count(given.folder, given.threads)
        json.dump({**(done or {}), "peak": peak()}, sys.stdout)
        return
    with tempfile.TemporaryDirectory(prefix="fairfer-", dir=given.folder) as folder:
        free, needed = shutil.disk_usage(folder).free, given.rows * BYTES_A_ROW
        if free < needed:
            sys.exit(f"{folder} has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are needed; give another --folder")
        path = Path(folder) / "faces.parquet"
        made = child("generate", path, "--rows", str(given.rows))
        print(f"{given.rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB of Parquet in row groups of {ROW_GROUP:,}")
        print(f"made up in               {made['wall']:8.1f} s   peak {made['peak']:.2f} GB")
        found = child("count", path, *([] if given.threads is None else ["--threads", str(given.threads)]))
    agree = "yes" if found["same"] and found["everyone"] == given.rows else "NO"
    print(f"DuckDB with {found['threads']} threads, memory limit {found['limit']}")
    print(f"rows to {found['cells']:,} counts      {found['counting']:8.1f} s   peak so far {found['peak_of_counting']:.2f} GB")
    print(f"{found['rates']:,} rates, {found['gaps']} gaps    {found['measuring']:8.1f} s")
    print(f"the process as a whole   {found['wall']:8.1f} s   peak {found['peak']:.2f} GB (goal < {GOAL} GB)")
    print(f"counts are those that were written: {agree}")


if __name__ == "__main__":
    main()
