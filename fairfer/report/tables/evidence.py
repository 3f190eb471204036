"""Tables of what stands beside the rates: what gaps could be shown, adjusted gaps, raters, doubt about groups, composition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fairfer.metrics.results import (
    Ambiguity,
    Association,
    CorrectedGap,
    DuplicateConsistency,
    Gap,
    Pairing,
    ProbabilisticGap,
    Representation,
    StandardizedGap,
    WeightedRate,
)
from fairfer.report.tables.rates import Table, as_csv
from fairfer.report.text.groups import EVERYONE, group_words, with_source
from fairfer.report.text.numbers import DASH, MINUS, interval, rate, share, whole

if TYPE_CHECKING:
    from pydantic import BaseModel

    from fairfer.audits.result import Audit
    from fairfer.report.view import View

POWER_COLUMNS = (
    "label",
    "attribute",
    "rate",
    "difference",
    "expected_by_chance",
    "minimum_detectable",
    "additional_samples",
    "groups",
    "excluded",
)
ALL = frozenset(
    [
        *("power.csv", "adjusted.csv", "adjusted_rates.csv", "votes.csv", "ambiguity.csv", "retest.csv", "sensitivity.csv"),
        *("fuzzy_rates.csv", "fuzzy_gaps.csv", "composition.csv", "representation.csv", "association.csv"),
    ]
)
"""Every file that there can be; those that an audit lacks are removed."""

_SETTLED = "enough"
_REASONS = {"small": "too few", "not_estimable": "none", "empty": "nobody", "unannotated": "not known"}


def csv_files(audit: Audit) -> dict[str, str]:
    """CSV files by name: only those that this audit has anything to say in."""
    files = {"power.csv": as_csv(POWER_COLUMNS, map(_power, audit.gaps))} if audit.gaps else {}
    if audit.standardized:
        files["adjusted.csv"] = _models(StandardizedGap, audit.standardized, without=("groups",))
        columns = ("label", "attribute", "rate", "group", "value", "low", "high")
        rows = (
            {"label": a.label, "attribute": a.attribute, "rate": a.rate, **g.model_dump()}
            for a in audit.standardized
            for g in a.groups
        )
        files["adjusted_rates.csv"] = as_csv(columns, rows)
    if audit.votes:
        kinds = (("model", audit.votes.weighted), ("rater", audit.votes.human))
        files["votes.csv"] = as_csv(
            ("who", *WeightedRate.model_fields), ({"who": k, **r.model_dump()} for k, found in kinds for r in found)
        )
        files["ambiguity.csv"] = _models(Ambiguity, audit.votes.ambiguity)
        if audit.votes.duplicate_consistency:
            files["retest.csv"] = _models(DuplicateConsistency, audit.votes.duplicate_consistency)
    if audit.annotation:
        files["sensitivity.csv"] = _models(CorrectedGap, audit.annotation.corrected)
        if audit.annotation.rates:
            files["fuzzy_rates.csv"] = _models(WeightedRate, audit.annotation.rates)
            files["fuzzy_gaps.csv"] = _models(ProbabilisticGap, audit.annotation.gaps)
    if audit.composition:
        files["composition.csv"] = _models(Pairing, audit.composition.pairing)
        files["representation.csv"] = _models(Representation, audit.composition.representation)
        files["association.csv"] = _models(Association, audit.composition.association)
    return files


def _models(model: type[BaseModel], rows: Iterable[BaseModel], without: Sequence[str] = ()) -> str:
    return as_csv(tuple(n for n in model.model_fields if n not in without), (r.model_dump() for r in rows))


def _power(gap: Gap) -> dict[str, object]:
    """What these data could show of a gap; where several images settle it, a list of groups with their numbers."""
    return {
        **gap.model_dump(include={"label", "attribute", "rate", "difference", "expected_by_chance", "minimum_detectable"}),
        "additional_samples": None
        if gap.additional_samples is None
        else "; ".join(map(str, gap.additional_samples)) or _SETTLED,
        "groups": "; ".join(gap.groups),
        "excluded": "; ".join(map(str, gap.excluded)),
    }


def power_table(view: View) -> Table:
    """What the data of each gap could show: its bounds, the smallest gap they would find, how many more faces settle it."""
    rows = [
        (
            *_named(view, g),
            rate(g.difference),
            rate(g.low),
            rate(g.high),
            rate(g.minimum_detectable) if g.minimum_detectable is not None else "none",
            _settled(g),
            "; ".join(f"{group_words(o.group)} ({_REASONS[o.reason]})" for o in g.excluded) or DASH,
        )
        for g in (*view.tested, *(g for g in view.audit.gaps if g.difference is None))
    ]
    columns = (
        "grouping", view.noun, "rate", "gap", "surely at least", "surely at most", "smallest found", "more faces to settle it",
        "left out",
    )  # fmt: skip
    return Table("What these data could show, gap by gap", columns, tuple(rows), heads=3)


def _settled(gap: Gap) -> str:
    if gap.additional_samples is None:
        return DASH
    return "; ".join(f"{group_words(m.group)} {m.images:,}" for m in gap.additional_samples) or _SETTLED


def adjusted_table(view: View) -> Table:
    """Each gap as it is and after adjusting."""
    rows = [
        (
            *_named(view, a),
            rate(a.plain),
            rate(a.difference),
            rate(a.expected_by_chance),
            rate(a.q, 3),
            rate(a.low),
            rate(a.high),
            group_words(a.worst or "") if a.difference else DASH,
            group_words(a.best or "") if a.difference else DASH,
            share(a.covered_share)
            if a.status == "ok"
            else {"too_few_groups": "too few groups", "no_common_strata": "nothing in common"}[a.status],
        )
        for a in view.standardized
    ]
    columns = (
        "grouping", view.noun, "rate", "gap before", "after", "chance gap", "q", "surely at least", "surely at most",
        "fares worst", "fares best", "faces compared",
    )  # fmt: skip
    return Table(f"Gaps after adjusting for {view.mix}", columns, tuple(rows), heads=3)


def raters_table(view: View) -> Table:
    """The model beside a held-out rater, and with every vote counted."""
    rows = []
    for attribute in (EVERYONE, *view.groupings):
        for group in view.groups(attribute):
            for label in view.labels:
                cells = []
                for name in ("TPR", "FPR"):
                    model = view.rate(name, label, attribute, group)
                    votes, rater = (view.weighted(who, name, label, attribute, group) for who in ("model", "rater"))
                    cells += [
                        rate(model.value) + (" too few" if model.status == "small" else ""),
                        _weighted(votes),
                        _weighted(rater),
                    ]
                rows.append((with_source(view.audit, attribute), group_words(group), label, *cells))
    columns = (
        "grouping", "group", view.noun, "TPR", "by votes", "a rater's", "FPR", "by votes", "a rater's",
    )  # fmt: skip
    return Table("The model, and one rater held against the others", columns, tuple(rows), heads=3)


def _weighted(found: WeightedRate | None) -> str:
    if found is None or found.value is None:
        return DASH
    return f"{rate(found.value)} [{interval(found.low, found.high)}]" + (" too few" if found.status == "small" else "")


def ambiguity_table(view: View) -> Table:
    """Accuracy of the model and of a rater, by how far the raters of a face agreed."""
    votes = view.audit.votes
    rows = [
        (
            with_source(view.audit, a.attribute),
            group_words(a.group),
            a.stratum,
            whole(a.faces),
            rate(a.model) + (" too few" if a.status == "small" else ""),
            interval(a.low, a.high) or DASH,
            rate(a.human),
        )
        for a in (votes.ambiguity if votes else ())
    ]
    columns = ("grouping", "group", "raters", "faces", "model", "interval", "a rater")
    return Table("Accuracy by how far the raters of a face agreed", columns, tuple(rows), heads=3)


def retest_table(view: View) -> Table:
    """How often two sets of votes on the same picture gave the same label."""
    votes = view.audit.votes
    rows = [
        (
            "all" if r.label == EVERYONE else r.label,
            whole(r.pairs),
            whole(r.agree),
            rate(r.value),
            interval(r.low, r.high) or DASH,
        )
        for r in (votes.duplicate_consistency if votes else ())
    ]
    return Table("The same picture, rated twice", (view.noun, "pairs", "same label", "share", "interval"), tuple(rows))


def sensitivity_table(view: View) -> Table:
    """Gaps corrected for an assumed share of wrong annotations."""
    found = view.sensitivity
    errors = sorted({c.error for _, curve in found for c in curve})
    rows = []
    for gap, curve in found:
        by_error = {c.error: c for c in curve}
        cells = [_signed_interval(by_error[e]) if e in by_error else DASH for e in errors]
        probabilistic = view.probabilistic(gap)
        rows.append((*_named(view, gap), *cells, signed(probabilistic.probabilistic) if probabilistic else DASH))
    heads = ["as annotated" if e == 0 else f"{100 * e:g} % wrong" for e in errors]
    columns = ("grouping", view.noun, "rate", *heads, "by probability")
    return Table("Gaps if a share of the annotations were wrong", columns, tuple(rows), heads=3)


def _signed_interval(found: CorrectedGap) -> str:
    if found.difference is None:
        return DASH
    return f"{signed(found.difference)} [{signed(found.low)} to {signed(found.high)}]"


def signed(value: float | None) -> str:
    """A difference with its sign.

    >>> signed(0.0312), signed(-0.2), signed(0.0), signed(-0.001), signed(None)
    ('+.03', '−.20', '.00', '−<.01', '–')
    """
    if value is None:
        return DASH
    text = rate(abs(value))
    return text if value == 0 else (MINUS if value < 0 else "+") + text


def representation_table(view: View) -> Table:
    """How evenly the groups of each grouping are represented."""
    found = view.audit.composition
    rows = [
        (
            with_source(view.audit, r.attribute),
            whole(r.faces),
            whole(r.unannotated),
            whole(r.richness),
            f"{r.ens:.2f}",
            rate(r.evenness),
            rate(r.nsd),
            f"{r.imbalance:,.1f}",
            rate(r.berger_parker),
        )
        for r in (found.representation if found else ())
    ]
    columns = (
        "grouping", "faces", "unannotated", "groups", "effective groups", "evenness", "unevenness", "largest to smallest",
        "largest share",
    )  # fmt: skip
    return Table("How evenly groups are represented", columns, tuple(rows))


def association_table(view: View) -> Table:
    """How far labels go with groups, over a whole grouping."""
    found = view.audit.composition
    rows = [
        (
            with_source(view.audit, a.attribute),
            *(rate(v, 3) for v in (a.cramers_v, a.tschuprow, a.theil_u, a.theil_u_reverse, a.nmi)),
            rate(a.dsap_stereotypical, 3),
            rate(a.overall_disparity),
            DASH if a.xu_ratio is None else f"{a.xu_ratio:.2f}",
        )
        for a in (found.association if found else ())
    ]
    columns = (
        "grouping", "Cramér's V", "Tschuprow's T", "Theil's U (label given group)", "(group given label)", "NMI", "DSAP",
        "overall disparity", "Xu's ratio",
    )  # fmt: skip
    return Table(f"How far the {view.noun} goes with the group", columns, tuple(rows))


def pairing_table(view: View) -> Table:
    """How far each label goes with each group, beside how the model fares there."""
    found = view.audit.composition
    rows = [
        (
            with_source(view.audit, p.attribute),
            group_words(p.group),
            p.label,
            whole(p.faces),
            signed(p.ducher_z),
            DASH if p.npmi is None else signed(p.npmi),
            signed(p.tpr_excess),
            signed(p.fpr_excess),
        )
        for p in (found.pairing if found else ())
    ]
    columns = (
        "grouping",
        "group",
        view.noun,
        "faces",
        "Ducher's Z",
        "NPMI",
        "TPR against the others",
        "FPR against the others",
    )
    return Table(f"Which {view.noun} goes with which group, and how the model fares there", columns, tuple(rows), heads=3)


def _named(view: View, gap: Gap | StandardizedGap) -> tuple[str, str, str]:
    return with_source(view.audit, gap.attribute), "all" if gap.label == EVERYONE else gap.label, gap.rate
