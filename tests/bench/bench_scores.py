"""What scores add to an audit of 1,000,000 samples, 7 labels and 8 groups: binned counts and every score-based metric.

Prints seconds, and the ratio to counting and computing the rates of the same samples in the same process. Run it alone:
``python tests/bench/bench_scores.py``.
"""

from __future__ import annotations

import itertools
import time

import numpy as np
import pandas as pd
import pyarrow as pa

from fairfer.audits.audit import measure_counts
from fairfer.metrics.counts import Source, count
from fairfer.metrics.metric_settings import MetricSettings
from fairfer.metrics.scores import compute_scores
from fairfer.vocabulary import EVERYONE

ROWS = 1_000_000
LABELS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
GENDERS, RACES = ("female", "male"), ("a", "b", "c", "d")


def main() -> None:
    """Generate, count, compute, print."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, len(LABELS), ROWS)
    scores = generator.dirichlet(np.full(len(LABELS), 0.3), ROWS).astype(np.float32)
    scores[np.arange(ROWS), truth] += 0.4
    scores /= scores.sum(axis=1, keepdims=True)
    names = np.array(LABELS)
    table = pd.DataFrame(
        {
            "truth": names[truth],
            "predicted": names[scores.argmax(axis=1)],
            "status": "ok",
            "by0": generator.choice(GENDERS, ROWS),
            "by1": generator.choice(RACES, ROWS),
            **{f"score:{i}": scores[:, i] for i in range(len(LABELS))},
        }
    )
    groups = {EVERYONE: [EVERYONE], ("gender", "race"): list(itertools.product(GENDERS, RACES))}
    source = Source(
        pa.Table.from_pandas(table, preserve_index=False),
        "single-label",
        LABELS,
        {"gender": "by0", "race": "by1"},
        tuple(range(len(LABELS))),
    )
    settings = MetricSettings(minimum=20, confidence=0.95, permutations=10_000, seed=0)
    for attempt in ("first", "second"):  # the first run imports Fairlearn and scipy
        start = time.perf_counter()
        measure_counts(count(source, groups), "single-label", settings)
        rates = time.perf_counter() - start
        start = time.perf_counter()
        counts = count(source, groups, scores=True)
        counted = time.perf_counter() - start
        start = time.perf_counter()
        rows = compute_scores(counts, settings).metrics
        metrics = time.perf_counter() - start
        print(
            f"{attempt} run: rates and gaps {rates:.2f} s; counts with scores {counted:.2f} s; {len(rows)} score metrics "
            f"{metrics:.2f} s; scores add {counted + metrics:.2f} s, {(counted + metrics) / rates:.1f} x the rates"
        )


if __name__ == "__main__":
    main()
