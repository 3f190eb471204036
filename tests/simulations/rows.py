"""A row of the results: a claim, the simulated value, and whether the claim holds."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from documented import DOCUMENTED, MARGIN

COLUMNS = ("promise", "setting", "nominal", "found", "error", "repetitions", "kept", "why")
LEAST, MOST = 0.935, 0.97
"""Coverage that is claimed for a 95 % interval."""

WEAKEST, STRONGEST = 0.75, 0.85
"""Power that counts as *about 80 %*."""

WIDER = "covers more often than claimed: wider than necessary"
COMPARISON = "an alternative that fairfer does not use"


@dataclass(frozen=True)
class Row:
    """One setting of one claim.

    Attributes
    ----------
    promise, setting
        The claim, and the data that were simulated.
    part
        Settings of one part are summarized in one line.
    nominal, found, error
        Claimed value, simulated value and its Monte-Carlo standard error: 0 where all outcomes were enumerated.
    repetitions
        0 where all outcomes were enumerated.
    kept, why
        ``yes``, ``no``, ``by design`` or ``skipped``, and the reason unless it is ``yes``.
    """

    promise: str
    part: str
    setting: str
    nominal: float
    found: float
    error: float
    repetitions: int
    kept: str
    why: str = ""

    def cells(self) -> list[str]:
        """Cells of the CSV file."""
        found, error = ("" if np.isnan(x) else f"{x:.4f}" for x in (self.found, self.error))
        times = str(self.repetitions or "exact") if self.kept != "skipped" else ""
        return [self.promise, self.setting, f"{self.nominal:g}", found, error, times, self.kept, self.why]


def share(hits: np.ndarray) -> tuple[float, float, int]:
    """Share of repetitions, its standard error, and their number. Without a hit, the error is that of half a hit."""
    n = hits.size
    found = float(np.mean(hits))
    safe = min(max(found, 0.5 / n), 1 - 0.5 / n)
    return found, float(np.sqrt(safe * (1 - safe) / n)), n


def covered_share(promise: str, part: str, setting: str, found: float, error: float = 0, repetitions: int = 0) -> Row:
    """Row for the coverage of a 95 % interval."""
    slack = MARGIN * error + 1e-9
    kept = "no" if found + slack < LEAST else "by design" if found - slack > MOST else "yes"
    return known(Row(promise, part, setting, 0.95, found, error, repetitions, kept, WIDER if kept == "by design" else ""))


def at_most(promise: str, part: str, setting: str, found: float, error: float = 0, repetitions: int = 0) -> Row:
    """Row for an error that is claimed to occur in at most 5 %."""
    kept = "no" if found - MARGIN * error - 1e-9 > 0.05 else "yes"
    return known(Row(promise, part, setting, 0.05, found, error, repetitions, kept))


def at_most_1_percent(promise: str, part: str, setting: str, found: float, error: float = 0, repetitions: int = 0) -> Row:
    """Row for a share that is claimed to be at most 1 %; the repetitions are the whole population, so there is no margin."""
    return known(Row(promise, part, setting, 0.01, found, error, repetitions, "yes" if found <= 0.01 else "no"))


def at_least(
    promise: str, part: str, setting: str, nominal: float, found: float, error: float = 0, repetitions: int = 0
) -> Row:
    """Row for a share that is claimed to be at least `nominal`."""
    kept = "no" if found + MARGIN * error + 1e-9 < nominal else "yes"
    return known(Row(promise, part, setting, nominal, found, error, repetitions, kept))


def about(promise: str, part: str, setting: str, found: float, error: float, repetitions: int) -> Row:
    """Row for a power that is claimed to be about 80 %."""
    slack = MARGIN * error
    kept = "no" if found + slack < WEAKEST else "by design" if found - slack > STRONGEST else "yes"
    why = "conservative: the easier direction, the discreteness of small cells, or the approximation with subjects"
    return known(Row(promise, part, setting, 0.8, found, error, repetitions, kept, why if kept == "by design" else ""))


def shown(promise: str, part: str, setting: str, nominal: float, found: float, error: float = 0, repetitions: int = 0) -> Row:
    """Row for an alternative, for comparison."""
    return Row(f"for comparison: {promise}", part, setting, nominal, found, error, repetitions, "by design", COMPARISON)


def skipped(promise: str, part: str, setting: str, why: str) -> Row:
    """Row for a setting that could not be simulated."""
    return Row(promise, part, setting, 0.05, np.nan, np.nan, 0, "skipped", why)


def known(row: Row) -> Row:
    """The row with the documented reason, where the claim does not hold."""
    if row.kept != "no":
        return row
    why = next((e.why for e in DOCUMENTED if e.covers(row)), "")
    return Row(**{**vars(row), "why": why})


def stream(seed: int, *names: object) -> np.random.Generator:
    """A random stream for each setting, so that a new setting changes no other."""
    return np.random.default_rng([seed, *"/".join(map(str, names)).encode()])


def write(rows: Iterable[Row], path: Path) -> None:
    """Write the table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(r.cells() for r in rows)


def sizes_name(sizes: Sequence[int]) -> str:
    """``20 vs. 200``, or ``8 x 50`` where all are equal."""
    if len(sizes) > 2 and len(set(sizes)) == 1:
        return f"{len(sizes)} x {sizes[0]}"
    return " vs. ".join(map(str, sizes))
