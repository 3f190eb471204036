"""Tables of the sensitivity of gaps to annotation error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.metrics.results import CorrectedGap, ProbabilisticGap, WeightedRate
from fairfer.report.tables.gaps import identity
from fairfer.report.tables.table import Table, models_as_csv
from fairfer.report.text.numbers import DASH, signed

if TYPE_CHECKING:
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
    """Gaps corrected for assumed shares of wrong annotations."""
    errors = sorted({c.error for _, curve in view.sensitivity for c in curve})
    rows = []
    for gap, curve in view.sensitivity:
        by_error = {c.error: c for c in curve}
        probabilistic = view.probabilistic(gap)
        cells = [_corrected(by_error[e]) if e in by_error else DASH for e in errors]
        rows.append((*identity(view, gap), *cells, signed(probabilistic.probabilistic) if probabilistic else DASH))
    heads = ["as annotated" if e == 0 else f"{100 * e:g} % error" for e in errors]
    columns = ("grouping", view.noun, "rate", *heads, "probabilistic")
    return Table("Gaps corrected for annotation error", columns, tuple(rows), heads=3)


def _corrected(row: CorrectedGap) -> str:
    if row.difference is None:
        return DASH
    return f"{signed(row.difference)} [{signed(row.low)} to {signed(row.high)}]"
