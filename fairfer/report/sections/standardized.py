"""Section: gaps after direct standardization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Paragraph, TableBlock, csv_links, figures
from fairfer.report.sections.section import Section
from fairfer.report.tables.standardized import standardized_gaps_csv, standardized_rates_csv, standardized_table
from fairfer.report.text.caveats import significance_after_standardization, standardization
from fairfer.report.text.findings import key_gaps

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class Standardized(Section):
    """Directly standardized gaps."""

    key = "standardized"
    title = "Directly standardized gaps"
    csv_names = ("standardized_gaps.csv", "standardized_rates.csv")
    figure_kinds = ("standardized_gaps",)

    def applies(self, view: View) -> bool:
        """Whether gaps were standardized."""
        return bool(view.audit.standardized)

    def caveats(self, view: View) -> list[str]:
        """How findings change by standardization, and gaps that are significant only before or only after it."""
        return [standardization(view, key_gaps(view)), significance_after_standardization(view)]

    def csv_files(self, view: View) -> dict[str, str]:
        """Standardized gaps and rates."""
        return {
            "standardized_gaps.csv": standardized_gaps_csv(view),
            "standardized_rates.csv": standardized_rates_csv(view),
        }

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Figure, or the table when no gap could be estimated."""
        text = (
            f"Groups may differ in their distribution of {view.strata}. Here all groups have the same distribution: each rate "
            "is the weighted mean over strata, with the same weights for every group. Only strata with faces of every group "
            "can be compared, so read the share of faces first. The change of a gap is estimated over the same faces, with a "
            "confidence interval of its own. It is no cause: a variable that the group itself affects, such as raters who are "
            "less sure of one group, can create a gap or remove one."
        )
        content: list[Block] = figures(pictures) or [TableBlock(standardized_table(view))]
        return [Paragraph(text), *content, csv_links(self.csv_names)]
