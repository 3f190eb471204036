"""Section: score-based metrics and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Paragraph, TableBlock, csv_links, figures
from fairfer.report.sections.section import Section
from fairfer.report.tables.scores import reliability_csv, scores_csv, scores_table

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class ScoresSection(Section):
    """AUROC, average precision, Brier score and calibration per label and group."""

    key = "scores"
    title = "Scores and calibration"
    csv_names = ("scores.csv", "reliability.csv")
    figure_kinds = ("score_metric", "reliability")

    def applies(self, view: View) -> bool:
        """Whether the model gave scores."""
        return bool(view.audit.scores)

    def csv_files(self, view: View) -> dict[str, str]:
        """Metrics, and reliability curves where scores are probabilities."""
        files = {"scores.csv": scores_csv(view)}
        return files | ({"reliability.csv": reliability_csv(view)} if view.audit.reliability else {})

    def caveats(self, view: View) -> list[str]:
        """That scores outside 0 to 1 have an order and no calibration."""
        if view.audit.score_scale == "probability":
            return []
        return [
            "Some scores are outside 0 to 1 and therefore not probabilities. Only AUROC and average precision are estimated."
        ]

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Figures, and every metric as a table."""
        text = (
            f"These metrics use the model's scores instead of its decisions, for one {view.noun} vs. the rest. AUROC is the "
            "probability that a face with the label has a higher score than one without it: 0.5 corresponds to a random order, "
            "1 to a perfect one. Average precision summarizes precision over all thresholds. The Brier score is the mean "
            "squared difference between score and truth. The expected calibration error is the mean distance between score and "
            "share of positives over fifteen bins of scores. Faces without a prediction have no score and are excluded."
        )
        names = [n for n in self.csv_names if n == "scores.csv" or view.audit.reliability]
        return [
            Paragraph(text),
            *figures(pictures),
            TableBlock(scores_table(view), summary="Score-based metrics as a table"),
            csv_links(names),
        ]
