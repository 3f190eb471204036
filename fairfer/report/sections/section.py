"""What a section of the report is.

A section is one module with one subclass of `Section`, registered by adding an instance to
`fairfer.report.sections.SECTIONS`. From it come the section's part of the page, its entry in the contents, its findings and
caveats in the summary, its CSV files and its figures. Neither `fairfer.report.html` nor a template changes.

For example, a section about scores::

    class Scores(Section):
        key = "scores"
        title = "Scores and calibration"
        csv_names = ("scores.csv",)
        figure_kinds = ("calibration",)

        def applies(self, view: View) -> bool:
            return bool(view.audit.scores)

        def csv_files(self, view: View) -> dict[str, str]:
            return {"scores.csv": scores_csv(view)}

        def caveats(self, view: View) -> list[str]:
            return [calibration_caveat(view)]

        def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
            return [
                Paragraph("AUROC, average precision and calibration error per group, one-vs-rest."),
                *figures(pictures),
                TableBlock(scores_table(view), summary="Scores as a table"),
                csv_links(self.csv_names),
            ]

Tables are made in ``report/tables/``. A figure is a module in ``report/figures/`` registered in
`fairfer.report.figures.FIGURES`; the section names it in `Section.figure_kinds` and receives the drawn figures. Section modules
do not import matplotlib, so that findings can be printed without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from fairfer.report.blocks import Block
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.text.findings import KeyFinding
    from fairfer.report.view import View


class Section(ABC):
    """A section of the report; stateless.

    Attributes
    ----------
    key
        Anchor on the page, unique: lower case, words joined by hyphens.
    title
        Heading, and entry in the contents.
    csv_names
        All CSV files the section can write. A file of an earlier report is removed when the section does not write it again.
    figure_kinds
        Figures of the section, as `fairfer.report.figures.FIGURES` names them, in the order of `blocks`.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    csv_names: ClassVar[tuple[str, ...]] = ()
    figure_kinds: ClassVar[tuple[str, ...]] = ()

    def applies(self, view: View) -> bool:
        """Whether the report has this section; when not, no other method is called."""
        return True

    def findings(self, view: View) -> list[KeyFinding]:
        """Key findings, most important first; the summary shows the first few of all sections, in the order of sections."""
        return []

    def caveats(self, view: View) -> list[str]:
        """Caveats as sentences; empty strings are dropped."""
        return []

    def short_caveats(self, view: View) -> list[str]:
        """Caveats for the summary on a terminal; those of the page unless a section has shorter ones."""
        return self.caveats(view)

    def csv_files(self, view: View) -> dict[str, str]:
        """Contents of CSV files by name, each in `csv_names`."""
        return {}

    @abstractmethod
    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """The section's part of the page, below its heading.

        Parameters
        ----------
        view
            The audit.
        pictures
            The section's figures, without one that is shown in the summary at the top of the page.
        """
