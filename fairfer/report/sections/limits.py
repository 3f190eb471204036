"""Section: limits of any audit of this kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Bullets
from fairfer.report.sections.section import Section

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class Limits(Section):
    """Limits."""

    key = "limits"
    title = "Limits"

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Limits as a list."""
        plan = view.audit.plan
        inferred = sorted({a.name for a in view.audit.data.attributes if a.source == "inferred"})
        items = ["A label is how raters perceived a face. It is not what the person felt."]
        if inferred:
            items.append(
                f"A model inferred these attributes: {', '.join(inferred)}. Its errors can hide gaps or create them. How "
                "people describe themselves is unknown."
            )
        items += [
            "A gap that is not statistically significant may still exist. Small groups have a low power to detect gaps.",
            "A statistically significant gap is a difference between these groups in this dataset. Rates do not show why.",
            f"A rate of a group is compared only if its denominator is at least {view.minimum.replace(' or ', ' and ')}.",
        ]
        if plan.subject:
            items.append(
                f"Intervals and tests treat the subject (column {plan.subject}) as the independent unit. With fewer than about "
                "20 subjects in a group, intervals are somewhat too narrow."
            )
        else:
            items.append(
                "Intervals and tests treat every face as a different subject. If the dataset has several images per subject, "
                "intervals are too narrow."
            )
        items += [
            "Groups can differ in how their images were collected, lit, posed and rated.",
            "The results hold for this dataset, this version of the model and these settings.",
        ]
        return [Bullets(items)]
