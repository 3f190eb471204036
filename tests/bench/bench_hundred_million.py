"""100,000,000 samples from a Parquet file to rates and gaps: wall time and peak memory.

``python tests/bench/bench_hundred_million.py [--rows 100000000] [--folder FOLDER]``

A file of ``status``, ``truth``, ``predicted``, ``gender`` and ``race`` (text, dictionary-encoded) is generated in a temporary
folder, one row group at a time. A fresh process counts it (`fairfer.metrics.counts.count`: everyone, by gender, by race, by
both) and computes all rates and gaps (`fairfer.audits.audit.measure_counts`, with the default number of permutations; the first
import of Fairlearn is part of its time). DuckDB uses its default number of threads and memory limit. The counts are compared
with those that the generator kept, and the file is deleted. Peak memory is that of a whole process, Python and all packages
included (``ru_maxrss``; not on Windows).
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

from fairfer.audits.audit import measure_counts
from fairfer.audits.plan import AuditPlan
from fairfer.labels import FERPLUS
from fairfer.metrics.counts import Counts, Source, count
from fairfer.vocabulary import EVERYONE, STATUSES, Grouping

GOAL = 2.0
"""Of peak memory, in GB."""

GROUPINGS: list[Grouping] = [EVERYONE, ("gender",), ("race",), ("gender", "race")]
LEVELS = {
    "truth": FERPLUS.labels,
    "predicted": (*FERPLUS.labels, "no_face"),
    "gender": ("female", "male"),
    "race": ("black", "east asian", "indian", "latino", "middle eastern", "white"),
}
"""Levels of each column; a prediction may be missing with the status ``no_face``."""

ROW_GROUP = 1_000_000
BYTES_PER_ROW = 4


def generate(path: Path, rows: int) -> None:
    """Write the file, and beside it the number of samples with each combination of levels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    generator = np.random.default_rng(0)
    shape = tuple(map(len, LEVELS.values()))
    written = np.zeros(shape, np.int64).ravel()
    schema = pa.schema({name: pa.dictionary(pa.int8(), pa.string()) for name in ("status", *LEVELS)})
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, ROW_GROUP):
            size = min(ROW_GROUP, rows - start)
            codes = {name: generator.integers(len(levels), size=size, dtype=np.int8) for name, levels in LEVELS.items()}
            # About 70 % are classified correctly, of one race somewhat fewer than of the others.
            correct = generator.random(size, np.float32) < 0.7 - 0.02 * (codes["race"] == 0)
            codes["predicted"] = np.where(correct, codes["truth"], codes["predicted"])
            missing = codes["predicted"] == len(FERPLUS.labels)
            status = np.where(missing, STATUSES.index("no_face"), STATUSES.index("ok")).astype(np.int8)
            columns = [pa.DictionaryArray.from_arrays(status, pa.array(STATUSES, pa.string()))]
            for name, code in codes.items():
                levels = pa.array(LEVELS[name], pa.string())
                columns.append(
                    pa.DictionaryArray.from_arrays(pa.array(code, mask=missing if name == "predicted" else None), levels)
                )
            writer.write_table(pa.table(columns, schema=schema), row_group_size=ROW_GROUP)
            written += np.bincount(np.ravel_multi_index(tuple(codes.values()), shape), minlength=len(written))
    np.save(path.with_suffix(".npy"), written.reshape(shape))


def measure(path: Path) -> dict[str, object]:
    """Count the file and compute rates and gaps; returns the time of each."""
    import duckdb

    groups = {g: list(itertools.product(*(LEVELS[a] for a in g))) for g in GROUPINGS}
    threads, limit = duckdb.sql("SELECT current_setting('threads'), current_setting('memory_limit')").fetchall()[0]
    relation = "read_parquet('{}')".format(str(path).replace("'", "''"))
    source = Source(relation, "single-label", FERPLUS.labels, {a: a for a in ("gender", "race")})
    start = time.perf_counter()
    counts = count(source, groups)
    counting = time.perf_counter() - start
    peak_of_counting = peak()
    start = time.perf_counter()
    measured = measure_counts(counts, "single-label", AuditPlan().metrics)
    measuring = time.perf_counter() - start
    return {
        "threads": threads,
        "limit": limit,
        "counting": counting,
        "measuring": measuring,
        "peak_of_counting": peak_of_counting,
        "everyone": int(counts[EVERYONE].total.sum()),
        "cells": sum(len(c.confusions.count) for c in counts.values() if c.confusions is not None),
        "rates": len(measured.rates),
        "gaps": len(measured.gaps),
        "same": equal_counts(counts["gender", "race"], np.load(path.with_suffix(".npy"))),
    }


def equal_counts(counts: Counts, written: np.ndarray) -> bool:
    """Whether the confusions by gender and race are those written, of shape (truth, predicted, gender, race)."""
    confusions = counts.confusions
    if confusions is None:
        return False
    table = np.zeros_like(written)
    gender, race = np.divmod(confusions.group, len(LEVELS["race"]))
    # Numbers of labels are those of `FERPLUS`; -1 is a missing prediction, the last level.
    np.add.at(table, (confusions.truth, confusions.predicted, gender, race), confusions.count)
    return bool((table == written).all())


def peak() -> float:
    """Peak memory of this process in GB (10⁹ bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def run_step(step: str, path: Path, *options: str) -> dict[str, object]:
    """Run one step in a process of its own, so that its peak memory is that of the step."""
    start = time.perf_counter()
    command = [sys.executable, __file__, "--step", step, "--folder", str(path), *options]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {**json.loads(output), "wall": time.perf_counter() - start}


def main() -> None:
    """Generate the file, measure it, print the figures and delete it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--folder", type=Path, help="parent of the temporary folder; the system's default when not given")
    parser.add_argument("--step", choices=["generate", "measure"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        generated = options.step == "generate"
        figures = generate(options.folder, options.rows) if generated else measure(options.folder)
        json.dump({**(figures or {}), "peak": peak()}, sys.stdout)
        return
    with tempfile.TemporaryDirectory(prefix="fairfer-", dir=options.folder) as folder:
        free, needed = shutil.disk_usage(folder).free, options.rows * BYTES_PER_ROW
        if free < needed:
            sys.exit(f"{folder} has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are needed; choose another --folder")
        path = Path(folder) / "faces.parquet"
        generation = run_step("generate", path, "--rows", str(options.rows))
        print(f"{options.rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB of Parquet in row groups of {ROW_GROUP:,}")
        print(f"generated in             {generation['wall']:8.1f} s   peak {generation['peak']:.2f} GB")
        step = run_step("measure", path)
    equal = "yes" if step["same"] and step["everyone"] == options.rows else "NO"
    print(f"DuckDB with {step['threads']} threads, memory limit {step['limit']}")
    print(f"rows to {step['cells']:,} counts      {step['counting']:8.1f} s   peak so far {step['peak_of_counting']:.2f} GB")
    print(f"{step['rates']:,} rates, {step['gaps']} gaps    {step['measuring']:8.1f} s")
    print(f"the whole process        {step['wall']:8.1f} s   peak {step['peak']:.2f} GB (goal < {GOAL} GB)")
    print(f"counts equal those written: {equal}")


if __name__ == "__main__":
    main()
