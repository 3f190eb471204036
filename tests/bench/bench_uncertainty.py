"""CPU time of the rates and of their uncertainty, beside the bootstrap of Fairlearn.

``[FAIRFER_SHARED=FOLDER] python tests/bench/bench_uncertainty.py [--resamples 20]``

With ``FAIRFER_SHARED``, the counts are those of the audit of FER+ Test (``FOLDER/data/ferplus``; the predictions of the bundled
model are not timed). Without, they are simulated: as many faces, emotions and genders, and six races.

Four tables are printed, all of them CPU time of this one process, the median of several calls after one that is not timed (so
that imports are not included):

a. The steps of `fairfer.audits.audit.measure_counts`: the rates through Fairlearn's MetricFrame with their intervals, and then,
   for each emotion, rate and grouping, the gap expected by chance, p, q, both bounds of the gap, the minimum detectable
   difference and the additional sample size.
b. The same with all counts and the smallest compared denominator multiplied, so that the same gaps are compared: the cost must
   not depend on the number of images.
c. One resample of Fairlearn's bootstrap (``MetricFrame(..., n_boot=..., ci_quantiles=[.025, .975])`` on the rows) beside one
   permutation of fairfer, for each cell (emotion x rate x grouping). The time of the same frame without a bootstrap is
   subtracted from Fairlearn's; nothing is subtracted from fairfer's, where bounds, power and q are divided among the
   permutations, too. The two are different statistics: Fairlearn's resamples give percentile intervals of each group's rate
   and of their differences, fairfer's permutations the gap expected by chance (its intervals and bounds have formulas). What is
   compared is the cost of one more draw of the rates of all groups in a cell. Fairlearn is run as in its documentation, one
   frame per cell, and in the fastest way we know: one frame for all emotions and rates of a grouping, with metrics in numpy.
d. The same where several images show one subject: 3,000 simulated subjects with ten images each.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from fairfer.metrics.cells import PROPORTIONS, WHOLE_PROPORTIONS, Cells
from fairlearn.metrics import MetricFrame, true_positive_rate

import fairfer
from fairfer.audits.audit import MINIMUM, PERMUTATIONS, check_audit, measure_counts
from fairfer.audits.join import Rows
from fairfer.audits.result import AuditPlan
from fairfer.labels import FERPLUS
from fairfer.metrics.counts import EVERYONE, Grouping, confusion, confusion_by_unit, grouping_name, one_vs_rest
from fairfer.metrics.gaps import find_gaps
from fairfer.metrics.rates import group_rates, label_rates
from fairfer.metrics.subjects import People
from fairfer.stats import estimate_by_subjects

if TYPE_CHECKING:
    from fairfer.metrics.results import Rate

REPEATS = 5
FEW_DRAWS = 1000
GROUPINGS: list[Grouping] = [("gender",), ("race",), ("gender", "race")]
GENDERS, RACES = ("female", "male"), ("black", "east asian", "indian", "latino", "middle eastern", "white")
FACES, PEOPLE, PICTURES = 3137, 3000, 10
SHARES = (0.36, 0.28, 0.13, 0.10, 0.09, 0.01, 0.02, 0.01)
"""Of the emotions in the made-up faces, in FER+'s order."""

FACTORS = (1, 10, 100, 1000)
RATES_GOAL, GAPS_GOAL, RATIO_GOAL = 2, 1, 1000
EMOTION = "happiness"


@dataclass(frozen=True)
class Case:
    """Faces to audit: ``truth``, ``said``, ``gender`` and ``race``, and the groups of each grouping."""

    name: str
    table: pd.DataFrame
    labels: Sequence[str]
    groups: Mapping[str, list[str]]

    @classmethod
    def of(cls, name: str, table: pd.DataFrame, labels: Sequence[str], levels: Mapping[str, Sequence[str]]) -> Case:
        groups = {grouping_name(g): [",".join(p) for p in itertools.product(*(levels[n] for n in g))] for g in GROUPINGS}
        return cls(name, table, labels, {EVERYONE: [EVERYONE], **groups})


def ferplus(shared: Path) -> Case:
    """FER+ Test as it is audited, by inferred gender and race."""
    folder = shared / "data" / "ferplus"
    dataset = fairfer.load_dataset(folder, split="test", demographics=folder / "demographics.csv")
    predictions = fairfer.predict(dataset, fairfer.load_model("baseline"))
    groupings, labels = check_audit(dataset, predictions.labels, GROUPINGS)
    rows = Rows.join(dataset, predictions, labels, groupings)
    table = rows.table.rename(columns={column: name for name, column in rows.columns.items()})
    return Case.of(dataset.name, table, labels.labels, {n: dataset.attribute(n).levels for n in rows.columns})


def made_up(faces: int, people: int) -> Case:
    """Faces of people, as many of each; seven in ten are read rightly, one in fifty is not answered."""
    generator = np.random.default_rng(0)
    labels = np.array(FERPLUS.labels, dtype=object)
    truth = generator.choice(len(labels), faces, p=SHARES)
    said = np.where(generator.random(faces) < 0.7, truth, generator.choice(len(labels), faces, p=SHARES))
    person = np.arange(faces) % people
    gender, race = (
        np.array(names, dtype=object)[generator.integers(len(names), size=people)][person] for names in (GENDERS, RACES)
    )
    answers = np.where(generator.random(faces) < 0.98, labels[said], "(no_face)")
    columns = {"truth": labels[truth], "said": answers, "gender": gender, "race": race}
    table = pd.DataFrame({n: pd.Series(c, dtype="str") for n, c in columns.items()}).assign(person=person)
    return Case.of("made-up faces", table, FERPLUS.labels, {"gender": GENDERS, "race": RACES})


def settings(permutations: int, minimum: int = MINIMUM) -> AuditPlan:
    by = [list(g) for g in GROUPINGS]
    return AuditPlan(by=by, unsupported_labels="drop", minimum=minimum, confidence=0.95, permutations=permutations, seed=0)


def cpu(*todo: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Median CPU seconds of some calls of each, after one that is not counted; they take turns, so that noise falls on all."""
    taken: list[list[float]] = [[] for _ in todo]
    for _ in range(repeats + 1):
        for seconds, do in zip(taken, todo, strict=True):
            start = time.process_time()
            do()
            seconds.append(time.process_time() - start)
    return [statistics.median(seconds[1:]) for seconds in taken]


def rates_of(case: Case, counts: pd.DataFrame, cells: pd.DataFrame, minimum: int = MINIMUM) -> pd.DataFrame:
    by_group = group_rates(counts, case.labels, case.groups, minimum=minimum, confidence=0.95)
    return pd.concat([by_group, label_rates(cells, minimum=minimum, confidence=0.95)], ignore_index=True)


def attributes_of(case: Case) -> list[str]:
    return [a for a in case.groups if a != EVERYONE]


def steps(case: Case, counts: pd.DataFrame) -> list[Rate]:
    """Print (a) and give the rates."""
    attributes = attributes_of(case)
    measured = measure_counts(counts, case.labels, case.groups, settings(100))
    cells = one_vs_rest(counts, case.labels, case.groups)
    compared = sum(g.status == "ok" for g in measured.gaps)
    sizes = ", ".join(f"{a}: {len(case.groups[a])} groups" for a in attributes)
    print(f"\na. {case.name}: {len(case.table):,} faces, {len(case.labels)} emotions; {sizes}")
    print(
        f"   {len(measured.rates):,} rates; {len(measured.gaps)} gaps, of which {compared} have two groups or more to compare"
    )
    lines: list[tuple[str, Callable[[], object], str]] = [
        ("faces to counts (DuckDB)", partial(confusion, case.table, GROUPINGS), ""),
        ("counts to TP, FN, FP, TN", partial(one_vs_rest, counts, case.labels, case.groups), ""),
        ("rates and intervals (MetricFrame)", partial(rates_of, case, counts, cells), f"goal < {RATES_GOAL} s"),
    ]
    for permutations in (FEW_DRAWS, PERMUTATIONS):
        do = partial(find_gaps, measured.rates, attributes, settings(permutations))
        lines.append((f"all the uncertainty, {permutations:,} draws", do, f"goal < {GAPS_GOAL} s"))
    whole = partial(measure_counts, counts, case.labels, case.groups, settings(PERMUTATIONS))
    lines.append((f"measure_counts as a whole, {PERMUTATIONS:,} draws", whole, ""))
    taken = cpu(*(do for _, do, _ in lines))
    for seconds, (what, _, beside) in zip(taken, lines, strict=True):
        print(f"   {what:42}{seconds:8.3f} s   {beside}".rstrip())
    return measured.rates


def multiplied(case: Case, counts: pd.DataFrame) -> None:
    """Print (b)."""
    rows, todo = [], []
    for factor in FACTORS:
        more = counts.assign(n=counts["n"] * factor)
        few, many = (settings(permutations, MINIMUM * factor) for permutations in (FEW_DRAWS, PERMUTATIONS))
        known = measure_counts(more, case.labels, case.groups, few)
        cells = one_vs_rest(more, case.labels, case.groups)
        todo.append(partial(rates_of, case, more, cells, MINIMUM * factor))
        todo += [partial(find_gaps, known.rates, attributes_of(case), chosen) for chosen in (few, many)]
        rows.append((len(case.table) * factor, sum(g.status == "ok" for g in known.gaps)))
    taken = np.reshape(cpu(*todo), (len(FACTORS), -1))
    print("\nb. counts multiplied, the same gaps: CPU seconds")
    print(f"   {'faces':>12}{'rates':>10}{f'{FEW_DRAWS:,} draws':>16}{f'{PERMUTATIONS:,} draws':>16}{'gaps compared':>16}")
    for (faces, compared), (rates, few, many) in zip(rows, taken, strict=True):
        print(f"   {faces:12,}{rates:10.3f}{few:16.3f}{many:16.3f}{compared:16}")


def quick_metrics(labels: Sequence[str]) -> dict[str, Callable[[np.ndarray, np.ndarray], float]]:
    """TPR and FPR of each emotion, accuracy and coverage, of numbered labels (-1: no answer): what `find_gaps` reads."""

    def share(of: np.ndarray, among: np.ndarray) -> float:
        below = np.count_nonzero(among)
        return np.count_nonzero(of & among) / below if below else 0.0

    found: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        "accuracy": lambda t, p: float(np.mean(t == p)),
        "coverage": lambda _, p: float(np.mean(p >= 0)),
    }
    for i, label in enumerate(labels):
        found[f"TPR {label}"] = lambda t, p, i=i: share(p == i, t == i)
        found[f"FPR {label}"] = lambda t, p, i=i: share(p == i, t != i)
    return found


def beside_fairlearn(case: Case, rates: Sequence[Rate], resamples: int) -> None:
    """Print (c)."""
    true, said = ((case.table[c] == EMOTION).astype(int) for c in ("truth", "said"))
    names = pd.Index(case.labels)
    numbers = {n: names.get_indexer(pd.Index(case.table[c])) for n, c in (("y_true", "truth"), ("y_pred", "said"))}
    metrics = quick_metrics(case.labels)
    print(
        f"\nc. one resample of MetricFrame ({resamples} of {len(case.table):,} rows) and one draw of fairfer: CPU microseconds"
    )
    print(f"   {'':52}{'MetricFrame':>12}{'fairfer':>10}{'ratio':>9}")

    def line(what: str, theirs: float, ours: float, beside: str = "") -> None:
        print(f"   {what:52}{theirs * 1e6:12,.0f}{ours * 1e6:10.2f}{theirs / ours:9,.0f}{beside}")

    boot = {"n_boot": resamples, "ci_quantiles": [0.025, 0.975], "random_state": 0}
    names_of = [grouping_name(g) for g in GROUPINGS]
    frames = []
    for grouping in GROUPINGS:
        sensitive = case.table[list(grouping)]
        one = partial(MetricFrame, metrics=true_positive_rate, y_true=true, y_pred=said, sensitive_features=sensitive)
        every = partial(MetricFrame, metrics=metrics, **numbers, sensitive_features=sensitive)
        frames += [one, partial(one, **boot), every, partial(every, **boot)]
    gaps = []
    for attribute in names_of:
        mine = [r for r in rates if (r.label, r.rate, r.attribute) == (EMOTION, "TPR", attribute)]
        gaps += [partial(find_gaps, mine, [attribute], settings(permutations)) for permutations in (FEW_DRAWS, PERMUTATIONS)]
    gaps += [partial(find_gaps, rates, names_of, settings(permutations)) for permutations in (FEW_DRAWS, PERMUTATIONS)]
    taken = cpu(*frames, *gaps, repeats=3)
    one, one_boot, every, every_boot = np.reshape(taken[: len(frames)], (-1, 4)).T
    each, together = (one_boot - one) / resamples, (every_boot - every) / resamples / len(metrics)
    ours = np.reshape(taken[len(frames) :], (-1, 2)) / [FEW_DRAWS, PERMUTATIONS]
    for attribute, theirs, mine in zip(names_of, each, ours, strict=False):
        for permutations, seconds in zip((FEW_DRAWS, PERMUTATIONS), mine, strict=True):
            line(f"TPR of {EMOTION} by {attribute}, {permutations:,} draws", theirs, seconds)
    cells = sum(g.status == "ok" for g in gaps[-1]())  # a gap with one usable group costs nothing, and is none
    for permutations, seconds in zip((FEW_DRAWS, PERMUTATIONS), ours[-1], strict=True):
        goal = f"   goal {RATIO_GOAL:,}"
        line(f"all {cells} gaps, {permutations:,} draws; a frame for each cell", each.mean(), seconds / cells, goal)
        line(f"all {cells} gaps, {permutations:,} draws; the quickest frames", together.mean(), seconds / cells, goal)


def by_people() -> None:
    """Print (d)."""
    case = made_up(PEOPLE * PICTURES, PEOPLE)
    by_person = confusion_by_unit(case.table, GROUPINGS, "person")
    cells = Cells.of(by_person[by_person["attribute"] == EVERYONE], case.labels, [EVERYONE])
    wanted = [(r, label) for label in case.labels for r in PROPORTIONS] + [(r, EVERYONE) for r in WHOLE_PROPORTIONS]
    fractions = [cells.fraction(r, label) for r, label in wanted]
    hits, trials = (np.stack([f[i] for f in fractions], axis=1) for i in (0, 1))
    people = People.of(by_person, case.labels, case.groups, 0)
    rates = measure_counts(confusion(case.table, GROUPINGS), case.labels, case.groups, settings(100), people).rates
    number = sum(map(len, case.groups.values()))
    lines: dict[str, Callable[[], object]] = {
        f"estimate_by_subjects: everyone, {len(wanted)} rates": lambda: estimate_by_subjects(
            hits, trials, generator=np.random.default_rng(0)
        ),
        f"the same for all {number} groups (People.of)": partial(People.of, by_person, case.labels, case.groups, 0),
    }
    for permutations in (FEW_DRAWS, PERMUTATIONS):
        do = partial(find_gaps, rates, attributes_of(case), settings(permutations), people)
        lines[f"all the uncertainty of gaps, {permutations:,} draws"] = do
    print(f"\nd. {PEOPLE:,} people, {PICTURES} pictures each; people are resampled and dealt into groups")
    for what, seconds in zip(lines, cpu(*lines.values(), repeats=3), strict=True):
        print(f"   {what:52}{seconds:8.3f} s")


def main() -> None:
    """Print all four."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--resamples", type=int, default=20, help="of Fairlearn's bootstrap")
    resamples = parser.parse_args().resamples
    shared = os.environ.get("FAIRFER_SHARED")
    print(f"CPU time, median of {REPEATS} (Fairlearn's bootstrap and d: of 3)")
    case = ferplus(Path(shared)) if shared else made_up(FACES, FACES)
    counts = confusion(case.table, GROUPINGS)
    rates = steps(case, counts)
    multiplied(case, counts)
    beside_fairlearn(case, rates, resamples)
    by_people()


if __name__ == "__main__":
    main()
