"""Section: counts per label and group, and confusions per group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Paragraph, TableBlock, csv_links, figures
from fairfer.report.sections.section import Section
from fairfer.report.tables.counts import confusion_table, confusions_csv, counts_csv, sizes_csv

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View

MAX_TABLES = 24
"""The page shows the tables of at most this many groups; the CSV file has all."""


class ConfusionsSection(Section):
    """True label by prediction, per group."""

    key = "confusions"
    title = "Confusions per group"
    csv_names = ("confusions.csv",)
    figure_kinds = ("confusions",)

    def applies(self, view: View) -> bool:
        """Whether each face has one label: only then is there a table of true label by prediction."""
        return bool(view.audit.confusions)

    def csv_files(self, view: View) -> dict[str, str]:
        """Every confusion rate with its interval."""
        return {"confusions.csv": confusions_csv(view)}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Heat maps, the table for everyone and, folded, those of the groups."""
        groups = [(a, g) for a in view.groupings for g in view.groups(a) if view.size(a, g)]
        tables = [confusion_table(view, a, g) for a, g in groups[:MAX_TABLES]]
        text = (
            f"How often faces with one true {view.noun} are predicted as another. Whether groups differ is tested below."
            if view.audit.confusion_gaps
            else f"How often faces with one true {view.noun} are predicted as another."
        )
        return [
            Paragraph(text),
            *figures(pictures),
            TableBlock(confusion_table(view)),
            *(TableBlock(table, summary=table.caption) for table in tables),
            csv_links(self.csv_names),
        ]


class CountsSection(Section):
    """The counts from which every rate is computed."""

    key = "counts"
    title = "Counts"
    csv_names = ("counts.csv", "groups.csv")

    def csv_files(self, view: View) -> dict[str, str]:
        """Counts per label, and sizes of the groups."""
        return {"counts.csv": counts_csv(view), "groups.csv": sizes_csv(view)}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Where the counts are."""
        text = (
            "Every rate is computed from the number of true positives, false negatives, false positives and true negatives per "
            f"{view.noun} and group. A face without a prediction counts as a false negative of its true label."
        )
        return [Paragraph(text), csv_links(self.csv_names)]
