"""Section: where the model looked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Bullets, Heading, Paragraph, TableBlock, csv_links, figures
from fairfer.report.sections.section import Section
from fairfer.report.tables.explanations import (
    comparison_table,
    differences_csv,
    method_title,
    region_table,
    relevance_csv,
)
from fairfer.report.text.explanations import (
    agreement_sentence,
    attention,
    basis_sentence,
    check_sentences,
    comparison_sentence,
    difference_sentence,
    explanation_findings,
    is_believable,
    largest_differences,
)
from fairfer.report.text.groups import capital
from fairfer.report.text.numbers import many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairfer.explanations.explanation_results import MethodResult
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.text.findings import KeyFinding
    from fairfer.report.view import View


class ExplanationsSection(Section):
    """Relevance per region of the face and group."""

    key = "relevance"
    title = "Where the model looked"
    csv_names = ("relevance.csv", "relevance_differences.csv")
    figure_kinds = ("relevance_map", "relevance_faces")

    def applies(self, view: View) -> bool:
        """Whether the run was explained."""
        return view.attachments.explanations is not None

    def findings(self, view: View) -> list[KeyFinding]:
        """Significant differences of methods whose maps can be believed."""
        explanations = view.attachments.explanations
        return [] if explanations is None else explanation_findings(explanations)

    def csv_files(self, view: View) -> dict[str, str]:
        """Relevance per region, and differences between groups."""
        explanations = view.attachments.explanations
        if explanations is None:
            return {}
        return {"relevance.csv": relevance_csv(explanations), "relevance_differences.csv": differences_csv(explanations)}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Each method: what it says, its figures and tables, and how far its maps can be believed."""
        explanations = view.attachments.explanations
        if explanations is None:
            return []
        shown = view.attachments.shows_faces
        text = (
            "An attribution map has a relevance for each pixel: positive for a label, negative against it. Here, the positive "
            "relevance of each face is summed over regions of the face and averaged over groups"
            f"{'' if shown else '; no single face is shown'}. Relevance depends on the method. It does not show what the model "
            "uses a region for, or whether that is wrong. Adjusted p: max-T permutation test over all labels, outcomes, "
            "regions and groups of an attribute. "
        )
        blocks: list[Block] = [Paragraph(text + basis_sentence(explanations))]
        if explanations.unanswered:
            blocks.append(Paragraph(f"{many(explanations.unanswered, 'face')} without a prediction cannot be explained."))
        for method in explanations.methods:
            blocks += _method(
                view, method, [p for p in pictures if re.match(f"relevance-(map|faces)-{re.escape(method.name)}-", p.name)]
            )
        if explanations.agreement:
            blocks.append(Paragraph(agreement_sentence(explanations.agreement)))
        return [*blocks, csv_links(self.csv_names)]


def _method(view: View, method: MethodResult, pictures: Sequence[Picture]) -> list[Block]:
    blocks: list[Block] = [Heading(capital(method_title(method)))]
    if method.warning:
        blocks.append(Paragraph(method.warning))
    if method.trusted and method.checks is not None and not is_believable(method):
        text = (
            "The check below does not show that the most relevant pixels matter more than random ones. No finding rests on "
            "these maps."
        )
        blocks.append(Paragraph(text))
    sentences = attention(method, view.labels)
    blocks.append(Bullets(sentences) if sentences else Paragraph("Every label has too few recognized faces."))
    for tested in method.comparisons:
        blocks.append(Paragraph(comparison_sentence(view, tested)))
        largest = largest_differences(tested)
        if largest:
            blocks.append(Bullets([f"{difference_sentence(d)}." for d in largest]))
    blocks += figures(pictures)
    blocks.append(TableBlock(region_table(view, method), summary="Relevance by region as a table"))
    differences = comparison_table(view, method)
    if differences.rows:
        blocks.append(TableBlock(differences, summary="Differences between groups as a table"))
    return [*blocks, Bullets(check_sentences(method))]
