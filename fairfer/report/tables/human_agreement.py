"""Tables of human agreement: the model beside one rater, by agreement among raters, and on duplicate images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.metrics.results import Ambiguity, DuplicateConsistency, WeightedRate
from fairfer.report.tables.rates import too_few
from fairfer.report.tables.table import Table, as_csv, models_as_csv
from fairfer.report.text.groups import EVERYONE, group_words, with_source
from fairfer.report.text.numbers import DASH, interval, rate, whole
from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairfer.report.view import RateSource, View


def human_agreement_csv(view: View) -> str:
    """``human_agreement.csv``: vote-weighted rates of the model, and rates of one rater vs. the majority of the others."""
    votes = view.human_agreement
    sources = (("model", votes.weighted), ("rater", votes.human)) if votes else ()
    return as_csv(("source", *WeightedRate.model_fields), ({"source": s, **dict(r)} for s, rows in sources for r in rows))


def ambiguity_csv(view: View) -> str:
    """``ambiguity.csv``: accuracy by agreement among raters."""
    return models_as_csv(Ambiguity, _ambiguity(view))


def duplicate_consistency_csv(view: View) -> str:
    """``duplicate_consistency.csv``: label consistency on duplicate images."""
    return models_as_csv(DuplicateConsistency, _duplicates(view))


def _ambiguity(view: View) -> Sequence[Ambiguity]:
    return view.human_agreement.ambiguity if view.human_agreement else ()


def _duplicates(view: View) -> Sequence[DuplicateConsistency]:
    return view.human_agreement.duplicate_consistency if view.human_agreement else ()


def human_agreement_table(view: View) -> Table:
    """The model's rates, with every vote counted, and those of one rater vs. the majority of the others."""
    rows = []
    for grouping in (EVERYONE, *view.groupings):
        for group in view.groups(grouping):
            for label in view.labels:
                cells = []
                for name in ("TPR", "FPR"):
                    model = view.rate(name, label, grouping, group)
                    cells.append(rate(model.value) + too_few(model.status))
                    sources: tuple[RateSource, ...] = ("model", "rater")
                    cells += [_weighted(view.weighted(source, name, label, grouping, group)) for source in sources]
                rows.append((with_source(view.audit, grouping), group_words(group), label, *cells))
    columns = [f"{name}: {who}" for name in ("TPR", "FPR") for who in ("model", "model, vote-weighted", "one rater")]
    caption = "Model, and human agreement (one rater vs. the majority of the others)"
    return Table(caption, ("grouping", "group", view.noun, *columns), tuple(rows), heads=3)


def _weighted(row: WeightedRate | None) -> str:
    if row is None or row.value is None:
        return DASH
    return f"{rate(row.value)} [{interval(row.low, row.high)}]" + too_few(row.status)


def ambiguity_table(view: View) -> Table:
    """Accuracy of the model and of one rater, by agreement among raters."""
    rows = [
        (
            with_source(view.audit, a.attribute),
            group_words(a.group),
            a.stratum,
            whole(a.samples),
            rate(a.model) + too_few(a.status),
            interval(a.low, a.high) or DASH,
            rate(a.human),
        )
        for a in _ambiguity(view)
    ]
    columns = ("grouping", "group", "raters", "faces", "model", "confidence interval", "one rater")
    return Table("Accuracy by agreement among raters", columns, tuple(rows), heads=3)


def duplicate_consistency_table(view: View) -> Table:
    """How often two sets of votes on the same image give the same label."""
    rows = [
        (
            "all" if r.label == ALL else r.label,
            whole(r.pairs),
            whole(r.agree),
            rate(r.value),
            interval(r.low, r.high) or DASH,
        )
        for r in _duplicates(view)
    ]
    columns = (view.noun, "pairs", "same label", "share", "confidence interval")
    return Table("Label consistency on duplicate images", columns, tuple(rows))
