"""The results as a page and as a figure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

import coverage_of_intervals as intervals
import gate
import matplotlib as mpl
import numpy as np
import subjects
from documented import MARGIN
from matplotlib.figure import Figure
from rows import LEAST, MOST, STRONGEST, WEAKEST, WIDER, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#8C8C8C"
STYLE = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "fairfer",
    "legend.frameon": False,
    "legend.fontsize": 7.5,
}
NAME = "promises"


def figure(found: Mapping[str, Sequence[Row]], folder: Path) -> None:
    """Coverage by size, of clustered data, and the gate's errors, as PNG and SVG."""
    every = [r for part in found.values() for r in part]
    with mpl.rc_context(STYLE):
        sheet = Figure(figsize=(10.5, 7), layout="constrained")
        axes = sheet.subplot_mosaic([["wilson", "gate"], ["subjects", "gate"]], width_ratios=[1.15, 1])
        _intervals(axes["wilson"], every)
        _subjects(axes["subjects"], every)
        _gate(axes["gate"], every)
        sheet.get_layout_engine().set(wspace=0.06, hspace=0.06)
        sheet.supxlabel("Gray: claimed values.", x=0.01, ha="left", fontsize=8)
        sheet.savefig(folder / f"{NAME}.svg", metadata={"Date": None, "Creator": None})
        sheet.savefig(folder / f"{NAME}.png", dpi=120, metadata={"Software": None})


def _of(rows: Sequence[Row], promise: str, pattern: str = "") -> list[Row]:
    return [r for r in rows if r.promise == promise and re.search(pattern, r.setting)]


def _first(row: Row) -> int:
    return int(re.search(r"\d+", row.setting).group())


def _band(axes: Axes) -> None:
    axes.axhspan(LEAST, MOST, color="#e8e8e8", zorder=0)
    axes.axhline(0.95, color="black", linewidth=0.8, zorder=1)
    axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f} %")


def _intervals(axes: Axes, rows: Sequence[Row]) -> None:
    _band(axes)
    for single, mean, pattern, color, marker, side, name in (
        (intervals.WILSON, intervals.WILSON_MEAN, "", BLUE, "o", 0.95, "a rate (Wilson)"),
        (intervals.NEWCOMBE, intervals.NEWCOMBE_MEAN, r"^(\d+) vs\. \1,", ORANGE, "D", 1.05, "a difference (Newcombe)"),
    ):
        means, singles = _of(rows, mean, pattern), _of(rows, single, pattern)
        sizes = sorted({_first(r) for r in means})
        spread = [[r.found for r in singles if _first(r) == n] for n in sizes]
        at = np.array(sizes) * side
        axes.vlines(at, [min(s) for s in spread], [max(s) for s in spread], color=color, alpha=0.45, linewidth=3)
        middle = [np.mean([r.found for r in means if _first(r) == n]) for n in sizes]
        axes.plot(at, middle, color=color, marker=marker, markersize=4.5, linewidth=1, label=name)
    axes.set(xscale="log", xlabel="samples in a group", ylabel="coverage", ylim=(0.9, 1.003))
    axes.set_xticks(intervals.SIZES, [f"{n:,}" for n in intervals.SIZES])
    axes.set_xticks([], minor=True)
    axes.set_title("95 % intervals: mean over all rates, and range of single rates")
    axes.legend(loc="upper right")


def _subjects(axes: Axes, rows: Sequence[Row]) -> None:
    _band(axes)
    for correlation, color, marker in zip(subjects.CORRELATIONS, (GRAY, BLUE, ORANGE), ("s", "o", "D"), strict=True):
        pattern = rf"subjects x 10, correlation {correlation:g}, rate 0.9"
        for promise, line in ((subjects.SUBJECTS, "-"), (f"for comparison: {subjects.INDEPENDENT}", ":")):
            members = _of(rows, promise, pattern)
            axes.plot(
                [_first(r) for r in members],
                [r.found for r in members],
                linestyle=line,
                color=color,
                marker=marker,
                markersize=4.5,
                markerfacecolor=color if line == "-" else "white",
                label=f"{correlation:g}" if line == "-" else None,
            )
    axes.text(50, 0.70, "dotted, hollow:\nsamples as independent", ha="center", va="center")
    axes.text(50, 0.905, "solid, filled: subjects resampled", ha="center", va="center")
    axes.set(xscale="log", xlabel="subjects, ten samples each (rate 0.9)", ylabel="coverage")
    axes.set_ylim(0.45, 1.02)
    axes.set_xticks([10, 20, 50, 100], ["10", "20", "50", "100"])
    axes.set_xticks([], minor=True)
    axes.set_title("95 % intervals: several samples of one subject")
    axes.legend(loc="lower left", title="correlation of a subject's samples", title_fontsize=7.5, ncols=3, alignment="left")


def _gate(axes: Axes, rows: Sequence[Row]) -> None:
    lines: list[tuple[str, float, float]] = []
    for within in _of(rows, gate.WITHIN):
        [beyond] = [r for r in _of(rows, gate.BEYOND) if r.setting == within.setting]
        lines.append((within.setting.replace(", limit", "\nlimit"), within.found, beyond.found))
    worst = _of(rows, gate.WORST_WITHIN)
    for name in dict.fromkeys(r.setting.partition(",")[0] for r in worst):
        most = [max(r.found for r in _of(rows, p, rf"^{name},")) for p in (gate.WORST_WITHIN, gate.WORST_BEYOND)]
        lines.append((f"{name}, worst of\nall rates and limits", *most))
    y = -np.arange(len(lines))
    axes.axvspan(0, 0.05, color="#e8e8e8", zorder=0)
    axes.axvline(0.05, color="black", linewidth=0.8, zorder=1)
    axes.hlines(y, 0, [max(a, b) for _, a, b in lines], color="#c0c0c0", linewidth=0.6)
    axes.plot([a for _, a, _ in lines], y, "o", color=BLUE, markersize=5, label="passes")
    axes.plot([b for _, _, b in lines], y, "D", color=ORANGE, markersize=4.5, markerfacecolor="white", label="fails")
    axes.set_yticks(y, [name for name, _, _ in lines], fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(-0.001, 0.07), xlabel="verdicts when the true gap is exactly at the limit", ylim=(y[-1] - 0.7, 0.7))
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f} %")
    axes.set_title("Gate: wrong verdicts")
    axes.legend(loc="upper right", bbox_to_anchor=(1, 1), borderaxespad=0.1)


def readme(found: Mapping[str, Sequence[Row]], folder: Path, *, short: bool, seed: int) -> None:
    """Write the page."""
    every = [r for part in found.values() for r in part]
    claims = [r for r in every if not r.promise.startswith("for comparison")]
    count = {k: sum(r.kept == k for r in claims) for k in ("yes", "no", "by design", "skipped")}
    skipped = f" {count['skipped']} could not be simulated here." if count["skipped"] else ""
    run = "short" if short else "full"
    lines = [
        "# Validation of the statistics by simulation",
        "",
        _paragraph(
            "Every interval, test and verdict of fairfer has a claimed error rate. Here each claim is checked on simulated",
            f"data with a known truth. The claim holds in {count['yes']} of {len(claims)} settings;",
            f"{count['by design']} are more conservative than claimed, and in {count['no']} it does not hold:",
            f"[settings and reasons](#claims-that-do-not-hold).{skipped}",
        ),
        "",
        f"![Coverage of intervals and wrong verdicts of the gate, with the claimed values]({NAME}.svg)",
        "",
        "To reproduce, from the root of the repository:",
        "",
        "    FAIRFER_SHARED=FOLDER python tests/simulations/run.py",
        "",
        _paragraph(
            "The run takes about an hour on one core; `--jobs 2` uses two. The same seed gives the same numbers.",
            "`FOLDER/data/ferplus` contains FER+ in its official layout; without it the audits with a random attribute are",
            "skipped. `--short` has",
            "fewer repetitions and takes a few minutes; the tests use it. This page, the figure and",
            f"[results.csv](results.csv), which lists every setting, were written by the {run} run with seed {seed}.",
        ),
        "",
        _paragraph(
            "**Criteria.** Where all outcomes can be enumerated, values are exact. Elsewhere the table has the Monte-Carlo",
            f"standard error, and a claim does not hold if the value is more than {MARGIN} standard errors beyond it. A 95 %",
            f"interval is claimed to cover the true value in {100 * LEAST:.1f} to {100 * MOST:.0f} % of cases. A false alarm,",
            "or a wrong verdict when the true gap equals the limit, is claimed to occur in at most 5 %. *About 80 %* power is",
            f"{100 * WEAKEST:.0f} to {100 * STRONGEST:.0f} %. *By design*: coverage or power is higher than claimed. Rows",
            "*for comparison* are alternatives that fairfer does not use.",
        ),
        "",
        "## Claims that do not hold",
        "",
        *_exceptions(claims),
        "",
        "## More conservative than claimed",
        "",
        *_conservative(claims),
        "",
    ]
    for title, part in found.items():
        lines += [f"## {title}", "", *_table(part), ""]
    lines += ["## Upper bounds over all simulated policies", "", *_simultaneous(claims), ""]
    (folder / "README.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _simultaneous(rows: Sequence[Row]) -> list[str]:
    """Upper bounds of the errors of policies that hold for all settings of a claim together (Bonferroni)."""
    claims: dict[str, list[Row]] = {}
    for row in rows:
        if "policy" in row.promise and row.error > 0:
            claims.setdefault(row.promise, []).append(row)
    lines = [
        _paragraph(
            "Errors of independent faces are enumerated. Those of subjects are simulated: the bound holds for all",
            "settings of a claim together (95 %, Bonferroni, normal). It is above 5 % where the error of one of many checks",
            "is so small that it hardly occurs in the repetitions: these settings show no violation, but cannot rule one out.",
        ),
        "",
        "| claim | settings | largest value | upper bound over all settings | of 1 and 8 checks |",
        "|---|--:|--:|--:|--:|",
    ]
    for promise, members in claims.items():
        quantile = NormalDist().inv_cdf(1 - 0.05 / len(members))
        largest = max(r.found for r in members)
        bounds = [
            max((r.found + quantile * r.error for r in members if not r.part.startswith(skipped)), default=0.0)
            for skipped in ("nothing", "64 checks")
        ]
        values = [_percent(v) for v in (largest, *bounds)]
        lines.append(f"| {promise} | {len(members)} | {' | '.join(values)} |")
    return lines


def _paragraph(*text: str, indent: str = "") -> str:
    return textwrap.fill(" ".join(text), 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _exceptions(rows: Sequence[Row]) -> list[str]:
    exceptions = sorted((r for r in rows if r.kept == "no"), key=lambda r: (r.promise, r.why))
    lines = []
    for (promise, why), group in groupby(exceptions, key=lambda r: (r.promise, r.why)):
        members = list(group)
        of = sum(r.promise == promise for r in rows)
        worst = (min if members[0].nominal > 0.05 else max)(members, key=lambda r: r.found)
        claim = f"* **{promise[0].upper() + promise[1:]}**: does not hold in {len(members)} of {of} settings;"
        lines.append(
            _paragraph(
                claim,
                f"worst value {_percent(worst.found)} ({worst.setting}).",
                why or "Unknown reason: an error.",
                indent="  ",
            )
        )
    return lines or ["None."]


def _conservative(rows: Sequence[Row]) -> list[str]:
    conservative = sorted((r for r in rows if r.kept == "by design"), key=lambda r: (r.promise, r.why))
    lines = []
    for (promise, why), group in groupby(conservative, key=lambda r: (r.promise, r.why)):
        members = list(group)
        most = max(members, key=lambda r: abs(r.found - r.nominal))
        settings = "1 setting" if len(members) == 1 else f"{len(members)} settings"
        text = f"* {promise[0].upper() + promise[1:]}: in {settings}, for example {_percent(most.found)} ({most.setting})."
        lines.append(_paragraph(text, "" if why == WIDER else f"Reason: {why}.", indent="  ").rstrip())
    return lines or ["None."]


def _table(rows: Sequence[Row]) -> list[str]:
    lines = ["| claim | part | settings | claimed | minimum | mean | maximum | holds |", "|---|---|--:|--:|--:|--:|--:|---|"]
    parts: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        parts.setdefault((row.promise, row.part), []).append(row)
    for (promise, part), members in parts.items():
        values = [round(r.found, 4) for r in members]  # as in results.csv
        numbers = ["", "", ""] if np.isnan(values).any() else [_percent(f(values)) for f in (min, np.mean, max)]
        nominal = " / ".join(dict.fromkeys(f"{100 * r.nominal:.0f} %" for r in members))
        if nominal == "5 %":
            nominal = "≤ 5 %"
        kept = {k: sum(r.kept == k for r in members) for k in dict.fromkeys(r.kept for r in members)}
        word = next(iter(kept)) if len(kept) == 1 else ", ".join(f"{n} {k}" for k, n in kept.items())
        if promise.startswith("for comparison"):
            word = ""
        lines.append("| " + " | ".join([promise, part, str(len(members)), nominal, *numbers, word]) + " |")
    return lines


def _percent(value: float) -> str:
    return f"{100 * round(float(value), 4):.1f} %"
