"""A comparison of two runs in words, tables, Markdown and a page."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from fairfer.files import write_bytes, write_text
from fairfer.gate.policy import LOWER_IS_BETTER
from fairfer.report.tables.evidence import signed
from fairfer.report.tables.rates import Table
from fairfer.report.text.groups import EVERYONE, group_words, with_inferred
from fairfer.report.text.markup import escaped, plain
from fairfer.report.text.numbers import DASH, interval, many, probability, rate, whole
from fairfer.report.view import ALPHA

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fairfer.audits.comparison import Change, Comparison, GapChange, Standing

_WIDTH = 100
_WHERE = {
    "base": "only in the base",
    "candidate": "only in the candidate",
    "neither": "counted as another label for one of them",
}


def title(found: Comparison) -> str:
    """``deepface 1 against baseline 1 on FER+ test, 3,122 faces``."""
    sides = [f"{s.model} {s.version}" for s in (found.candidate, found.base)]
    return f"{sides[0]} against {sides[1]} on {found.data}, {many(found.samples, 'face')}"


def worse(change: Change) -> bool:
    """Whether a change is for the worse beyond chance."""
    return _sure(change) and _signed(change) < 0


def better(change: Change) -> bool:
    """Whether a change is for the better beyond chance."""
    return _sure(change) and _signed(change) > 0


def _sure(change: Change) -> bool:
    return change.q is not None and change.q < ALPHA


def _signed(change: Change) -> float:
    return (change.change or 0.0) * (-1 if change.rate in LOWER_IS_BETTER else 1)


def lines(found: Comparison) -> list[str]:
    """What changed, as sentences."""
    whole_accuracy = next(c for c in found.changes if (c.attribute, c.rate) == (EVERYONE, "accuracy"))
    now = f"{rate(whole_accuracy.candidate)} ({_change(whole_accuracy)})"
    said = [
        f"Accuracy {rate(whole_accuracy.base)} \N{RIGHTWARDS ARROW} {now}.",
        f"Of {many(found.samples, 'face')} {whole(len(found.flips))} are read differently.",
    ]
    tested = [c for c in found.changes if c.p is not None and c.attribute != EVERYONE]
    bad, good = [c for c in tested if worse(c)], [c for c in tested if better(c)]
    said.append(
        f"Of {many(len(tested), 'rate')} of groups, {whole(len(bad))} got worse and {whole(len(good))} better beyond chance "
        f"(q below .05)."
    )
    if bad:
        most = min(bad, key=_signed)
        values = f"{rate(most.base)} \N{RIGHTWARDS ARROW} {rate(most.candidate)}"
        said.append(f"Most got worse: {_named(found, most)}: {values} ({_change(most)}).")
    wider = sum(g.low is not None and g.low > 0 for g in found.gaps)
    narrower = sum(g.high is not None and g.high < 0 for g in found.gaps)
    gaps = many(sum(g.change is not None for g in found.gaps), "gap")
    said.append(f"Of {gaps}, {wider} surely became wider and {narrower} narrower, each by its own interval.")
    if found.missing:
        where = Counter(m.only_in for m in found.missing)
        parts = " and ".join(f"{n:,} {_WHERE[side]}" for side, n in sorted(where.items()))
        said.append(f"Not compared: {many(len(found.missing), 'face')} ({parts}); comparison.json lists them.")
    if found.base.labels != found.candidate.labels:
        said.append(f"Compared over the labels that both were audited in: {', '.join(found.labels)}.")
    return said


def summary(found: Comparison) -> str:
    """For a terminal."""
    shown = [f"fairfer compare \N{MIDDLE DOT} {plain(title(found))}", ""]
    for line in lines(found):
        shown += textwrap.wrap(plain(line), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(shown) + "\n"


def ranking(standings: Sequence[Standing]) -> str:
    """Runs beside each other, as text."""
    head = ("model", "faces", "accuracy", "interval", "worst group", "its accuracy", "largest gap beyond chance", "q")
    rows = [
        (
            s.model,
            whole(s.faces),
            rate(s.accuracy, 3),
            interval(s.low, s.high),
            f"{group_words(s.worst)}, by {with_inferred(s.worst_attribute, s.inferred)}"
            if s.worst and s.worst_attribute
            else DASH,
            rate(s.worst_accuracy, 3),
            f"{s.gap_of} by {with_inferred(s.gap_attribute, s.inferred)}: {rate(s.gap)} (chance {rate(s.gap_expected_by_chance)})"
            if s.gap_of and s.gap_attribute
            else DASH,
            DASH if s.gap_q is None else rate(s.gap_q, 3),
        )
        for s in standings
    ]
    table = [head, *(tuple(map(plain, row)) for row in rows)]
    wide = [max(len(r[i]) for r in table) for i in range(len(head))]
    return "".join("  ".join(c.ljust(w) for c, w in zip(row, wide, strict=True)).rstrip() + "\n" for row in table)


def changes_table(found: Comparison) -> Table:
    """Every change, what got worse first."""
    rows = [
        (
            "everyone" if c.attribute == EVERYONE else with_inferred(c.attribute, found.inferred),
            group_words(c.group),
            "all" if c.label == EVERYONE else c.label,
            c.rate,
            whole(c.trials),
            rate(c.base),
            rate(c.candidate),
            _change(c),
            f"{whole(c.gained)} / {whole(c.lost)}",
            probability("", c.q).strip() if c.q is not None else "too few" if c.status == "small" else DASH,
        )
        for c in sorted(found.changes, key=lambda c: (c.q is None, not _sure(c), _signed(c)))
    ]
    columns = ("grouping", "group", "label", "rate", "faces", "base", "candidate", "change", "gained / lost", "q")
    return Table("Changes of rates, face by face; what got worse beyond chance first", columns, tuple(rows), heads=4)


def gaps_table(found: Comparison) -> Table:
    """Every gap before and after."""
    rows = [
        (
            with_inferred(g.attribute, found.inferred),
            "all" if g.label == EVERYONE else g.label,
            g.rate,
            rate(g.base),
            rate(g.candidate),
            DASH if g.change is None else f"{signed(g.change)} [{signed(g.low)} to {signed(g.high)}]",
            group_words(g.worst_base) if g.worst_base and g.base else DASH,
            group_words(g.worst_candidate) if g.worst_candidate and g.candidate else DASH,
        )
        for g in sorted(found.gaps, key=_by_change)
    ]
    columns = ("grouping", "label", "rate", "base", "candidate", "change", "fares worst, base", "candidate")
    return Table("Changes of gaps, those that became wider first", columns, tuple(rows), heads=3)


def _by_change(gap: GapChange) -> tuple[bool, float]:
    return gap.change is None, -(gap.change or 0.0)


def missing_table(found: Comparison) -> Table:
    """Which faces only one run has, by why: numbers, no names."""
    counts = Counter((m.only_in, m.why) for m in found.missing)
    rows = [(side, why, whole(n)) for (side, why), n in sorted(counts.items())]
    return Table("Faces that were not compared", ("only in", "why", "faces"), tuple(rows), heads=2)


def markdown(found: Comparison) -> str:
    """``comparison.md``: short, the tables folded."""
    text = [f"### fairfer comparison: {escaped(title(found))}", "", *(f"* {escaped(line)}" for line in lines(found)), ""]
    for table in (changes_table(found), gaps_table(found), missing_table(found)):
        if not table.rows:
            continue
        text += ["<details><summary>" + table.caption + "</summary>", "", "| " + " | ".join(table.columns) + " |"]
        text.append("|" + "---|" * len(table.columns))
        text += ["| " + " | ".join(map(escaped, row)) + " |" for row in table.rows]
        text += ["", "</details>", ""]
    return "\n".join(text)


def write_comparison(found: Comparison, folder: Path) -> Path:
    """Write ``comparison.json``, ``.md``, ``.html`` and its pictures, each whole, the page last.

    Returns
    -------
    Path
        The page.
    """
    from fairfer.report.figures.dumbbell import draw_changes
    from fairfer.report.html import comparison_page

    pictures = draw_changes(found)
    shown = comparison_page(found, pictures)
    found.write(folder / "comparison.json")
    write_text(folder / "comparison.md", markdown(found))
    for picture in pictures:
        for kind, data in (("svg", picture.svg), ("png", picture.png)):
            write_bytes(folder / f"{picture.name}.{kind}", data)
    write_text(folder / "comparison.html", shown)
    return folder / "comparison.html"


def _named(found: Comparison, change: Change) -> str:
    label = "" if change.label == EVERYONE else f"{change.label} "
    return f"{label}{change.rate} of {group_words(change.group)}, by {with_inferred(change.attribute, found.inferred)}"


def _change(change: Change) -> str:
    if change.change is None:
        return DASH
    return f"{signed(change.change)} [{signed(change.low)} to {signed(change.high)}]"
