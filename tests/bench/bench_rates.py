"""All rates from counts compared with MetricFrame on rows: the same values, and the ratio of the times.

    python tests/bench/bench_rates.py [--rows 1000000]

One million rows, seven labels, eight groups, one-vs-rest. Both run in one process; only the ratio is meaningful.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    false_negative_rate,
    false_positive_rate,
    true_negative_rate,
    true_positive_rate,
)

from fairfer.labels import DEEPFACE
from fairfer.metrics.counts import Source, count
from fairfer.metrics.rate_definitions import LABEL_RATES
from fairfer.metrics.rates import compute_rates, overall_rates

BY = ("group",)
GROUPS = [f"group {i}" for i in range(8)]
METRICS = {"TPR": true_positive_rate, "FNR": false_negative_rate, "FPR": false_positive_rate, "TNR": true_negative_rate}


def main() -> None:
    """Print both times, the largest difference and the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    generator = np.random.default_rng(0)
    labels = np.array(DEEPFACE.labels, dtype=object)
    truth = generator.integers(0, len(labels), rows)
    predicted = np.where(generator.random(rows) < 0.7, truth, generator.integers(0, len(labels), rows))
    table = pd.DataFrame(
        {
            "truth": pd.Series(labels[truth], dtype="str"),
            "predicted": pd.Series(labels[predicted], dtype="str"),
            "group": pd.Series(np.array(GROUPS, dtype=object)[generator.integers(0, len(GROUPS), rows)], dtype="str"),
            "status": pd.Series("ok", index=range(rows), dtype="str"),
        }
    )

    start = time.perf_counter()
    source = Source(table, "single-label", DEEPFACE.labels, {"group": "group"})
    rates = compute_rates(count(source, {BY: [(g,) for g in GROUPS]}), "single-label", 20, 0.95)
    from_counts = time.perf_counter() - start
    values = {(r.group, r.label, r.rate): r.value for r in rates}

    start = time.perf_counter()
    largest = 0.0
    for label in DEEPFACE.labels:
        frame = MetricFrame(
            metrics=METRICS,
            y_true=(table["truth"] == label).astype(int),
            y_pred=(table["predicted"] == label).astype(int),
            sensitive_features=table["group"],
        ).by_group
        for rate in METRICS:
            largest = max(largest, *(abs(frame.loc[g, rate] - (values[(g,), label, rate] or 0.0)) for g in GROUPS))
    on_rows = time.perf_counter() - start
    number = len(LABEL_RATES), len(overall_rates("single-label"))
    print(f"{rows:,} rows, {len(labels)} labels, {len(GROUPS)} groups, one process")
    print(f"MetricFrame on rows, label by label            {on_rows:8.2f} s   ({len(METRICS)} rates per label)")
    print(
        f"counts by DuckDB, MetricFrame on counts        {from_counts:8.2f} s   "
        f"({number[0]} rates per label, {number[1]} per group)"
    )
    print(f"ratio {on_rows / from_counts:.0f}, largest difference of a rate {largest:.1e}")


if __name__ == "__main__":
    main()
