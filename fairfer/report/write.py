"""Write reports and comparisons to folders."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer.errors import RunError
from fairfer.files import mark_finished, write_bytes, write_text
from fairfer.gate.verdict import VERDICT, Verdict
from fairfer.report import sections
from fairfer.report.attachments import Attachments
from fairfer.report.markdown import comparison_markdown
from fairfer.report.verdict_files import remove_verdict
from fairfer.report.view import View

if TYPE_CHECKING:
    from fairfer.audits.comparison import Comparison
    from fairfer.audits.result import Audit
    from fairfer.report.figures import Picture


def write_report(audit: Audit, folder: str | os.PathLike[str], attached: str | os.PathLike[str] | None = None) -> Path:
    """Write the report of an audit.

    ::

        FOLDER/audit.json
        FOLDER/tables/*.csv
        FOLDER/figures/*.svg, *.png
        FOLDER/report.html

    Each file is written atomically, the page last. The same audit gives the same bytes. Tables and figures of an earlier report
    that this report does not have are removed, and so is a verdict on another audit; other files are kept.

    Parameters
    ----------
    audit
        The audit.
    folder
        Where the report is written; created when missing.
    attached
        Folder with the results of ``fairfer explain`` and ``fairfer probe`` on the same run; `folder` when not given.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    UsageError
        When the folder cannot be written.
    """
    from fairfer.report.figures import draw, is_figure_file  # imports matplotlib and seaborn
    from fairfer.report.html import page  # imports jinja2

    folder = Path(folder)
    view = View(audit, Attachments.read(Path(folder if attached is None else attached), audit))
    pictures = draw(view)
    figures = _figure_files(pictures)
    tables = sections.csv_files(view)
    verdict = _verdict(audit, folder)
    html = page(view, pictures, verdict)
    if verdict is None:
        remove_verdict(folder)
    write_text(folder / "audit.json", audit.to_json())
    for name, text in tables.items():
        write_text(folder / "tables" / name, text)
    for name in sections.csv_names() - tables.keys():
        (folder / "tables" / name).unlink(missing_ok=True)
    for name, data in figures.items():
        write_bytes(folder / "figures" / name, data)
    for path in sorted((folder / "figures").iterdir()):
        if path.name not in figures and is_figure_file(path.name):
            path.unlink()
    write_text(folder / "report.html", html)
    mark_finished(folder)
    return folder / "report.html"


def write_comparison(comparison: Comparison, folder: str | os.PathLike[str]) -> Path:
    """Write ``comparison.json``, ``comparison.md``, figures and ``comparison.html``, each atomically, the page last.

    Parameters
    ----------
    comparison
        The comparison.
    folder
        Where it is written; created when missing.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    UsageError
        When the folder cannot be written.
    """
    from fairfer.report.figures.model_comparison import draw_changes  # imports matplotlib
    from fairfer.report.html import comparison_page  # imports jinja2

    folder = Path(folder)
    pictures = draw_changes(comparison)
    html = comparison_page(comparison, pictures)
    comparison.write(folder / "comparison.json")
    write_text(folder / "comparison.md", comparison_markdown(comparison))
    for name, data in _figure_files(pictures).items():
        write_bytes(folder / name, data)
    write_text(folder / "comparison.html", html)
    return folder / "comparison.html"


def _figure_files(pictures: Iterable[Picture]) -> dict[str, bytes]:
    """Figures by file name, with their versions for narrow screens."""
    every = [q for p in pictures for q in (p, p.narrow) if q]
    return {f"{p.name}.{suffix}": data for p in every for suffix, data in (("svg", p.svg), ("png", p.png))}


def _verdict(audit: Audit, folder: Path) -> Verdict | None:
    """The verdict on this audit in the folder, if there is one."""
    try:
        verdict = Verdict.read(folder / VERDICT)
    except RunError:  # missing, or written by another version: not about this audit
        return None
    return verdict if verdict.audit_checksum == audit.compute_checksum() else None
