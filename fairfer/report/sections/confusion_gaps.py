"""Section: differences between groups in confusions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Bullets, Paragraph, TableBlock, csv_links
from fairfer.report.sections.section import Section
from fairfer.report.tables.confusion_gaps import confusion_gaps_csv, confusion_gaps_table
from fairfer.report.text.confusion_gaps import (
    confusion_detail,
    confusion_sentence,
    no_confusion,
    significant_confusions,
)

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class ConfusionGapsSection(Section):
    """Which confusions are more frequent in some groups than in others."""

    key = "confusion-gaps"
    title = "Differences between groups in confusions"
    csv_names = ("confusion_gaps.csv",)

    def applies(self, view: View) -> bool:
        """Whether confusions were compared: each face has one label, and there are groups."""
        return bool(view.audit.confusion_gaps)

    def csv_files(self, view: View) -> dict[str, str]:
        """All confusions of all groupings."""
        return {"confusion_gaps.csv": confusion_gaps_csv(view)}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Significant ones in words, or one line; the table is folded."""
        text = (
            f"How often faces with one true {view.noun} are misclassified as another, in each group vs. all other groups "
            "compared. q is adjusted over all confusions of all groupings that could be significant."
        )
        found = significant_confusions(view)
        sentences = [f"{confusion_sentence(view, g)}: {confusion_detail(view, g)}." for g in found]
        result: Block = Bullets(sentences) if sentences else Paragraph(no_confusion(view))
        table = confusion_gaps_table(view)
        tables: list[Block] = [TableBlock(table, summary="Confusions as a table")] if table.rows else []
        return [Paragraph(text), result, *tables, csv_links(self.csv_names)]
