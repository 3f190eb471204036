"""``report.html``: one page that needs nothing beside it. The only module that imports jinja2.

Everything that came from data is escaped by the template engine, and a content security policy forbids the page to load or run
anything: figures are inlined as ``data:`` pictures, there is no script, and nothing is asked of a network.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup, escape

from fairfer.report import narrative, numerals, people, tables
from fairfer.report.view import RATES, View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairfer.report.figures import Picture
    from fairfer.result import Audit

MOST_CONFUSIONS = 24
"""Confusion tables of more groups than this stand only in ``tables/counts.csv``."""

GLOSSARY: Mapping[str, tuple[str, str]] = {
    "tpr": (
        "TPR, true positive rate",
        "Of the faces that show an emotion (or bear a label), the share that the model reads as it. Also called recall.",
    ),
    "fpr": ("FPR, false positive rate", "Of the faces that show something else, the share that the model wrongly reads as it."),
    "tnr": ("TNR, true negative rate", "Of the faces that show something else, the share not read as it; 1 minus the FPR."),
    "fnr": ("FNR, false negative rate", "Of the faces that show an emotion, the share that the model misses; 1 minus the TPR."),
    "one-vs-rest": (
        "One against the rest",
        (
            "How a model with several answers gets the four rates: for each label in turn, every face either shows it or "
            "shows something else, and was either read as it or not."
        ),
    ),
    "support": ("n, support", "How many faces a rate is computed from. Every rate here shows it."),
    "coverage": (
        "Answered, coverage",
        "The share of faces that the model gave any answer for. A face without an answer stays in the count, as missed.",
    ),
    "interval": (
        "Interval",
        "Where the rate of more faces of the same kind may well lie (Wilson's interval). Fewer faces make it wider.",
    ),
    "chance": (
        "Chance gap, beyond chance",
        (
            "The rates of any two groups differ somewhat, even when the model treats them alike. The chance gap is how far "
            "apart the highest and the lowest come when the faces are dealt into groups of these sizes at random: at most so "
            "far in 95 of 100 deals, or in as many as the confidence under Settings says."
        ),
    ),
    "q": (
        "p and q",
        (
            "p is how often chance alone makes a gap at least this wide. Many gaps are tested at once, so some p are small by "
            "luck; q allows for that (Benjamini and Hochberg): of all gaps with q below .05, about one in twenty at most is "
            "a false alarm."
        ),
    ),
    "not-estimable": (
        "Not estimable, too few",
        (
            "A rate of no faces does not exist; it is shown as \N{EN DASH}, never as 0. A rate of very few faces is shown "
            "hatched and compared with nothing."
        ),
    ),
}

_TERMS = {
    "TPR": "tpr",
    "FPR": "fpr",
    "TNR": "tnr",
    "FNR": "fnr",
    "one against the rest": "one-vs-rest",
    "beyond chance": "chance",
    "chance gap": "chance",
    "chance": "chance",
    "answered": "coverage",
    "not estimable": "not-estimable",
    "hatched": "not-estimable",
    "interval": "interval",
    "q": "q",
}


class _Linker:
    """Links the first mention of each term on the page to the glossary."""

    def __init__(self) -> None:
        self._linked: set[str] = set()
        words = sorted(_TERMS, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])")

    def __call__(self, text: str) -> Markup:
        text = narrative.tied(text)
        done, position = Markup(), 0
        for match in self._pattern.finditer(text):
            target = _TERMS[match[0]]
            if target in self._linked:
                continue
            self._linked.add(target)
            done += escape(text[position : match.start()])
            done += Markup('<a href="#{}">{}</a>').format(target, match[0])
            position = match.end()
        return done + escape(text[position:])


def page(audit: Audit, pictures: Sequence[Picture]) -> str:
    """The whole page.

    Parameters
    ----------
    audit
        What is reported.
    pictures
        Its figures, as `fairfer.report.figures.draw` makes them.
    """
    view = View(audit)
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
        minimum=numerals.many(audit.settings.minimum, "face"),
        faces=view.size(),
        noun=view.noun,
        groupings=[people.with_source(audit, a) for a in view.groupings],
        inferred=sorted({a.name for a in audit.data.attributes if a.source == "inferred"}),
        rates=RATES,
        glossary=GLOSSARY,
    )


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
    sections: dict[str, list[Picture]] = {name: [] for name in ("overview", "gaps", "rate", "emotion", "bars", "faces")}
    for picture in pictures:
        if picture is not first:
            sections[picture.section].append(picture)
    return sections


def _confusions(view: View) -> list[tables.Table]:
    """Who was given which answer: everyone, then each group, where they are not too many to read."""
    groups = [(a, g) for a in view.groupings for g in view.groups(a) if view.size(a, g)]
    return [tables.confusion_table(view), *(tables.confusion_table(view, a, g) for a, g in groups[:MOST_CONFUSIONS])]
