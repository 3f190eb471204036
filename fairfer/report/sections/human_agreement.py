"""Section: human agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Heading, Paragraph, TableBlock, csv_links, figures
from fairfer.report.sections.section import Section
from fairfer.report.tables.human_agreement import (
    ambiguity_csv,
    duplicate_consistency_csv,
    duplicate_consistency_table,
    human_agreement_csv,
)
from fairfer.report.text.groups import EVERYONE, grouping_words
from fairfer.report.text.numbers import listed

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class HumanAgreementSection(Section):
    """The model beside human raters."""

    key = "human-agreement"
    title = "Human agreement"
    csv_names = ("human_agreement.csv", "ambiguity.csv", "duplicate_consistency.csv")
    figure_kinds = ("human_agreement", "accuracy_by_agreement")

    def applies(self, view: View) -> bool:
        """Whether the dataset has votes."""
        return view.human_agreement is not None

    def csv_files(self, view: View) -> dict[str, str]:
        """Rates of model and raters, accuracy by agreement, consistency on duplicates."""
        files = {"human_agreement.csv": human_agreement_csv(view), "ambiguity.csv": ambiguity_csv(view)}
        if view.human_agreement and view.human_agreement.duplicate_consistency:
            files["duplicate_consistency.csv"] = duplicate_consistency_csv(view)
        return files

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Figures, and label consistency on duplicate images."""
        votes = view.human_agreement
        if votes is None:
            return []
        text = (
            f"The label of a face is the majority vote of about {votes.raters} raters. How often one rater agrees with the "
            "majority of the others shows how hard the task is for people, and whether it is harder for some groups. A model "
            "trained on the votes of many raters can exceed it."
        )
        blocks: list[Block] = [Paragraph(text), Paragraph(_selection(view)), *figures(pictures)]
        if votes.duplicate_consistency:
            explanation = (
                "Some images occur twice in the dataset with independent votes. The table shows how often both sets of votes "
                f"give the same label. The row of one {view.noun} counts the pairs in which at least one set "
                f"gives that {view.noun}."
            )
            blocks += [
                Heading("Label consistency on duplicate images"),
                Paragraph(explanation),
                TableBlock(duplicate_consistency_table(view)),
            ]
        elif votes.independent is False:
            blocks.append(
                Paragraph(
                    "Duplicate images in this dataset have identical votes, so label consistency cannot be estimated from them."
                )
            )
        return [*blocks, csv_links(self.csv_files(view))]


def _selection(view: View) -> str:
    """Whether the votes of the other raters alone selected the faces."""
    votes = view.human_agreement
    groupings = [EVERYONE, *view.groupings]
    selected = [g for g in groupings if votes and g in votes.leave_one_out]
    others = listed([grouping_words(g) for g in groupings if g not in selected and g != EVERYONE])
    if not selected:
        return (
            "The dataset keeps only faces with a label, which the votes of all raters selected. Faces on which a rater "
            "disagreed are missing, so human agreement is overestimated here."
        )
    text = (
        "Each rater is left out in turn: the votes of the others alone decide the label, and whether the face has one, among "
        "all rated faces."
    )
    return (
        f"{text} By {others} this is unknown for faces without a label, and human agreement is overestimated."
        if others
        else text
    )
