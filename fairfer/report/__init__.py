"""Reports: an audit as one page, figures and tables.

An `Audit` is all they need: no rows, no model and no picture. `write_report` imports matplotlib and jinja2 only when it is
called, so that reading an audit stays quick.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairfer.errors import RunError
from fairfer.files import write_bytes, write_text
from fairfer.gate.verdict import VERDICT, Verdict
from fairfer.report.tables import evidence
from fairfer.report.tables import rates as tables

if TYPE_CHECKING:
    from pathlib import Path

    from fairfer.audits.result import Audit

_OURS = re.compile(
    r"(overview|gaps|adjusted|raters|ambiguity|doubt|rate|emotion|label|bars|faces|association)(-[a-z0-9-]+)?\.(png|svg)"
)
"""Names that figures of a report have: only such files are removed when a new report no longer has them."""


def write_report(audit: Audit, folder: Path) -> Path:
    """Write everything that shows an audit.

    ::

        FOLDER/audit.json
        FOLDER/tables/rates.csv, gaps.csv, counts.csv, faces.csv and what else there is to say
        FOLDER/figures/*.svg, *.png
        FOLDER/report.html

    Each file is moved into place whole, the page last. The same audit gives the same bytes. Figures and tables of an earlier
    report that this one does not have are removed.

    Parameters
    ----------
    audit
        What is reported.
    folder
        Where to; made when missing.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    UsageError
        When the folder cannot be written to.
    """
    from fairfer.report.figures import draw
    from fairfer.report.html import page

    pictures = draw(audit)
    files = {
        f"{p.name}.{kind}": data for q in pictures for p in (q, q.slim) if p for kind, data in (("svg", p.svg), ("png", p.png))
    }
    shown = page(audit, pictures, _verdict(audit, folder))
    audit.write(folder / "audit.json")
    texts = {**tables.csv_files(audit), **evidence.csv_files(audit)}
    for name, text in texts.items():
        write_text(folder / "tables" / name, text)
    for name in evidence.ALL - texts.keys():
        (folder / "tables" / name).unlink(missing_ok=True)
    for name, data in files.items():
        write_bytes(folder / "figures" / name, data)
    for path in sorted((folder / "figures").iterdir()):
        if path.name not in files and _OURS.fullmatch(path.name):
            path.unlink()
    write_text(folder / "report.html", shown)
    return folder / "report.html"


def _verdict(audit: Audit, folder: Path) -> Verdict | None:
    """What `fairfer gate` said of this very audit, if it was asked."""
    try:
        found = Verdict.read(folder / VERDICT)
    except RunError:  # none, or one that this fairfer cannot read: it says nothing of this audit
        return None
    return found if found.audit_checksum == audit.compute_checksum() else None
