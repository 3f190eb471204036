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
import dataclasses
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
from fairlearn.metrics import MetricFrame, true_positive_rate

import fairfer
from fairfer.audits.audit import measure_counts
from fairfer.audits.plan import AuditPlan
from fairfer.labels import FERPLUS
from fairfer.metrics.counts import Counts, Source, count
from fairfer.metrics.gaps import compute_gaps
from fairfer.metrics.rates import compute_rates
from fairfer.metrics.subjects import SubjectEstimates
from fairfer.vocabulary import EVERYONE, UNANNOTATED, Group, Grouping, grouping_name

if TYPE_CHECKING:
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.results import Rate

REPEATS = 5
FEW, PERMUTATIONS = 1000, 10_000
GROUPINGS: list[Grouping] = [("gender",), ("race",), ("gender", "race")]
GENDERS, RACES = ("female", "male"), ("black", "east asian", "indian", "latino", "middle eastern", "white")
FACES, PEOPLE, PICTURES = 3137, 3000, 10
SHARES = (0.36, 0.28, 0.13, 0.10, 0.09, 0.01, 0.02, 0.01)
"""Of the emotions in the simulated faces, in FER+'s order."""

FACTORS = (1, 10, 100, 1000)
RATES_GOAL, GAPS_GOAL, RATIO_GOAL = 2, 1, 1000
EMOTION = "happiness"


@dataclass(frozen=True)
class Case:
    """Faces to audit: ``status``, ``truth``, ``predicted``, ``gender`` and ``race``, and the groups of each grouping."""

    name: str
    table: pd.DataFrame
    labels: tuple[str, ...]
    groups: Mapping[Grouping, list[Group]]

    @classmethod
    def of(cls, name: str, table: pd.DataFrame, labels: tuple[str, ...], levels: Mapping[str, Sequence[str]]) -> Case:
        return cls(name, table, labels, {g: list(itertools.product(*(levels[n] for n in g))) for g in (EVERYONE, *GROUPINGS)})

    def counts(self, unit: str = "") -> dict[Grouping, Counts]:
        source = Source(self.table, "single-label", self.labels, {"gender": "gender", "race": "race"})
        return count(source, self.groups, unit=unit)


def ferplus(shared: Path) -> Case:
    """FER+ Test as it is audited, by inferred gender and race."""
    folder = shared / "data" / "ferplus"
    dataset = fairfer.load_dataset(folder, split="test", demographics=folder / "demographics.csv")
    answers = fairfer.predict(dataset, fairfer.load_model("baseline")).frame
    names = ("gender", "race")
    table = pd.DataFrame({"status": answers["status"], "truth": dataset.samples["label"], "predicted": answers["predicted"]})
    for name in names:
        table[name] = dataset.samples[name].astype("str").fillna(UNANNOTATED)
    levels = {n: [*dataset.attribute(n).levels, *([UNANNOTATED] if UNANNOTATED in set(table[n]) else [])] for n in names}
    return Case.of(dataset.name, table, dataset.labels.labels, levels)


def simulated(faces: int, people: int) -> Case:
    """As many faces of each person; about 70 % are classified correctly, 2 % have no answer."""
    generator = np.random.default_rng(0)
    labels = np.array(FERPLUS.labels, dtype=object)
    truth = generator.choice(len(labels), faces, p=SHARES)
    predicted = np.where(generator.random(faces) < 0.7, truth, generator.choice(len(labels), faces, p=SHARES))
    person = np.arange(faces) % people
    gender, race = (
        np.array(names, dtype=object)[generator.integers(len(names), size=people)][person] for names in (GENDERS, RACES)
    )
    answered = generator.random(faces) < 0.98
    columns = {"truth": labels[truth], "predicted": np.where(answered, labels[predicted], None), "gender": gender, "race": race}
    table = pd.DataFrame({n: pd.Series(c, dtype="str") for n, c in columns.items()})
    return Case.of(
        "simulated faces",
        table.assign(status=np.where(answered, "ok", "no_face"), person=person),
        FERPLUS.labels,
        {"gender": GENDERS, "race": RACES},
    )


def settings(permutations: int, factor: int = 1) -> MetricSettings:
    default = AuditPlan().metrics
    return dataclasses.replace(default, permutations=permutations, minimum=default.minimum * factor)


def cpu(*todo: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Median CPU seconds of some calls of each, after one that is not counted; they take turns, so that noise falls on all."""
    taken: list[list[float]] = [[] for _ in todo]
    for _ in range(repeats + 1):
        for seconds, do in zip(taken, todo, strict=True):
            start = time.process_time()
            do()
            seconds.append(time.process_time() - start)
    return [statistics.median(seconds[1:]) for seconds in taken]


def rates_of(counts: Mapping[Grouping, Counts], factor: int = 1) -> list[Rate]:
    chosen = settings(PERMUTATIONS, factor)
    return compute_rates(counts, "single-label", chosen.minimum, chosen.confidence)


def steps(case: Case, counts: dict[Grouping, Counts]) -> list[Rate]:
    """Print (a) and return the rates."""
    measured = measure_counts(counts, "single-label", settings(100))
    compared = sum(g.status == "ok" for g in measured.gaps)
    sizes = ", ".join(f"{grouping_name(g)}: {len(case.groups[g])} groups" for g in GROUPINGS)
    print(f"\na. {case.name}: {len(case.table):,} faces, {len(case.labels)} emotions; {sizes}")
    print(
        f"   {len(measured.rates):,} rates; {len(measured.gaps)} gaps, of which {compared} have at least two groups to compare"
    )
    lines: list[tuple[str, Callable[[], object], str]] = [
        ("faces to TP, FN, FP, TN (DuckDB)", case.counts, ""),
        ("rates and intervals (MetricFrame)", partial(rates_of, counts), f"goal < {RATES_GOAL} s"),
    ]
    for permutations in (FEW, PERMUTATIONS):
        do = partial(compute_gaps, measured.rates, GROUPINGS, settings(permutations))
        lines.append((f"gaps and uncertainty, {permutations:,} permutations", do, f"goal < {GAPS_GOAL} s"))
    whole = partial(measure_counts, counts, "single-label", settings(PERMUTATIONS))
    lines.append((f"measure_counts, {PERMUTATIONS:,} permutations", whole, ""))
    taken = cpu(*(do for _, do, _ in lines))
    for seconds, (what, _, beside) in zip(taken, lines, strict=True):
        print(f"   {what:42}{seconds:8.3f} s   {beside}".rstrip())
    return measured.rates


def times(counts: Counts, factor: int) -> Counts:
    names = ("tp", "fn", "fp", "tn", "correct", "judged", "total", "statuses")
    return dataclasses.replace(counts, **{name: getattr(counts, name) * factor for name in names})


def multiplied(case: Case, counts: dict[Grouping, Counts]) -> None:
    """Print (b)."""
    rows, todo = [], []
    for factor in FACTORS:
        more = {grouping: times(c, factor) for grouping, c in counts.items()}
        few, many = (settings(permutations, factor) for permutations in (FEW, PERMUTATIONS))
        known = measure_counts(more, "single-label", few)
        todo.append(partial(rates_of, more, factor))
        todo += [partial(compute_gaps, known.rates, GROUPINGS, chosen) for chosen in (few, many)]
        rows.append((len(case.table) * factor, sum(g.status == "ok" for g in known.gaps)))
    taken = np.reshape(cpu(*todo), (len(FACTORS), -1))
    print("\nb. counts multiplied, the same gaps: CPU seconds, by number of permutations")
    print(f"   {'faces':>12}{'rates':>10}{f'gaps, {FEW:,}':>16}{f'gaps, {PERMUTATIONS:,}':>16}{'gaps compared':>16}")
    for (faces, compared), (rates, few_s, many_s) in zip(rows, taken, strict=True):
        print(f"   {faces:12,}{rates:10.3f}{few_s:16.3f}{many_s:16.3f}{compared:16}")


def quick_metrics(labels: Sequence[str]) -> dict[str, Callable[[np.ndarray, np.ndarray], float]]:
    """TPR and FPR of each emotion, accuracy and coverage, of numbered labels (-1: no answer): what `compute_gaps` reads."""

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
    true, predicted = ((case.table[c] == EMOTION).astype(int) for c in ("truth", "predicted"))
    names = pd.Index(case.labels)
    numbers = {n: names.get_indexer(pd.Index(case.table[c])) for n, c in (("y_true", "truth"), ("y_pred", "predicted"))}
    metrics = quick_metrics(case.labels)
    print(f"\nc. CPU microseconds of one resample of MetricFrame ({resamples} of {len(case.table):,} rows) and one permutation")
    print(f"   {'':56}{'MetricFrame':>12}{'fairfer':>10}{'ratio':>9}")

    def line(what: str, theirs: float, ours: float, beside: str = "") -> None:
        print(f"   {what:56}{theirs * 1e6:12,.0f}{ours * 1e6:10.2f}{theirs / ours:9,.0f}{beside}")

    boot = {"n_boot": resamples, "ci_quantiles": [0.025, 0.975], "random_state": 0}
    frames = []
    for grouping in GROUPINGS:
        sensitive = case.table[list(grouping)]
        one = partial(MetricFrame, metrics=true_positive_rate, y_true=true, y_pred=predicted, sensitive_features=sensitive)
        every = partial(MetricFrame, metrics=metrics, **numbers, sensitive_features=sensitive)
        frames += [one, partial(one, **boot), every, partial(every, **boot)]
    gaps = []
    for grouping in GROUPINGS:
        mine = [r for r in rates if (r.label, r.rate, r.attribute) == (EMOTION, "TPR", grouping)]
        gaps += [partial(compute_gaps, mine, [grouping], settings(permutations)) for permutations in (FEW, PERMUTATIONS)]
    gaps += [partial(compute_gaps, rates, GROUPINGS, settings(permutations)) for permutations in (FEW, PERMUTATIONS)]
    taken = cpu(*frames, *gaps, repeats=3)
    one, one_boot, every, every_boot = np.reshape(taken[: len(frames)], (-1, 4)).T
    each, together = (one_boot - one) / resamples, (every_boot - every) / resamples / len(metrics)
    ours = np.reshape(taken[len(frames) :], (-1, 2)) / [FEW, PERMUTATIONS]
    for grouping, theirs, mine in zip(GROUPINGS, each, ours, strict=False):
        for permutations, seconds in zip((FEW, PERMUTATIONS), mine, strict=True):
            line(f"TPR of {EMOTION} by {grouping_name(grouping)}, {permutations:,} permutations", theirs, seconds)
    cells = sum(g.status == "ok" for g in gaps[-1]())  # a gap with one usable group costs nothing, and is none
    for permutations, seconds in zip((FEW, PERMUTATIONS), ours[-1], strict=True):
        goal = f"   goal {RATIO_GOAL:,}"
        line(f"all {cells} gaps, {permutations:,} permutations; a frame per gap", each.mean(), seconds / cells, goal)
        line(f"all {cells} gaps, {permutations:,} permutations; fastest frames", together.mean(), seconds / cells, goal)


def by_people() -> None:
    """Print (d)."""
    case = simulated(PEOPLE * PICTURES, PEOPLE)
    by_subject = case.counts("person")
    estimates = partial(SubjectEstimates.of, by_subject, "single-label", 0)
    subjects, rates = estimates(), measure_counts(case.counts(), "single-label", settings(100), by_subject).rates
    lines: dict[str, Callable[[], object]] = {"SubjectEstimates.of: all rates of all groups": estimates}
    for permutations in (FEW, PERMUTATIONS):
        do = partial(compute_gaps, rates, GROUPINGS, settings(permutations), subjects)
        lines[f"gaps and uncertainty, {permutations:,} permutations"] = do
    print(f"\nd. {PEOPLE:,} people, {PICTURES} pictures each; people are the units of the bootstrap and the permutations")
    for what, seconds in zip(lines, cpu(*lines.values(), repeats=3), strict=True):
        print(f"   {what:52}{seconds:8.3f} s")


def main() -> None:
    """Print all four tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--resamples", type=int, default=20, help="of Fairlearn's bootstrap")
    resamples = parser.parse_args().resamples
    shared = os.environ.get("FAIRFER_SHARED")
    print(f"CPU time, median of {REPEATS} (Fairlearn's bootstrap and d: of 3)")
    case = ferplus(Path(shared)) if shared else simulated(FACES, FACES)
    counts = case.counts()
    rates = steps(case, counts)
    multiplied(case, counts)
    beside_fairlearn(case, rates, resamples)
    by_people()


if __name__ == "__main__":
    main()
