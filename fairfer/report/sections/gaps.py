"""Section: gaps between groups, their tests and their statistical power."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Link, Paragraph, TableBlock, csv_links, figures
from fairfer.report.sections.section import Section
from fairfer.report.tables.gaps import differences_csv, differences_table, gaps_csv, gaps_table, power_csv, power_table
from fairfer.report.text.findings import KeyFinding, gap_findings
from fairfer.report.text.numbers import many

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


_TEST = (
    " for groups of these sizes. One test per gap compares every two groups, and each group with all others together. It "
    "decides whether the gap is statistically significant"
)


class Gaps(Section):
    """Gaps between groups."""

    key = "gaps"
    title = "Gaps between groups"
    csv_names = ("gaps.csv", "differences.csv", "power.csv")
    figure_kinds = ("gaps",)

    def findings(self, view: View) -> list[KeyFinding]:
        """The largest significant gaps, or why there is none."""
        return gap_findings(view)

    def csv_files(self, view: View) -> dict[str, str]:
        """All gaps, the differences behind them, and their power."""
        if not view.audit.gaps:
            return {}
        return {"gaps.csv": gaps_csv(view), "differences.csv": differences_csv(view), "power.csv": power_csv(view)}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Figure, significant differences, power and all gaps."""
        if not view.audit.gaps:
            return [Paragraph("No groups were compared.")]
        blocks: list[Block] = [
            Paragraph(
                (
                    "A gap is the highest minus the lowest rate among the groups of one grouping. It is shown beside the gap ",
                    Link("expected by chance", "#expected-by-chance"),
                    f"{_TEST}, and which of these ",
                    Link("differences", "#difference"),
                    " are.",
                )
            )
        ]
        if view.untestable:
            blocks.append(Paragraph(_untestable(len(view.untestable))))
        if pictures:
            blocks += figures(pictures)
        else:
            blocks += [
                Paragraph("No two groups differ in a rate that could be tested."),
                TableBlock(gaps_table(view), summary="All gaps as a table"),
            ]
        if view.significant:
            blocks.append(TableBlock(differences_table(view), summary="Significant differences as a table"))
        return [
            *blocks,
            TableBlock(power_table(view), summary="Minimum detectable differences and additional sample sizes needed"),
            csv_links(self.csv_names),
        ]


def _untestable(number: int) -> str:
    """Why some gaps are not among the tested."""
    was = "It was" if number == 1 else "They were"
    return (
        f"{many(number, 'gap')} cannot be significant: nearly all faces or nearly none are in the numerator of the rate, or "
        f"the groups are too small. {was} not tested."
    )
