"""Section: answers to changed pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Bullets, Paragraph, TableBlock, csv_links, figures
from fairfer.report.sections.section import Section
from fairfer.report.tables.probes import changes_csv, changes_table, flip_gaps_csv, flip_gaps_table, flips_csv
from fairfer.report.text.numbers import many
from fairfer.report.text.probes import (
    flip_finding,
    flip_range,
    lost_answers,
    no_flip_finding,
    remains,
    significant_flips,
    unchanged_words,
)

if TYPE_CHECKING:
    from fairfer.explanations.probes.results import Probes
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.text.findings import KeyFinding
    from fairfer.report.view import View


class ProbesSection(Section):
    """Whose answers change when the picture changes and the person stays the same."""

    key = "changed-pictures"
    title = "Changed pictures"
    csv_names = ("probes.csv", "probe_flips.csv", "probe_gaps.csv")
    figure_kinds = ("probes",)

    def applies(self, view: View) -> bool:
        """Whether ``fairfer probe`` was run for this audit."""
        return view.attachments.probes is not None

    def findings(self, view: View) -> list[KeyFinding]:
        """Significant differences between groups in flip rates that do not follow from their mix of labels."""
        return [flip_finding(view, f) for f in significant_flips(_probes(view)) if remains(f.gap)]

    def csv_files(self, view: View) -> dict[str, str]:
        """All changes of rates, flip rates and their differences."""
        probes = view.attachments.probes
        if probes is None:
            return {}
        return dict(zip(self.csv_names, (changes_csv(probes), flips_csv(probes), flip_gaps_csv(probes)), strict=True))

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Significant differences in words, or one line; figures; folded tables."""
        probes = _probes(view)
        found = [flip_finding(view, f) for f in significant_flips(probes)]
        sentences = [f"{f.statement}: {f.rates} ({f.counts}), {f.certainty}. {f.caveat}." for f in found]
        results: list[Block] = [Bullets(sentences)] if sentences else [Paragraph(no_flip_finding(view, probes))]
        if view.groupings:
            results.append(Paragraph(_mix(view)))
        tables = [
            TableBlock(table, summary=summary)
            for table, summary in (
                (flip_gaps_table(view, probes), "Differences in flip rates as a table"),
                (changes_table(view, probes), "Significant changes of TPR, FPR, accuracy and coverage as a table"),
            )
            if table.rows
        ]
        details = " ".join(filter(None, (flip_range(probes), lost_answers(probes), unchanged_words(probes))))
        return [
            Paragraph(_introduction(view, probes)),
            *results,
            Paragraph(details),
            *figures(pictures),
            *tables,
            csv_links(self.csv_names),
        ]


def _probes(view: View) -> Probes:
    if view.attachments.probes is None:
        message = "the section has no result of fairfer probe"
        raise ValueError(message)
    return view.attachments.probes


def _introduction(view: View, probes: Probes) -> str:
    """What was done, what a flip is, and what brightness is not."""
    flips = f"predicted {view.noun}" if view.single_label else f"set of predicted {view.noun}s"
    text = (
        f"The model was asked again about the same {many(probes.samples, 'face')}, after each of "
        f"{many(len(probes.results), 'change')} of their pictures. The flip rate is the share of faces whose {flips} differs "
        "from that of the original picture, or is missing, among the faces with a prediction for the original picture. q is "
        "FDR-adjusted over all differences between groups in flip rates."
    )
    kinds = {r.perturbation for r in probes.results}
    if kinds & {"brightness", "contrast"}:
        text += (
            " Brightness and contrast are properties of the picture, not skin tone: a darker picture of a person is not a "
            "picture of a person with darker skin."
        )
    if "occlusion" in kinds:
        text += " Covered regions are those of a template for tightly cropped, upright faces, not landmarks of each face."
    return text


def _mix(view: View) -> str:
    """Why a difference in flip rates may have another cause than the group."""
    return (
        f"Flip rates are over all faces of a group, and some {view.noun}s change more easily than others. A flip may be a "
        "correction: the changes of TPR and FPR show in which direction predictions change."
    )
