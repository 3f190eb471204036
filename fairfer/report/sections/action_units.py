"""Section: action units beside an emotion audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Bullets, Heading, Paragraph, TableBlock, csv_links, figures
from fairfer.report.sections.section import Section
from fairfer.report.tables.action_units import (
    conditioned_gaps_csv,
    conditioned_gaps_table,
    pattern_gaps_csv,
    unit_shares_csv,
    unit_shares_table,
)
from fairfer.report.text.action_units import (
    KINDS,
    error_caveat,
    gap_findings,
    gap_numbers,
    gap_reading,
    gap_statement,
    lacking_caveat,
    no_gap,
    no_share,
    not_conditioned,
    provenance_sentence,
    share_sentence,
    significant_shares,
    significant_triples,
)
from fairfer.report.text.numbers import many

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.text.findings import KeyFinding
    from fairfer.report.view import View

_MOST_FINDINGS = 2
_MOST_SENTENCES = 12


class ActionUnitsSection(Section):
    """Units that accompany misclassifications, and gaps at equal units."""

    key = "action-units"
    title = "Action units"
    csv_names = ("action_units.csv", "conditioned_gaps.csv", "action_unit_patterns.csv")
    figure_kinds = ("conditioned_gaps",)

    def applies(self, view: View) -> bool:
        """Whether the audit was given action units."""
        return view.audit.action_units is not None

    def findings(self, view: View) -> list[KeyFinding]:
        """The most significant differences at equal units."""
        return gap_findings(view, _MOST_FINDINGS)

    def caveats(self, view: View) -> list[str]:
        """Errors of the units, and units that the table lacks."""
        return [error_caveat(view), lacking_caveat(view)]

    def short_caveats(self, view: View) -> list[str]:
        """Where the units come from."""
        info = view.audit.action_units
        return [f"action units are {KINDS[info.kind]}"] if info and info.kind != "labels" else []

    def csv_files(self, view: View) -> dict[str, str]:
        """Shares, gaps, and gaps of each pattern."""
        return {
            "action_units.csv": unit_shares_csv(view),
            "conditioned_gaps.csv": conditioned_gaps_csv(view),
            "action_unit_patterns.csv": pattern_gaps_csv(view),
        }

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Gaps at equal units, then the units of misclassified faces."""
        return [
            Paragraph(provenance_sentence(view)),
            *_gaps(view, pictures),
            *_shares(view),
            csv_links(self.csv_names),
        ]


def _gaps(view: View, pictures: Sequence[Picture]) -> list[Block]:
    text = (
        f"The share of faces with each {view.noun} is compared between groups, among faces that show the same action units. A "
        "difference in the labels can be annotation bias, or come from something that these units do not describe. What the "
        "model adds is the difference in the predictions minus that in the labels, for the same faces. The differences are "
        "standardized to the patterns of units of both groups; q is FDR-adjusted over all of them."
    )
    found = significant_triples(view)
    sentences = [f"{gap_statement(view, t)}: {gap_reading(t)} ({gap_numbers(t)})." for t in found[:_MOST_SENTENCES]]
    result: Block = Bullets(sentences) if sentences else Paragraph(no_gap(view))
    rest = [_more(len(found), "difference")] if len(found) > _MOST_SENTENCES else []
    table = conditioned_gaps_table(view)
    tables: list[Block] = [TableBlock(table, summary="Differences at equal action units as a table")] if table.rows else []
    missing = not_conditioned(view)
    return [
        Heading("Labels and predictions at equal action units"),
        Paragraph(text),
        result,
        *rest,
        *([Paragraph(missing)] if missing else []),
        *(figures(pictures) or tables),
    ]


def _shares(view: View) -> list[Block]:
    text = (
        f"How often faces of one true {view.noun} that were misclassified show an action unit, in each group, vs. faces of the "
        f"same group and {view.noun} that were classified correctly. In parentheses: interval and faces. q is adjusted over "
        "all of these comparisons."
    )
    found = significant_shares(view)
    sentences = [f"{share_sentence(view, s)}." for s in found[:_MOST_SENTENCES]]
    result: Block = Bullets(sentences) if sentences else Paragraph(no_share(view))
    rest = [_more(len(found), "unit")] if len(found) > _MOST_SENTENCES else []
    small = sum(s.status == "small" and s.unit == "*" for s in view.audit.action_unit_shares)
    cells = many(small, f"cell (group, true and predicted {view.noun})", f"cells (group, true and predicted {view.noun})")
    note = [Paragraph(f"No shares are given for {cells} with fewer than {view.minimum}.")] if small else []
    table = unit_shares_table(view)
    tables: list[Block] = [TableBlock(table, summary="Action units as a table")] if table.rows else []
    return [Heading("Units that accompany misclassifications"), Paragraph(text), result, *rest, *note, *tables]


def _more(number: int, what: str) -> Paragraph:
    return Paragraph(f"{many(number - _MOST_SENTENCES, f'more significant {what}')}: see the tables.")
