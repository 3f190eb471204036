"""Sections of the analyses that a plan asks for: partial pooling, the interaction test and the GEE model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Bullets, Paragraph, TableBlock, csv_links
from fairfer.report.sections.section import Section
from fairfer.report.tables.options import (
    answer_times_csv,
    answer_times_table,
    gee_csv,
    gee_rates_csv,
    gee_table,
    interactions_csv,
    interactions_table,
    pooled_csv,
    pooled_table,
)
from fairfer.report.text.groups import group_words, grouping_words
from fairfer.report.text.numbers import distinct_rates, listed, many, probability
from fairfer.report.view import ALPHA
from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from fairfer.metrics.option_results import Interaction
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class AnswerTimesSection(Section):
    """Seconds per image and group."""

    key = "answer-times"
    title = "Answer times"
    csv_names = ("answer_times.csv",)

    def applies(self, view: View) -> bool:
        """Whether the plan asks for it."""
        return bool(view.audit.answer_times)

    def csv_files(self, view: View) -> dict[str, str]:
        """Times of all groups."""
        return {"answer_times.csv": answer_times_csv(view)}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """What was measured, and the table."""
        rows = view.audit.answer_times
        largest = max((t.images_per_call or 0 for t in rows), default=0)
        how = "each image was asked for alone"
        if largest > 1:
            how = f"the model was asked for up to {largest:,} images at a time, and each image has the average of its call"
        text = (
            f"Seconds that the model took per image, without reading the file: {how}. The limits are those of the median. "
            "Times depend on the machine and on what else it was doing, so they differ when the model is run again."
        )
        return [
            Paragraph(text),
            TableBlock(answer_times_table(view), summary="Answer times as a table"),
            csv_links(self.csv_names),
        ]


class PooledSection(Section):
    """Partially pooled rates of intersections."""

    key = "pooled"
    title = "Partially pooled rates of intersections"
    csv_names = ("pooled_rates.csv",)

    def applies(self, view: View) -> bool:
        """Whether the plan asks for it."""
        return bool(view.audit.pooled)

    def csv_files(self, view: View) -> dict[str, str]:
        """All pooled rates."""
        return {"pooled_rates.csv": pooled_csv(view)}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """What pooling does, and the table."""
        text = (
            "Rates of small groups vary by chance. A pooled rate is drawn from the observed one toward the rate common to all "
            "groups of its grouping: the fewer faces, the further. Its intervals hold on average over the groups. The rate of "
            "a group that really differs from all others is drawn toward them too, so a pooled rate near the others is no "
            "evidence that the group does not differ."
        )
        return [Paragraph(text), TableBlock(pooled_table(view), summary="Pooled rates as a table"), csv_links(self.csv_names)]


class InteractionsSection(Section):
    """Whether two attributes act together."""

    key = "interactions"
    title = "Interaction of two attributes"
    csv_names = ("interactions.csv",)

    def applies(self, view: View) -> bool:
        """Whether the plan asks for it."""
        return bool(view.audit.interactions)

    def csv_files(self, view: View) -> dict[str, str]:
        """All tests."""
        return {"interactions.csv": interactions_csv(view)}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Significant interactions in words, or one line; and the table."""
        text = (
            "Do two attributes act on a rate together, beyond what each of them adds on the logit scale? The test is exact in "
            "small groups. q is adjusted over all of these tests."
        )
        rows = view.audit.interactions
        tested = [r for r in rows if r.q is not None]
        found = sorted((r for r in tested if (r.q or 0.0) < ALPHA), key=lambda r: (r.q or 0.0, r.p or 0.0))
        result: Block = Bullets([_sentence(r) for r in found])
        if all(r.status == "subjects" for r in rows):
            result = Paragraph("The test is not available when several images show one subject.")
        elif not found:
            result = Paragraph(f"None of {many(len(tested), 'tested interaction')} is statistically significant.")
        table = TableBlock(interactions_table(view), summary="Interaction tests as a table")
        return [Paragraph(text), result, table, csv_links(self.csv_names)]


def _sentence(row: Interaction) -> str:
    name = row.rate if row.label == ALL else f"{row.label} {row.rate}"
    value, additive = distinct_rates([row.value or 0.0, row.additive or 0.0])
    return (
        f"{name} by {grouping_words(row.attribute)}: the effects of both attributes do not add up ({probability('q', row.q)}); "
        f"the largest deviation is that of {group_words(row.group or ())}, {value} instead of {additive}."
    )


class GeeSection(Section):
    """Differences from a model with covariates and subjects."""

    key = "gee"
    title = "Differences at equal covariates, from a model"
    csv_names = ("gee.csv", "gee_rates.csv")

    def applies(self, view: View) -> bool:
        """Whether the plan asks for it."""
        return bool(view.audit.gee)

    def csv_files(self, view: View) -> dict[str, str]:
        """Differences, and the rate of each group."""
        return {"gee.csv": gee_csv(view), "gee_rates.csv": gee_rates_csv(view)}

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """What the model is, and the table."""
        text = (
            f"A second opinion beside the directly standardized gaps: a logistic model of recognition by group and "
            f"{listed(list(view.audit.plan.standardize))}, with correlated images within subjects (GEE). A difference is that "
            "of the mean predicted rates if all faces belonged to either group. The model assumes that the covariates have the "
            "same effect in all groups. It does not show what caused a difference."
        )
        table = TableBlock(gee_table(view), summary="Differences as a table")
        return [Paragraph(text), table, csv_links(self.csv_names)]
