"""What a section of the report is.

A section is one module with one subclass of `Section`, registered by adding an instance to
`fairfer.report.sections.SECTIONS`. From it come the section's part of the page, its entry in the contents, its findings and
caveats in the summary, its CSV files and its figures. Neither `fairfer.report.html` nor a template changes.

For example, a section about scores::

    class Scores(Section):
        key = "scores"
        title = "Scores and calibration"
        csv_names = ("scores.csv",)
        figure_names = ("calibration",)

        def applies(self, view: View) -> bool:
            return bool(view.audit.scores)

        def csv_files(self, view: View) -> dict[str, str]:
            return {"scores.csv": scores_csv(view)}

        def figures(self, view: View, names: Names) -> list[Picture]:
            from fairfer.report.figures.calibration import draw_calibration

            return draw_calibration(view, names)

        def caveats(self, view: View) -> list[str]:
            return [calibration_caveat(view)]

        def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
            return [
                Paragraph("AUROC, average precision and calibration error per group, one-vs-rest."),
                *figures(pictures),
                TableBlock(scores_table(view), summary="Scores as a table"),
                csv_links(self.csv_names),
            ]

Tables are made in ``report/tables/`` and figures in ``report/figures/``; figure modules are imported inside `Section.figures`,
so that findings can be printed without matplotlib.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from fairfer.report.blocks import Block
    from fairfer.report.figures.sheet import Names, Picture
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
    figure_names
        First parts of the names of its figures (``rate`` for ``rate-tpr.svg``). Likewise, older figures are removed.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    csv_names: ClassVar[tuple[str, ...]] = ()
    figure_names: ClassVar[tuple[str, ...]] = ()

    def applies(self, view: View) -> bool:  # noqa: ARG002 - sections that always apply need no audit
        """Whether the report has this section; when not, no other method is called."""
        return True

    def findings(self, view: View) -> list[KeyFinding]:  # noqa: ARG002 - optional
        """Key findings, most important first; the summary shows the first few of all sections, in the order of sections."""
        return []

    def caveats(self, view: View) -> list[str]:  # noqa: ARG002 - optional
        """Caveats as sentences; empty strings are dropped."""
        return []

    def short_caveats(self, view: View) -> list[str]:
        """Caveats for the summary on a terminal; those of the page unless a section has shorter ones."""
        return self.caveats(view)

    def csv_files(self, view: View) -> dict[str, str]:  # noqa: ARG002 - optional
        """Contents of CSV files by name, each in `csv_names`."""
        return {}

    def figures(self, view: View, names: Names) -> list[Picture]:  # noqa: ARG002 - optional
        """Figures, in order; `names` makes their file names unique."""
        return []

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
