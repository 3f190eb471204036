"""A comparison as Markdown, for a comment on a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.tables.comparison import changes_table, gap_changes_table, missing_table
from fairfer.report.text.comparison import comparison_title, lines
from fairfer.report.text.markup import escaped

if TYPE_CHECKING:
    from fairfer.audits.comparison import Comparison


def comparison_markdown(comparison: Comparison) -> str:
    """``comparison.md``: short, with folded tables."""
    bullets = [f"* {escaped(line)}" for line in lines(comparison)]
    text = [f"### fairfer comparison: {escaped(comparison_title(comparison))}", "", *bullets, ""]
    for table in (changes_table(comparison), gap_changes_table(comparison), missing_table(comparison)):
        if not table.rows:
            continue
        text += [f"<details><summary>{table.caption}</summary>", "", f"| {' | '.join(table.columns)} |"]
        text.append("|" + "---|" * len(table.columns))
        text += [f"| {' | '.join(map(escaped, row))} |" for row in table.rows]
        text += ["", "</details>", ""]
    return "\n".join(text)
