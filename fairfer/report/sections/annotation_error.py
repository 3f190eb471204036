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
from fairfer.report.text.caveats import annotation_error
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
        """Findings whose sign depends on the annotation."""
        return [annotation_error(view, key_gaps(view))]

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
            "A model inferred these groups, and some of its annotations are wrong. Annotation errors that are "
            "equally frequent in all groups and independent of the audited model's errors make a gap look smaller than it is. "
            "Errors in one of the groups only, or errors that depend on the face, can also make it look larger. "
            "A validation sample of the annotator (--validation) replaces the assumed shares of errors by its confusion matrix."
        )
        if view.audit.annotation_sensitivity and view.audit.annotation_sensitivity.gaps:
            text += (
                " Probabilistic group membership dilutes a gap by itself, even if the probabilities are correct (a true gap of "
                "0.20 can be 0.12 between most likely groups and 0.09 between probabilistic ones). A smaller probabilistic gap "
                "is no evidence against a finding."
            )
        content: list[Block] = figures(pictures)
        if not content and view.sensitivity:
            content = [TableBlock(annotation_error_table(view))]
        if not content:
            content = [Paragraph("No gap between inferred groups could be tested.")]
        return [Paragraph(text), *content, csv_links(self.csv_files(view))]
