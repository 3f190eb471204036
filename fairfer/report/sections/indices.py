"""Section: summary indices and impact ratios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Paragraph, TableBlock, csv_links
from fairfer.report.sections.section import Section
from fairfer.report.tables.indices import impact_ratios_csv, impact_table, indices_csv, indices_table
from fairfer.report.text.groups import grouping_words
from fairfer.report.text.numbers import listed, many
from fairfer.vocabulary import EVERYONE, is_annotated

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class IndicesSection(Section):
    """One number per label and grouping, and the value expected by chance."""

    key = "indices"
    title = "Summary indices and impact ratios"
    csv_names = ("indices.csv", "impact_ratios.csv")

    def applies(self, view: View) -> bool:
        """Whether groups were compared."""
        return bool(view.audit.indices)

    def csv_files(self, view: View) -> dict[str, str]:
        """All indices, and the impact ratio of every group."""
        return {"indices.csv": indices_csv(view), "impact_ratios.csv": impact_ratios_csv(view)}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """What the indices are, then both tables."""
        confidence = f"{100 * view.audit.plan.confidence:g} %"
        text = (
            "A summary index is one number for how unequal the rates of all groups are. Every index shows some "
            "inequality by chance, even if the model treats all groups alike, and more with few faces: compare it with the "
            "values under random reassignment. The limits are the smallest and largest value over simultaneous "
            f"{confidence} confidence intervals of the groups' rates. "
            "The Fairness Discrepancy Rate and the impact ratio are 1 when all groups are "
            "equal, and lower otherwise. Where false positives are rare, the FNR dominates the Fairness Discrepancy Rate."
        )
        return [
            Paragraph(text),
            TableBlock(indices_table(view), summary="Summary indices as a table"),
            Paragraph(self._impact(view)),
            TableBlock(impact_table(view), summary="Impact ratios as a table"),
            csv_links(self.csv_names),
        ]

    def _impact(self, view: View) -> str:
        text = (
            "The impact ratio of a group is its selection rate divided by the highest selection rate of any group. The scoring "
            "rate is the share of faces with a score above the median of all faces. Groups below 2 % of the data are marked. "
        )
        return text + _unannotated(view)


def _unannotated(view: View) -> str:
    """How many faces have no group."""
    numbers = {
        a: sum(s.total for s in view.audit.sizes if s.attribute == a and not is_annotated(s.group))
        for a in view.groupings
        if a != EVERYONE
    }
    texts = [f"{grouping_words(a)}: {many(n, 'face')}" for a, n in numbers.items() if n]
    return f"Faces whose group is unknown ({listed(texts)}) are not included." if texts else "The group of every face is known."
