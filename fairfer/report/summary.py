"""The summary of an audit as plain text, for a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from fairfer.report.sections import key_findings, short_caveats
from fairfer.report.text.caveats import NO_CAVEATS
from fairfer.report.text.findings import KeyFinding, headline, overall, title
from fairfer.report.text.groups import capital
from fairfer.report.text.markup import plain
from fairfer.report.text.numbers import NO_BREAK, no_breaks
from fairfer.report.view import View

if TYPE_CHECKING:
    from fairfer.audits.result import Audit

_WIDTH = 100


def summary(audit: Audit) -> str:
    """An audit in about ten lines: what was audited, key findings, overall rates, caveats."""
    view = View(audit)
    lines = [plain(f"fairfer audit · {title(audit)}"), "", "Key findings"]
    for number, finding in enumerate(key_findings(view), 1):
        lines += _wrapped(f"{number}. " if finding.gap else "", _finding(finding))
    lines += [*_wrapped("", headline(view)), *_wrapped("", overall(view))]
    caveats = short_caveats(view)
    text = " · ".join([*(c.rstrip(".") for c in caveats), "details in the report"]) if caveats else NO_CAVEATS
    return "\n".join([*lines, *_wrapped("", f"Caveats: {text}")]) + "\n"


def _finding(finding: KeyFinding) -> str:
    details = "; ".join(filter(None, (finding.rates, finding.certainty)))
    text = f"{finding.statement}."
    if details:
        text = f"{finding.statement}: {details}." if finding.gap else f"{finding.statement}. {capital(details)}."
    return f"{text} {finding.caveat}." if finding.caveat else text


def _wrapped(bullet: str, text: str) -> list[str]:
    lines = textwrap.wrap(
        no_breaks(plain(text)),
        _WIDTH,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(NO_BREAK, " ") for line in lines]
