"""Section: F1 per group, per label and group, and its differences between groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Paragraph, TableBlock, csv_links
from fairfer.report.sections.section import Section
from fairfer.report.tables.f1 import (
    f1_csv,
    f1_differences_csv,
    f1_gaps_csv,
    f1_gaps_table,
    f1_labels_csv,
    f1_labels_table,
    f1_table,
)
from fairfer.report.text.groups import EVERYONE, grouping_words
from fairfer.report.text.numbers import listed

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View

_MOST_GROUPS = 20
"""A grouping with more groups is in the CSV files only."""


class F1Section(Section):
    """F1."""

    key = "f-scores"
    title = "F1 scores"
    csv_names = ("f1.csv", "f1_labels.csv", "f1_gaps.csv", "f1_differences.csv")

    def applies(self, view: View) -> bool:
        """Whether the differences were tested, or there are no groups: audits of earlier versions have no intervals of F1."""
        return bool(view.audit.f1_gaps) or not view.groupings

    def csv_files(self, view: View) -> dict[str, str]:
        """Per group, per label and group, and the differences where groups were compared."""
        files = {"f1.csv": f1_csv(view), "f1_labels.csv": f1_labels_csv(view)}
        if view.audit.f1_gaps:
            files |= {"f1_gaps.csv": f1_gaps_csv(view), "f1_differences.csv": f1_differences_csv(view)}
        return files

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """What F1 is, one table per grouping, the tests, and the tables of labels."""
        unit = "subjects with all of their faces" if view.audit.plan.subject else "faces"
        text = (
            f"F1 of a {view.noun} is the harmonic mean of precision and recall. Macro-F1 is its mean over all audited labels, "
            "weighted macro-F1 the mean weighted by the number of faces with each label. Where no face of a group has a label, "
            "the F1 of the label and the macro-F1 of the group are undefined."
        )
        test = (
            f"The test recomputes macro-F1 after random reassignment of {unit} to the groups. q is FDR-adjusted over these "
            "differences alone, not over the gaps above. The intervals are simultaneous for the groups compared."
        )
        shown = [g for g in view.groupings if len(view.groups(g)) <= _MOST_GROUPS]
        blocks: list[Block] = [Paragraph(text)]
        blocks += [TableBlock(f1_table(view, g)) for g in shown or [EVERYONE]]
        if view.audit.f1_gaps:
            blocks += [Paragraph(test), TableBlock(f1_gaps_table(view), summary="Differences between groups as a table")]
        for grouping in shown or [EVERYONE]:
            title = f"F1, precision, recall and the four rates of each {view.noun}"
            title += f" by {grouping_words(grouping)}" if grouping else ""
            blocks.append(TableBlock(f1_labels_table(view, grouping), summary=title))
        if omitted := [grouping_words(g) for g in view.groupings if g not in shown]:
            blocks.append(Paragraph(f"The many groups of {listed(omitted)} are in the CSV files only."))
        written = self.csv_names if view.audit.f1_gaps else self.csv_names[:2]
        return [*blocks, csv_links(written)]
