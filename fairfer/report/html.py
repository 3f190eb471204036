"""``report.html`` and ``comparison.html``: self-contained pages. The only module that imports jinja2.

The template engine escapes everything that comes from data, and a content security policy forbids the page to load or run
anything: figures are inlined as ``data:`` images, there are no scripts, and no network is used.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup, escape

from fairfer.report import sections, verdict_renderers
from fairfer.report.blocks import Link, Text
from fairfer.report.tables.comparison import changes_table, gap_changes_table, missing_table
from fairfer.report.text.comparison import comparison_title, lines
from fairfer.report.text.findings import headline, overall, title
from fairfer.report.text.glossary import mentions
from fairfer.report.text.numbers import day, no_breaks
from fairfer.report.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairfer.audits.comparison import Comparison
    from fairfer.audits.result import Audit
    from fairfer.gate.verdict import Verdict
    from fairfer.report.figures import Picture

_PIXELS_PER_POINT = 1.5
"""Figures are shown slightly larger than their nominal size."""


class _TermLinker:
    """Links the first mention of each term on a page to the glossary."""

    def __init__(self) -> None:
        self._linked: set[str] = set()

    def __call__(self, text: Text) -> Markup:
        if not isinstance(text, str):
            return Markup().join(map(self._part, text))
        text = no_breaks(text)
        result, position = Markup(), 0
        for start, end, anchor in mentions(text):
            if anchor in self._linked:
                continue
            self._linked.add(anchor)
            result += escape(text[position:start])
            result += Markup('<a href="#{}">{}</a>').format(anchor, text[start:end])
            position = end
        return result + escape(text[position:])

    def _part(self, part: str | Link) -> Markup:
        return Markup('<a href="{}">{}</a>').format(part.target, part.text) if isinstance(part, Link) else self(part)


def page(audit: Audit | View, pictures: Sequence[Picture], verdict: Verdict | None = None) -> str:
    """The page of a report.

    Parameters
    ----------
    audit
        The audit, or a view of it with attachments.
    pictures
        Its figures, as drawn by `fairfer.report.figures.draw`.
    verdict
        The verdict of a policy on this audit, for the banner.

    Returns
    -------
    str
        HTML.
    """
    view = audit if isinstance(audit, View) else View(audit)
    audit = view.audit
    lead = _lead(view, pictures)
    parts = [
        (section, section.blocks(view, [p for p in pictures if p.kind in section.figure_kinds and p is not lead]))
        for section in sections.applicable(view)
    ]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=title(audit),
            findings=sections.key_findings(view),
            headline=headline(view),
            caveats=sections.caveats(view),
            overall=overall(view),
            lead=lead,
            parts=parts,
            banner=Markup(verdict_renderers.banner(verdict)),
            version=audit.versions.get("fairfer", ""),
            date=day(audit.date),
            shows_faces=view.attachments.shows_faces,
        )
    )


def fragment(audit: Audit, pictures: Sequence[Picture]) -> str:
    """Key findings, caveats and the first figure of an audit, to be shown inside another page.

    Parameters
    ----------
    audit
        The audit.
    pictures
        Its overview figures; none when no groups were compared.

    Returns
    -------
    str
        HTML of one element.
    """
    view = View(audit)
    return (
        _environment()
        .get_template("notebook.html.j2")
        .render(
            title=title(audit),
            findings=sections.key_findings(view),
            headline=headline(view),
            overall=overall(view),
            caveats=sections.short_caveats(view),
            lead=_lead(view, pictures) if pictures else None,
        )
    )


def comparison_page(comparison: Comparison, pictures: Sequence[Picture]) -> str:
    """The page of a comparison.

    Parameters
    ----------
    comparison
        The comparison.
    pictures
        Its figures.

    Returns
    -------
    str
        HTML.
    """
    tables = [changes_table(comparison), gap_changes_table(comparison), missing_table(comparison)]
    return (
        _environment()
        .get_template("comparison.html.j2")
        .render(
            title=comparison_title(comparison),
            lines=lines(comparison),
            pictures=pictures,
            tables=[t for t in tables if t.rows],
        )
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fairfer.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"terms": _TermLinker(), "source": _source, "kind": _kind}
    environment.globals["pixels"] = _pixels
    return environment


def _kind(block: object) -> str:
    """Name of a block's class, by which the template selects its macro."""
    return type(block).__name__


def _lead(view: View, pictures: Sequence[Picture]) -> Picture:
    """The figure of the summary: the overview of the first finding's groups if it is compact; else the first compact one."""
    overviews = [p for p in pictures if p.kind == "overview"]
    grouping = view.significant[0].attribute if view.significant else None
    return min(overviews, key=lambda p: (p.narrow is None, p.grouping != grouping))


def _source(picture: Picture) -> str:
    """A figure as a ``data:`` address, without its title, which the page shows as text."""
    width, height = _size_below_title(picture)
    size = f'width="{width}pt" height="{height}pt" viewBox="0 {picture.title_height:g} {width:g} {height:g}"'
    text = picture.svg.decode()
    text = re.sub(r'width="[^"]*" height="[^"]*" viewBox="[^"]*"', size, text[text.index("<svg") :], count=1)
    return "data:image/svg+xml;base64," + base64.b64encode(_compact(text).encode()).decode()


def _compact(svg: str) -> str:
    """The same figure in half the bytes: repeated styles become classes, space between elements is removed."""
    styles = Counter(re.findall(r' style="([^"]*)"', svg))
    names = {style: f"s{i}" for i, style in enumerate(s for s, n in styles.items() if n > 1)}
    svg = re.sub(r' style="([^"]*)"', lambda m: f' class="{names[m[1]]}"' if m[1] in names else m[0], svg)
    svg = re.sub(r' id="(?:text|patch|line2d|xtick|ytick|matplotlib\.axis|LineCollection|QuadMesh)_\d+"', "", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    rules = "".join(f".{name}{{{style}}}" for style, name in names.items())
    svg = svg.replace("</style>", f"{rules}</style>", 1)
    return re.sub(r">\s+<", "><", re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL))


def _size_below_title(picture: Picture) -> tuple[float, float]:
    """Width and height in points, without the title."""
    return round(picture.size[0], 2), round(picture.size[1] - picture.title_height, 2)


def _pixels(picture: Picture) -> tuple[int, int]:
    """Width and height in CSS pixels, so that the page does not move while it is laid out."""
    width, height = _size_below_title(picture)
    return round(_PIXELS_PER_POINT * width), round(_PIXELS_PER_POINT * height)
