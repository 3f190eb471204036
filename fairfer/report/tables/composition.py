"""Tables of the dataset's composition: faces per group and label, representation, association of labels and groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fairfer.metrics.results import Association, Pairing, Representation
from fairfer.report.tables.table import Table, as_csv, models_as_csv
from fairfer.report.text.groups import EVERYONE, group_words, with_source
from fairfer.report.text.numbers import DASH, rate, signed, whole

if TYPE_CHECKING:
    from fairfer.report.tables.rates import Block
    from fairfer.report.view import View

COMPOSITION_COLUMNS = ("attribute", "group", "label", "samples", "share_of_group", "share_of_label")


def composition_csv(view: View) -> str:
    """``dataset_composition.csv``: faces per group and label."""
    return as_csv(COMPOSITION_COLUMNS, _samples(view))


def _samples(view: View) -> Iterable[dict[str, object]]:
    for grouping in (EVERYONE, *view.groupings):
        for group in view.groups(grouping):
            for label in view.labels:
                samples, size, support = view.support(label, grouping, group), view.size(grouping, group), view.support(label)
                yield {
                    "attribute": grouping,
                    "group": group,
                    "label": label,
                    "samples": samples,
                    "share_of_group": samples / size if size else None,
                    "share_of_label": samples / support if support else None,
                }


def representation_csv(view: View) -> str:
    """``representation.csv``: how evenly groups are represented."""
    return models_as_csv(Representation, _representation(view))


def association_csv(view: View) -> str:
    """``association.csv``: association of label and group, per grouping."""
    return models_as_csv(Association, _association(view))


def label_group_association_csv(view: View) -> str:
    """``label_group_association.csv``: association of each label with each group."""
    return models_as_csv(Pairing, _pairs(view))


def _representation(view: View) -> Sequence[Representation]:
    return view.audit.dataset_bias.representation if view.audit.dataset_bias else ()


def _association(view: View) -> Sequence[Association]:
    return view.audit.dataset_bias.association if view.audit.dataset_bias else ()


def _pairs(view: View) -> Sequence[Pairing]:
    return view.audit.dataset_bias.pairing if view.audit.dataset_bias else ()


def composition_table(view: View, blocks: Sequence[Block]) -> Table:
    """Faces per group and label."""
    rows = [
        (
            with_source(view.audit, a),
            group_words(g),
            *(whole(view.support(label, a, g)) for label in view.labels),
            whole(view.size(a, g)),
        )
        for a, groups in blocks
        for g in groups
    ]
    return Table(f"Faces by group and {view.noun}", ("grouping", "group", *view.labels, "all"), tuple(rows), heads=2)


def representation_table(view: View) -> Table:
    """How evenly the groups of each grouping are represented."""
    rows = [
        (
            with_source(view.audit, r.attribute),
            whole(r.samples),
            whole(r.unannotated),
            whole(r.richness),
            f"{r.ens:.2f}",
            rate(r.evenness),
            rate(r.nsd),
            f"{r.imbalance:,.1f}",
            rate(r.berger_parker),
        )
        for r in _representation(view)
    ]
    columns = (
        "grouping", "faces", "unannotated", "groups", "effective number of groups", "evenness", "normalized standard deviation",
        "largest / smallest group", "share of largest group",
    )  # fmt: skip
    return Table("Representation of groups", columns, tuple(rows))


def association_table(view: View) -> Table:
    """Association of label and group, per grouping."""
    rows = [
        (
            with_source(view.audit, a.attribute),
            *(rate(v, 3) for v in (a.cramers_v, a.tschuprow, a.theil_u, a.theil_u_reverse, a.nmi)),
            rate(a.dsap_stereotypical, 3),
            rate(a.overall_disparity),
            DASH if a.xu_ratio is None else f"{a.xu_ratio:.2f}",
        )
        for a in _association(view)
    ]
    columns = (
        "grouping", "Cramér's V", "Tschuprow's T", "Theil's U (label given group)", "Theil's U (group given label)", "NMI",
        "DSAP", "overall disparity", "Xu's ratio",
    )  # fmt: skip
    return Table(f"Association of {view.noun} and group", columns, tuple(rows))


def label_group_association_table(view: View) -> Table:
    """Association of each label with each group, beside the model's rates there."""
    rows = [
        (
            with_source(view.audit, p.attribute),
            group_words(p.group),
            p.label,
            whole(p.samples),
            signed(p.ducher_z),
            signed(p.npmi),
            signed(p.tpr_excess),
            signed(p.fpr_excess),
        )
        for p in _pairs(view)
    ]
    columns = (
        "grouping", "group", view.noun, "faces", "Ducher's Z", "NPMI", "TPR minus other groups",
        "FPR minus other groups",
    )  # fmt: skip
    return Table(f"Association of each {view.noun} with each group, and the model's rates", columns, tuple(rows), heads=3)
