"""``report.html``: one page that needs nothing beside it. The only module that imports jinja2.

Everything that came from data is escaped by the template engine, and a content security policy forbids the page to load or run
anything: figures are inlined as ``data:`` pictures, there is no script, and nothing is asked of a network.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from typing import TYPE_CHECKING, get_args

import jinja2
from markupsafe import Markup, escape

from fairfer.report import comparison as versus
from fairfer.report import verdicts
from fairfer.report.tables import evidence
from fairfer.report.tables import rates as tables
from fairfer.report.text import findings as narrative
from fairfer.report.text import groups as people
from fairfer.report.text import numbers as numerals
from fairfer.report.text.glossary import GLOSSARY, TERMS
from fairfer.report.view import RATES, Section, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairfer.audits.comparison import Comparison
    from fairfer.audits.result import Audit
    from fairfer.gate.verdict import Verdict
    from fairfer.report.figures import Picture

MOST_CONFUSIONS = 24
"""Confusion tables of more groups than this stand only in ``tables/counts.csv``."""


class _Linker:
    """Links the first mention of each term on the page to the glossary."""

    def __init__(self) -> None:
        self._linked: set[str] = set()
        words = sorted(TERMS, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])")

    def __call__(self, text: str) -> Markup:
        text = narrative.tied(text)
        done, position = Markup(), 0
        for match in self._pattern.finditer(text):
            target = TERMS[match[0]]
            if target in self._linked:
                continue
            self._linked.add(target)
            done += escape(text[position : match.start()])
            done += Markup('<a href="#{}">{}</a>').format(target, match[0])
            position = match.end()
        return done + escape(text[position:])


def page(audit: Audit, pictures: Sequence[Picture], verdict: Verdict | None = None) -> str:
    """The whole page.

    Parameters
    ----------
    audit
        What is reported.
    pictures
        Its figures, as `fairfer.report.figures.draw` makes them.
    verdict
        What a policy says of it, for the banner.
    """
    view = View(audit)
    environment = _environment()
    first = _first(view, pictures)
    return environment.get_template("report.html.j2").render(
        audit=audit,
        title=narrative.title(audit),
        findings=narrative.findings(view),
        headline=narrative.headline(view),
        care=narrative.care(view) or [narrative.NO_CARE],
        overall=narrative.overall(view),
        first=first,
        sections=_sections(pictures, first),
        overall_table=tables.overall_table(view),
        gaps_table=tables.gaps_table(view),
        confusions=_confusions(view),
        power_table=evidence.power_table(view),
        retest_table=evidence.retest_table(view),
        representation_table=evidence.representation_table(view),
        association_table=evidence.association_table(view),
        mix=view.mix,
        banner=Markup(verdicts.banner(verdict)),
        minimum=numerals.many(audit.plan.minimum, "face"),
        faces=view.size(),
        noun=view.noun,
        groupings=[people.with_source(audit, a) for a in view.groupings],
        inferred=sorted({a.name for a in audit.data.attributes if a.source == "inferred"}),
        rates=RATES,
        glossary=GLOSSARY,
    )


def comparison_page(found: Comparison, pictures: Sequence[Picture]) -> str:
    """``comparison.html``: the same look, and as little needed beside it."""
    shown = [versus.changes_table(found), versus.gaps_table(found), versus.missing_table(found)]
    return (
        _environment()
        .get_template("comparison.html.j2")
        .render(title=versus.title(found), lines=versus.lines(found), pictures=pictures, tables=[x for x in shown if x.rows])
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
    environment.filters |= {"terms": _Linker(), "source": _source, "whole": numerals.whole, "day": numerals.day}
    environment.globals["pixels"] = _pixels
    return environment


def _source(picture: Picture) -> str:
    """The picture as an address, without its title, which stands above it as text."""
    width, height = _inner_size(picture)
    shown = f'width="{width}pt" height="{height}pt" viewBox="0 {picture.head:g} {width:g} {height:g}"'
    text = picture.svg.decode()
    text = re.sub(r'width="[^"]*" height="[^"]*" viewBox="[^"]*"', shown, text[text.index("<svg") :], count=1)
    text = _slimmer(text)
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()


def _slimmer(svg: str) -> str:
    """The same picture in half the bytes: styles that repeat become classes, spaces between elements go."""
    styles = Counter(re.findall(r' style="([^"]*)"', svg))
    names = {style: f"s{i}" for i, style in enumerate(s for s, n in styles.items() if n > 1)}
    svg = re.sub(r' style="([^"]*)"', lambda m: f' class="{names[m[1]]}"' if m[1] in names else m[0], svg)
    svg = re.sub(r' id="(?:text|patch|line2d|xtick|ytick|matplotlib\.axis|LineCollection|QuadMesh)_\d+"', "", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    rules = "".join(f".{name}{{{style}}}" for style, name in names.items())
    svg = svg.replace("</style>", f"{rules}</style>", 1)
    return re.sub(r">\s+<", "><", re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL))


def _inner_size(picture: Picture) -> tuple[float, float]:
    """Width and height in points, without the title."""
    return round(picture.size[0], 2), round(picture.size[1] - picture.head, 2)


def _pixels(picture: Picture) -> tuple[int, int]:
    """The same in CSS pixels, a little larger than life; with it the page does not jump while it is laid out."""
    width, height = _inner_size(picture)
    return round(1.5 * width), round(1.5 * height)


def _first(view: View, pictures: Sequence[Picture]) -> Picture:
    """The overview of the first screen: that of the first finding's groups, if it fits there; else the first that fits."""
    found = [p for p in pictures if p.section == "overview"]
    wanted = view.found[0].attribute if view.found else ""
    return min(found, key=lambda p: (p.slim is None, p.attribute != wanted))


def _sections(pictures: Sequence[Picture], first: Picture) -> dict[str, list[Picture]]:
    sections: dict[str, list[Picture]] = {name: [] for name in get_args(Section)}
    for picture in pictures:
        if picture is not first:
            sections[picture.section].append(picture)
    return sections


def _confusions(view: View) -> list[tables.Table]:
    """Who was given which answer: everyone, then each group, where they are not too many to read."""
    groups = [(a, g) for a in view.groupings for g in view.groups(a) if view.size(a, g)]
    return [tables.confusion_table(view), *(tables.confusion_table(view, a, g) for a, g in groups[:MOST_CONFUSIONS])]
