"""Section: where data, groups, model and labels come from, and the audit's settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Definition, Definitions, Heading, Paragraph, TableBlock
from fairfer.report.sections.section import Section
from fairfer.report.tables.table import Table
from fairfer.report.text.caveats import (
    compared_attributes,
    labels,
    missing_words,
    provenance,
    provenance_in_short,
    selection,
    subjects,
    thresholds,
)
from fairfer.report.text.groups import source_words, with_source
from fairfer.report.text.numbers import rate, whole

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class ProvenanceSection(Section):
    """Provenance and settings."""

    key = "provenance"
    title = "Provenance and settings"

    def caveats(self, view: View) -> list[str]:
        """Sources of the attributes, subjects, labels that differ, sample selection."""
        sources = [provenance(a) for a in compared_attributes(view)]
        return [*sources, missing_words(view), subjects(view), *labels(view), *thresholds(view), selection(view)]

    def short_caveats(self, view: View) -> list[str]:
        """The same without notes and sample selection."""
        short = [*provenance_in_short(view), missing_words(view).rstrip(".")]
        return [*short, subjects(view), *labels(view), *thresholds(view)]

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Dataset, sample selection, groups, model, labels, settings."""
        return [
            *_dataset(view),
            *_selection(view),
            *_groups(view),
            *_model(view),
            *_labels(view),
            *_thresholds(view),
            *_settings(view),
        ]


def _pairs(entries: Mapping[str, str]) -> Definitions:
    return Definitions([Definition(term, text) for term, text in entries.items()], columns=True)


def _dataset(view: View) -> list[Block]:
    data = view.audit.data
    entries = {
        "dataset": f"{data.name}, {whole(data.samples)} faces, of which {whole(view.size())} audited",
        "labels": f"{data.label_space}: {', '.join(data.labels)}",
    }
    return [Heading("Dataset"), _pairs(entries | data.card)]


def _selection(view: View) -> list[Block]:
    if not view.audit.data.steps:
        return []
    rows = tuple((step.what, whole(step.excluded)) for step in view.audit.data.steps)
    return [Heading("Sample selection"), TableBlock(Table("Steps of sample selection", ("step", "faces excluded"), rows))]


def _groups(view: View) -> list[Block]:
    blocks: list[Block] = [Heading("Groups")]
    if not view.audit.data.attributes:
        return [*blocks, Paragraph("The dataset has no attributes of people; no groups were compared.")]
    definitions = []
    for a in view.audit.data.attributes:
        parts = [f"{', '.join(a.levels)}.", f"By: {a.by}." if a.by else "", a.note]
        definitions.append(Definition(f"{a.name} ({source_words(a.source)})", " ".join(filter(None, parts))))
    names = "; ".join(with_source(view.audit, g) for g in view.groupings) or "none"
    return [*blocks, Definitions(definitions), Paragraph(f"Compared: {names}.")]


def _model(view: View) -> list[Block]:
    model = view.audit.model
    entries = {
        "model": f"{model.name}, version {model.version}",
        "output classes": f"{model.label_space}: {', '.join(model.labels)}",
    }
    return [Heading("Model"), _pairs(entries | model.options)]


def _labels(view: View) -> list[Block]:
    info = view.audit.labels
    entries = {
        "audited": ", ".join(info.audited),
        "not among the model's output classes": ", ".join(info.unsupported_labels) or "none",
        "faces excluded for that reason": f"{whole(info.excluded)} (policy: {view.audit.plan.unsupported_labels})",
        "only among the model's output classes": ", ".join(info.extra) or "none",
    }
    if info.rare:
        entries["not audited, because too few faces have them"] = ", ".join(f"{n} ({whole(k)})" for n, k in info.rare.items())
    return [Heading("Labels"), _pairs(entries)]


_ORIGINS = {
    "chosen": "highest F1",
    "given": "set explicitly",
    "no_positives": "default: no face has the label",
    "not_in_validation": "default: no truth for the label",
}


def _thresholds(view: View) -> list[Block]:
    """Thresholds of a multi-label model, and where they were chosen."""
    plan = view.audit.plan
    if not plan.thresholds:
        return []
    heading = Heading("Decision thresholds")
    source = plan.thresholds_from
    if source is None:
        entries = {label: f"{value:g}, set explicitly" for label, value in plan.thresholds.items()}
        return [heading, _pairs(entries)]
    rows = tuple(
        (
            c.label,
            f"{plan.thresholds[c.label]:g}",
            _ORIGINS[c.status],
            rate(c.f1),
            rate(c.f1_default),
            whole(c.positives),
            whole(c.negatives),
        )
        for c in source.labels
    )
    columns = ("label", "threshold", "origin", "F1 there", "F1 there at 0.5", "faces with it", "faces without it")
    text = (
        f"Chosen on {source.dataset} ({source.source}; {whole(source.samples)} faces, none of them audited; digest "
        f"{source.digest[:12]}, predictions {source.predictions_digest[:12]}): of the thresholds 0.10, 0.15, …, 0.90, the one "
        "with the highest F1 for each label."
    )
    return [heading, Paragraph(text), TableBlock(Table(f"Thresholds chosen on {source.dataset}", columns, rows))]


def _settings(view: View) -> list[Block]:
    plan = view.audit.plan
    entries = {
        "minimum denominator of a compared rate": whole(plan.minimum),
        "confidence level": f"{100 * plan.confidence:g} %",
        "permutations per test": f"{whole(plan.permutations)}, seed {plan.seed}",
    }
    if not view.single_label:
        least = plan.minimum if plan.minimum_occurrences is None else plan.minimum_occurrences
        entries["minimum number of faces with an audited label"] = whole(least)
    if plan.standardize:
        entries["directly standardized for"] = view.strata
    if plan.subject:
        entries["minimum number of subjects of a compared rate"] = whole(plan.minimum_subjects)
        entries["subjects"] = f"{whole(view.audit.data.subjects)}, identified by column {plan.subject}"
    return [Heading("Settings"), _pairs(entries)]
