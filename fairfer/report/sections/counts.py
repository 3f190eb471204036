"""Section: counts of true and predicted labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Paragraph, TableBlock, csv_links
from fairfer.report.sections.section import Section
from fairfer.report.tables.counts import counts_csv, counts_table

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View

MAX_TABLES = 24
"""The page shows the tables of at most this many groups; the CSV file has all."""


class Counts(Section):
    """True label by prediction."""

    key = "counts"
    title = "Counts"
    csv_names = ("counts.csv",)

    def applies(self, view: View) -> bool:
        """Whether each face has one label: only then is there a table of true label by prediction."""
        return view.single_label

    def csv_files(self, view: View) -> dict[str, str]:
        """All counts."""
        return {"counts.csv": counts_csv(view)}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """The table for everyone; folded, those of the groups."""
        groups = [(a, g) for a in view.groupings for g in view.groups(a) if view.size(a, g)]
        tables = [counts_table(view, a, g) for a, g in groups[:MAX_TABLES]]
        text = (
            f"Number of faces by true {view.noun} and prediction. All rates are computed from these counts. A prediction in "
            "brackets is the reason why there is none."
        )
        return [
            Paragraph(text),
            TableBlock(counts_table(view)),
            *(TableBlock(table, summary=table.caption) for table in tables),
            csv_links(self.csv_names),
        ]
