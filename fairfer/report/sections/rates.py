"""Section: rates over all labels, and rates per group and label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, FigureGrid, Paragraph, TableBlock, csv_links, figures
from fairfer.report.sections.section import Section
from fairfer.report.tables.rates import overall_table, rates_csv
from fairfer.report.text.caveats import coverage, small_groups, small_groups_in_short

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class Rates(Section):
    """Rates per group and label."""

    key = "rates"
    title = "Rates"
    csv_names = ("rates.csv",)
    figure_kinds = ("overview", "rate", "label", "bars")

    def caveats(self, view: View) -> list[str]:
        """Small denominators, and faces without a prediction."""
        return [small_groups(view), coverage(view)]

    def short_caveats(self, view: View) -> list[str]:
        """The same, with one number for all small denominators."""
        return [small_groups_in_short(view), coverage(view)]

    def csv_files(self, view: View) -> dict[str, str]:
        """All rates."""
        return {"rates.csv": rates_csv(view)}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Overall rates; overviews, heat maps by rate and by label, bars."""
        by_kind = {kind: [p for p in pictures if p.kind == kind] for kind in self.figure_kinds}
        return [
            TableBlock(overall_table(view)),
            *figures([*by_kind["overview"], *by_kind["rate"]]),
            FigureGrid(by_kind["label"]),
            *figures(by_kind["bars"]),
            Paragraph("The CSV file also has confidence intervals, PPV, selection rate, prevalence and F1 of every group."),
            csv_links(self.csv_names),
        ]
