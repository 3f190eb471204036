"""Check the claims of fairfer's statistics by simulation: coverage, false alarms, power and errors of the gate.

``[FAIRFER_SHARED=FOLDER] python tests/simulations/run.py [--short] [--out reports/validation] [--seed 0] [--jobs 1]``

Writes ``results.csv``, ``README.md`` and a figure. The same seed gives the same numbers, with any number of jobs. The full run
takes about an hour on one core, ``--short`` a few minutes with fewer repetitions. Random attributes are added to FER+ Test, if
FAIRFER_SHARED names a folder with ``data/ferplus``; without it these rows are marked as skipped.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import time
from pathlib import Path

import confusion_gaps
import coverage_of_intervals
import differences
import false_alarms
import gate
import gate_policies
import gate_subjects
import indices
import interaction
import looks
import means
import pooling
import power
import random_attribute
import regression
import rows
import scores
import seeds
import sensitivity
import show
import strata
import subjects
import two_models

SECTIONS = {
    "Intervals": coverage_of_intervals,
    "Several samples of one subject": subjects,
    "False alarms": false_alarms,
    "Which groups differ": differences,
    "A random attribute": random_attribute,
    "Random seeds": seeds,
    "Power": power,
    "Gate": gate,
    "Confusions": confusion_gaps,
    "Summary indices": indices,
    "Interaction": interaction,
    "Partial pooling": pooling,
    "Policies of a gate": gate_policies,
    "Policies of a gate with subjects": gate_subjects,
    "Looks": looks,
    "Standardized gaps": strata,
    "Sensitivity": sensitivity,
    "Model with covariates": regression,
    "Two models": two_models,
    "Score-based metrics": scores,
    "Differences of means": means,
}


def _section(title: str, *, seed: int, short: bool) -> tuple[str, list[rows.Row], float]:
    started = time.perf_counter()
    return title, list(SECTIONS[title].rows(seed, short=short)), time.perf_counter() - started


def main() -> None:
    """Run all simulations and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="fewer repetitions and no real data")
    parser.add_argument("--out", type=Path, default=Path("reports/validation"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="sections that run at a time")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, list[rows.Row]] = {}
    section = functools.partial(_section, seed=options.seed, short=options.short)
    # Every setting has its own random stream, so the sections may run in any order.
    with multiprocessing.Pool(options.jobs) as pool:
        for title, part, seconds in pool.imap(section, SECTIONS):
            results[title] = part
            holding = sum(r.kept != "no" for r in part)
            print(f"{title}: claims hold in {holding} of {len(part)} settings, {seconds:.0f} s", flush=True)
    rows.write([r for part in results.values() for r in part], options.out / "results.csv")
    show.figure(results, options.out)
    show.readme(results, options.out, short=options.short, seed=options.seed)


if __name__ == "__main__":
    main()
