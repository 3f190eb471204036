"""Hold the promises of fairfer's statistics against simulations: coverage, false alarms, power and the gate's errors.

``[FAIRFER_SHARED=FOLDER] python tests/simulations/run.py [--short] [--out reports/validation] [--seed 0]``

Writes ``results.csv``, ``README.md`` and a figure. The same seed gives the same numbers. About ten minutes of one core; with
``--short`` half a minute, of fewer repetitions. FER+ Test, where FAIRFER_SHARED names a folder with ``data/ferplus``, is given
attributes that mean nothing; without it those audits are skipped, and the table says so.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import coverage_of_intervals
import false_alarms
import gate
import people
import power
import random_attribute
import rows
import scores
import show
import strata
import two_models

SECTIONS = {
    "Intervals": coverage_of_intervals,
    "Several pictures of one person": people,
    "False alarms": false_alarms,
    "An attribute that means nothing": random_attribute,
    "Power": power,
    "Gate": gate,
    "Standardised gaps": strata,
    "Two models": two_models,
    "Score-based metrics": scores,
}


def main() -> None:
    """Simulate all, and write it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="fewer repetitions and no real data")
    parser.add_argument("--out", type=Path, default=Path("reports/validation"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[rows.Row]] = {}
    for title, section in SECTIONS.items():
        started = time.perf_counter()
        found[title] = list(section.rows(given.seed, short=given.short))
        kept = sum(r.kept != "no" for r in found[title])
        print(f"{title}: {kept} of {len(found[title])} settings kept, {time.perf_counter() - started:.0f} s", flush=True)
    rows.write([r for part in found.values() for r in part], given.out / "results.csv")
    show.figure(found, given.out)
    show.readme(found, given.out, short=given.short, seed=given.seed)


if __name__ == "__main__":
    main()
