"""MetricFrame on weighted confusion cells against MetricFrame on rows: same values, how many times faster.

    python tests/bench/bench_rates.py [--rows 1000000]

One million rows, seven labels, eight groups, TPR, FNR, FPR and TNR one-vs-rest. Both sides run in this one process; only the
ratio is worth quoting.
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
from fairfer.metrics.counts import confusion, one_vs_rest
from fairfer.metrics.rates import label_rates

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
    said = np.where(generator.random(rows) < 0.7, truth, generator.integers(0, len(labels), rows))
    table = pd.DataFrame(
        {
            "truth": pd.Series(labels[truth], dtype="str"),
            "said": pd.Series(labels[said], dtype="str"),
            "group": pd.Series(np.array(GROUPS, dtype=object)[generator.integers(0, len(GROUPS), rows)], dtype="str"),
        }
    )

    start = time.perf_counter()
    counts = confusion(table, [("group",)])
    cells = one_vs_rest(counts, DEEPFACE.labels, {"group": GROUPS})
    ours = label_rates(cells, minimum=20, confidence=0.95)
    weighted = time.perf_counter() - start

    start = time.perf_counter()
    largest = 0.0
    for label in DEEPFACE.labels:
        frame = MetricFrame(
            metrics=METRICS,
            y_true=(table["truth"] == label).astype(int),
            y_pred=(table["said"] == label).astype(int),
            sensitive_features=table["group"],
        ).by_group
        for rate in METRICS:
            mine = ours[(ours["label"] == label) & (ours["rate"] == rate)].set_index("group")["value"]
            largest = max(largest, float((mine - frame[rate]).abs().max()))
    on_rows = time.perf_counter() - start
    print(f"{rows:,} rows, {len(labels)} labels, {len(GROUPS)} groups, one process")
    print(f"MetricFrame on rows, one label after another   {on_rows:8.2f} s   (4 rates)")
    print(f"counts by DuckDB, MetricFrame on cells         {weighted:8.2f} s   (8 rates)")
    print(f"ratio {on_rows / weighted:.0f}, largest difference of a rate {largest:.1e}")


if __name__ == "__main__":
    main()
