"""Section: dataset composition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Link, Paragraph, TableBlock, csv_links, figures
from fairfer.report.sections.section import Section
from fairfer.report.tables.composition import (
    association_csv,
    association_table,
    composition_csv,
    label_group_association_csv,
    representation_csv,
    representation_table,
)

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class Composition(Section):
    """Dataset composition."""

    key = "composition"
    title = "Dataset composition"
    csv_names = ("dataset_composition.csv", "representation.csv", "association.csv", "label_group_association.csv")
    figure_kinds = ("composition", "association")

    def csv_files(self, view: View) -> dict[str, str]:
        """Faces per group and label; representation and association where groups were compared."""
        files = {"dataset_composition.csv": composition_csv(view)}
        if view.audit.dataset_bias:
            files |= {
                "representation.csv": representation_csv(view),
                "association.csv": association_csv(view),
                "label_group_association.csv": label_group_association_csv(view),
            }
        return files

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Figures, representation and association."""
        blocks = figures(pictures)
        if view.audit.dataset_bias:
            blocks += [
                TableBlock(representation_table(view)),
                TableBlock(association_table(view)),
                Paragraph(
                    ("Definitions: ", Link("representation", "#evenness"), ", ", Link("association", "#association"), ".")
                ),
            ]
        return [*blocks, csv_links(self.csv_files(view))]
