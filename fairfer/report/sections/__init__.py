"""Sections of the report, in the order of the page. Page, contents, CSV files and summary are assembled from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.sections.action_units import ActionUnitsSection
from fairfer.report.sections.annotation_error import AnnotationError
from fairfer.report.sections.composition import Composition
from fairfer.report.sections.confusion_gaps import ConfusionGapsSection
from fairfer.report.sections.counts import ConfusionsSection, CountsSection
from fairfer.report.sections.explanations import ExplanationsSection
from fairfer.report.sections.f1 import F1Section
from fairfer.report.sections.gaps import Gaps
from fairfer.report.sections.human_agreement import HumanAgreementSection
from fairfer.report.sections.indices import IndicesSection
from fairfer.report.sections.limits import Limits
from fairfer.report.sections.options import AnswerTimesSection, GeeSection, InteractionsSection, PooledSection
from fairfer.report.sections.probes import ProbesSection
from fairfer.report.sections.provenance import ProvenanceSection
from fairfer.report.sections.rates import Rates
from fairfer.report.sections.reference import Glossary, Reproduce, Versions
from fairfer.report.sections.scores import ScoresSection
from fairfer.report.sections.standardized import Standardized
from fairfer.report.text.caveats import NO_CAVEATS
from fairfer.report.text.findings import MAX_FINDINGS, KeyFinding

if TYPE_CHECKING:
    from fairfer.report.sections.section import Section
    from fairfer.report.view import View

PROVENANCE = ProvenanceSection()

SECTIONS: tuple[Section, ...] = (
    Gaps(),
    Standardized(),
    GeeSection(),
    InteractionsSection(),
    PooledSection(),
    ActionUnitsSection(),
    HumanAgreementSection(),
    AnnotationError(),
    Rates(),
    F1Section(),
    ConfusionsSection(),
    ConfusionGapsSection(),
    IndicesSection(),
    ScoresSection(),
    ExplanationsSection(),
    CountsSection(),
    AnswerTimesSection(),
    ProbesSection(),
    Composition(),
    PROVENANCE,
    Limits(),
    Glossary(),
    Versions(),
    Reproduce(),
)
"""All sections; a new one is added here."""


def applicable(view: View) -> list[Section]:
    """The sections that apply to an audit, in the order of the page."""
    return [s for s in SECTIONS if s.applies(view)]


def key_findings(view: View) -> list[KeyFinding]:
    """The findings of the summary, at most `MAX_FINDINGS`."""
    return [finding for section in applicable(view) for finding in section.findings(view)][:MAX_FINDINGS]


def caveats(view: View) -> list[str]:
    """The caveats of all sections; provenance first, because every finding depends on it."""
    return [text for section in _provenance_first(view) for text in section.caveats(view) if text] or [NO_CAVEATS]


def short_caveats(view: View) -> list[str]:
    """Caveats for a terminal; empty without any."""
    return [text for section in _provenance_first(view) for text in section.short_caveats(view) if text]


def _provenance_first(view: View) -> Sequence[Section]:
    return sorted(applicable(view), key=lambda s: s is not PROVENANCE)


def csv_files(view: View) -> dict[str, str]:
    """The CSV files of a report by name."""
    return {name: text for section in applicable(view) for name, text in section.csv_files(view).items()}


def csv_names() -> frozenset[str]:
    """Names of all CSV files that a report can have."""
    return frozenset(name for section in SECTIONS for name in section.csv_names)
