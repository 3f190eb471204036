"""Section: sensitivity of gaps to errors in inferred groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Paragraph, TableBlock, csv_links, figures
from fairfer.report.sections.section import Section
from fairfer.report.tables.annotation_error import (
    annotation_error_csv,
    annotation_error_table,
    probabilistic_gaps_csv,
    probabilistic_rates_csv,
)
from fairfer.report.text.caveats import annotation_error, group_membership
from fairfer.report.text.findings import key_gaps

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class AnnotationError(Section):
    """Sensitivity to annotation error."""

    key = "annotation-error"
    title = "Sensitivity to annotation error"
    csv_names = ("annotation_error.csv", "probabilistic_rates.csv", "probabilistic_gaps.csv")
    figure_kinds = ("annotation_error",)

    def applies(self, view: View) -> bool:
        """Whether groups are inferred and a gap was tested."""
        return view.audit.annotation_sensitivity is not None

    def caveats(self, view: View) -> list[str]:
        """Findings whose sign or size depends on the annotation."""
        gaps = key_gaps(view)
        return [annotation_error(view, gaps), group_membership(view, gaps)]

    def csv_files(self, view: View) -> dict[str, str]:
        """Corrected gaps; rates and gaps under probabilistic group membership."""
        files = {"annotation_error.csv": annotation_error_csv(view)}
        if view.audit.annotation_sensitivity and view.audit.annotation_sensitivity.rates:
            files |= {
                "probabilistic_rates.csv": probabilistic_rates_csv(view),
                "probabilistic_gaps.csv": probabilistic_gaps_csv(view),
            }
        return files

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Figure, or why there is none."""
        text = (
            "A model inferred these groups, and some of its annotations are wrong. If its errors are independent of the "
            "audited model's errors, observed gaps are smaller than the true ones."
        )
        content: list[Block] = figures(pictures)
        if not content and view.sensitivity:
            content = [TableBlock(annotation_error_table(view))]
        if not content:
            content = [Paragraph("No gap between inferred groups could be tested.")]
        return [Paragraph(text), *content, csv_links(self.csv_files(view))]
