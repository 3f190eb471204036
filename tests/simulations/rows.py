"""A row of the results: what is promised, what was found, and whether the promise is kept."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from documented import DOCUMENTED, MARGIN

COLUMNS = ("promise", "setting", "nominal", "found", "error", "repetitions", "kept", "why")
LEAST, MOST = 0.935, 0.97
"""Coverage that a 95 % interval is promised to have."""

WEAKEST, STRONGEST = 0.75, 0.9
"""Power that counts as *about 80 %*."""

WIDER = "covers more than it must: wider than it needs to be, never narrower"
COMPARISON = "not what fairfer does; shown to say why"


@dataclass(frozen=True)
class Row:
    """One setting of one promise.

    Attributes
    ----------
    promise, setting
        What is claimed, and for which data.
    part
        Settings of one part share a line in the summary.
    nominal, found, error
        What is promised, what was found and its Monte-Carlo standard error: 0 where all outcomes were enumerated.
    repetitions
        0 where all outcomes were enumerated.
    kept, why
        ``yes``, ``no``, ``by design`` or ``skipped``, and the reason where it is not yes.
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
        """As the CSV has it."""
        found, error = ("" if np.isnan(x) else f"{x:.4f}" for x in (self.found, self.error))
        times = str(self.repetitions or "exact") if self.kept != "skipped" else ""
        return [self.promise, self.setting, f"{self.nominal:g}", found, error, times, self.kept, self.why]


def share(hits: np.ndarray) -> tuple[float, float, int]:
    """Share of repetitions, its standard error and their number; the error of no hit at all is that of one half."""
    n = hits.size
    found = float(np.mean(hits))
    safe = min(max(found, 0.5 / n), 1 - 0.5 / n)
    return found, float(np.sqrt(safe * (1 - safe) / n)), n


def covered_share(promise: str, part: str, setting: str, found: float, error: float = 0, repetitions: int = 0) -> Row:
    """Of a 95 % interval."""
    slack = MARGIN * error + 1e-9
    kept = "no" if found + slack < LEAST else "by design" if found - slack > MOST else "yes"
    return known(Row(promise, part, setting, 0.95, found, error, repetitions, kept, WIDER if kept == "by design" else ""))


def at_most(promise: str, part: str, setting: str, found: float, error: float = 0, repetitions: int = 0) -> Row:
    """Of an error that is promised to happen in at most 5 %."""
    kept = "no" if found - MARGIN * error - 1e-9 > 0.05 else "yes"
    return known(Row(promise, part, setting, 0.05, found, error, repetitions, kept))


def about(promise: str, part: str, setting: str, found: float, error: float, repetitions: int) -> Row:
    """Of a power that is said to be about 80 %."""
    slack = MARGIN * error
    kept = "no" if found + slack < WEAKEST else "by design" if found - slack > STRONGEST else "yes"
    why = "names the gap of the harder direction; this is the easier one"
    return known(Row(promise, part, setting, 0.8, found, error, repetitions, kept, why if kept == "by design" else ""))


def shown(promise: str, part: str, setting: str, nominal: float, found: float, error: float = 0, repetitions: int = 0) -> Row:
    """What fairfer does not do, for comparison."""
    return Row(f"for comparison: {promise}", part, setting, nominal, found, error, repetitions, "by design", COMPARISON)


def skipped(promise: str, part: str, setting: str, why: str) -> Row:
    """What could not be simulated here."""
    return Row(promise, part, setting, 0.05, np.nan, np.nan, 0, "skipped", why)


def known(row: Row) -> Row:
    """With the reason why the promise is not kept, where one is documented."""
    if row.kept != "no":
        return row
    why = next((e.why for e in DOCUMENTED if e.covers(row)), "")
    return Row(**{**vars(row), "why": why})


def stream(seed: int, *names: object) -> np.random.Generator:
    """A stream of chance for each setting, so that a new one changes no other."""
    return np.random.default_rng([seed, *"/".join(map(str, names)).encode()])


def write(rows: Iterable[Row], path: Path) -> None:
    """Write the table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(r.cells() for r in rows)


def sizes_name(sizes: Sequence[int]) -> str:
    """``20 v 200``, or ``8 x 50`` where all are alike."""
    if len(sizes) > 2 and len(set(sizes)) == 1:
        return f"{len(sizes)} x {sizes[0]}"
    return " v ".join(map(str, sizes))
