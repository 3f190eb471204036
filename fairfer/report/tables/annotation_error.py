"""Tables of the sensitivity of gaps to annotation error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.metrics.results import CorrectedGap, ProbabilisticGap, WeightedRate
from fairfer.report.tables.gaps import identity
from fairfer.report.tables.table import Table, models_as_csv
from fairfer.report.text.numbers import DASH, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairfer.report.view import View


def annotation_error_csv(view: View) -> str:
    """``annotation_error.csv``: gaps corrected for assumed shares of wrong annotations."""
    return models_as_csv(CorrectedGap, view.audit.annotation_sensitivity.corrected if view.audit.annotation_sensitivity else ())


def probabilistic_rates_csv(view: View) -> str:
    """``probabilistic_rates.csv``: rates under probabilistic group membership."""
    return models_as_csv(WeightedRate, view.audit.annotation_sensitivity.rates if view.audit.annotation_sensitivity else ())


def probabilistic_gaps_csv(view: View) -> str:
    """``probabilistic_gaps.csv``: gaps under most likely and probabilistic group membership."""
    return models_as_csv(ProbabilisticGap, view.audit.annotation_sensitivity.gaps if view.audit.annotation_sensitivity else ())


def annotation_error_table(view: View) -> Table:
    """Gaps as annotated, corrected by a validation sample, and in scenarios of annotation error."""
    curves = view.sensitivity
    errors = sorted({c.error for _, curve in curves for c in curve if c.error})
    validated = any(c.scenario == "validation" for _, curve in curves for c in curve)
    rows = []
    for gap, curve in curves:
        cells = [_corrected([c for c in curve if c.scenario == "as_annotated"])]
        if validated:
            cells.append(_corrected([c for c in curve if c.scenario == "validation"]))
        cells += [_corrected([c for c in curve if c.error == e and c.scenario != "as_annotated"]) for e in errors]
        probabilistic = view.probabilistic(gap)
        rows.append((*identity(view, gap), *cells, signed(probabilistic.probabilistic) if probabilistic else DASH))
    heads = ["as annotated", *(["corrected by the validation sample"] if validated else [])]
    heads += [f"{100 * e:g} % error in both or one of the groups" for e in errors]
    columns = ("grouping", view.noun, "rate", *heads, "probabilistic")
    return Table("Gaps corrected for annotation error", columns, tuple(rows), heads=3)


def _corrected(rows: Sequence[CorrectedGap]) -> str:
    """The range of the corrected gaps of several scenarios, and in brackets that of their confidence intervals."""
    gaps, low, high = ([getattr(r, name) for r in rows] for name in ("difference", "low", "high"))
    if not rows or None in gaps:
        return DASH
    least, most = signed(min(gaps)), signed(max(gaps))
    span = least if least == most else f"{least} to {most}"
    return f"{span} [{signed(min(low))} to {signed(max(high))}]"
