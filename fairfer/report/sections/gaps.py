"""Section: gaps between groups, their tests and their statistical power."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Link, Paragraph, TableBlock, csv_links, figures
from fairfer.report.sections.section import Section
from fairfer.report.tables.gaps import gaps_csv, gaps_table, power_csv, power_table
from fairfer.report.text.caveats import permutations
from fairfer.report.text.findings import KeyFinding, gap_findings

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class Gaps(Section):
    """Gaps between groups."""

    key = "gaps"
    title = "Gaps between groups"
    csv_names = ("gaps.csv", "power.csv")
    figure_kinds = ("gaps",)

    def findings(self, view: View) -> list[KeyFinding]:
        """The largest significant gaps, or why there is none."""
        return gap_findings(view)

    def caveats(self, view: View) -> list[str]:
        """Too few permutations."""
        return [permutations(view)]

    def csv_files(self, view: View) -> dict[str, str]:
        """All gaps, and their power."""
        return {"gaps.csv": gaps_csv(view), "power.csv": power_csv(view)} if view.audit.gaps else {}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Figure, power and all gaps."""
        if not view.audit.gaps:
            return [Paragraph("No groups were compared.")]
        blocks: list[Block] = [
            Paragraph(
                (
                    "A gap is the highest minus the lowest rate among the groups of one grouping. It is compared with the gap ",
                    Link("expected by chance", "#expected-by-chance"),
                    " for groups of these sizes.",
                )
            )
        ]
        if pictures:
            blocks += figures(pictures)
        else:
            blocks += [
                Paragraph("No two groups differ in a rate that could be compared."),
                TableBlock(gaps_table(view), summary="All gaps as a table"),
            ]
        return [
            *blocks,
            TableBlock(power_table(view), summary="Minimum detectable differences and additional sample sizes needed"),
            csv_links(self.csv_names),
        ]
