"""What an audit found, in sentences with numbers in them.

Nothing here decides anything: a finding is a gap whose q is below `fairfer.report.view.ALPHA` and that is wider than chance
makes it, and the sentence says which people fare worse, in which faces, by how much and how sure that is.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.labels import canonical
from fairfer.report.text.caveats import about_findings, least_shown, people_said
from fairfer.report.text.groups import (
    EVERYONE,
    UNANNOTATED,
    adjective,
    attribute_words,
    capital,
    faces,
    group_words,
    inferred_note,
    known_attribute,
    people,
    quoted,
)
from fairfer.report.text.numbers import day, interval, listed, many, probability, rate, rates_apart, share, whole
from fairfer.report.view import ALPHA, View, subject

if TYPE_CHECKING:
    from fairfer.audits.result import AttributeInfo, Audit
    from fairfer.metrics.results import Gap

_REASONS = {"(no_face)": "no face found", "(unreadable)": "picture unreadable", "(error)": "error"}

MOST = 3
"""So many findings stand on the first screen."""

NO_CARE = "The audit holds no remark on these data; that is no proof that there is nothing to know."

_TIED = "\N{NO-BREAK SPACE}"
_WIDTH = 100
"""Columns of the summary on a terminal."""


@dataclass(frozen=True)
class Finding:
    """One row of *what we found*.

    Attributes
    ----------
    what
        The sentence, without its full stop.
    where
        Label and rate, with both values.
    counts
        Numerators and denominators of both.
    sure
        Chance gap and q.
    gap
        What it is about; ``None`` for the sentence that nothing was found.
    """

    what: str
    where: str
    counts: str
    sure: str
    gap: Gap | None = None


def title(audit: Audit) -> str:
    """``baseline on FER+ test · 3,137 faces · 22 November 2026``."""
    return f"{audit.model.name} on {audit.data.name} · {many(audit.size(), 'face')} · {day(audit.date)}"


def findings(view: View) -> list[Finding]:
    """At most `MOST` findings, the farthest beyond chance first; or one that says why there is none.

    A gap that shows by gender shows again by gender and race; of such repetitions only the farthest beyond chance is listed, so
    that three lines say three things.
    """
    return [_finding(view, gap) for gap in chosen(view)] or [_nothing(view)]


def chosen(view: View) -> list[Gap]:
    """The gaps that are told as findings."""
    kept: list[Gap] = []
    for gap in view.found:
        if not any(_repeats(gap, other) for other in kept):
            kept.append(gap)
    return kept[:MOST]


def _repeats(gap: Gap, other: Gap) -> bool:
    mine, others = set(gap.attribute.split(",")), set(other.attribute.split(","))
    return (gap.label, gap.rate) == (other.label, other.rate) and (mine <= others or others <= mine)


def sentence(view: View, gap: Gap) -> str:
    """A gap as a sentence without its full stop: ``Women's smiles are found more often than men's (gender inferred)``."""
    return capital(_clause(view, gap))


def _clause(view: View, gap: Gap) -> str:
    more, less = (people(gap.attribute, group) for group in subject(gap))
    note = inferred_note(view.audit, gap.attribute)
    if gap.rate == "FPR":
        text = f"{more.plural} are wrongly read as {adjective(gap.label)} more often than {less.again}"
    elif gap.rate == "TPR":
        things = faces(gap.label)
        if more.possessive and less.possessive:
            text = f"{more.possessive} {things} are found more often than {less.possessive}"
        else:
            text = f"{things} of {more.plural} are found more often than those of {less.again}"
    elif gap.rate == "coverage":
        text = f"{more.plural} get an answer more often than {less.again}"
    else:
        text = f"{more.plural} are read rightly more often than {less.again}"
    return text + note


def headline(view: View) -> str:
    """How many gaps were tested and found; where none was, how wide chance alone makes them."""
    tested, found = len(view.tested), len(view.found)
    if not tested:
        return ""
    if not found:
        return f"{chance_sizes(view)} {least_shown(view)}".strip()
    said = "one is" if found == 1 else f"{found} are"
    return f"Of {many(tested, 'gap')} tested, {said} beyond chance; q allows for the number tested. {least_shown(view)}".strip()


def chance_sizes(view: View) -> str:
    """How wide a gap chance alone makes, by rate: ``chance alone makes TPR gaps of .04 to .20``."""
    said = []
    for name in ("TPR", "FPR"):
        sizes = [g.expected_by_chance for g in view.tested if g.rate == name and g.expected_by_chance]
        if sizes:
            low, high = rate(min(sizes)), rate(max(sizes))
            said.append(
                f"{name} gaps as wide as {high}" if low == high or "<" in low else f"{name} gaps as wide as {low} to {high}"
            )
    if not said:
        return ""
    return f"With groups of these sizes chance alone makes {listed(said)}, depending on the {view.noun} and the groups."


def overall(view: View) -> str:
    """``Overall accuracy .72 (.71–.74) · worst group .70 (male) · answered 100 %``."""
    everyone = view.rate("accuracy")
    parts = [f"Overall accuracy {rate(everyone.value)}"]
    if between := interval(everyone.low, everyone.high):
        parts[0] += f" ({between})"
    known = [
        r
        for a in view.groupings
        for g in view.groups(a)
        if (r := view.rate("accuracy", attribute=a, group=g)).status == "ok" and UNANNOTATED not in g.split(",")
    ]
    if len(known) > 1:
        worst = min(known, key=lambda r: r.value or 0.0)
        about = f"{attribute_words(worst.attribute)}: {group_words(worst.group)}"
        parts.append(f"worst group {rate(worst.value)} ({about}; {many(view.size(worst.attribute, worst.group), 'face')})")
    parts.append(f"answered {share(view.rate('coverage').value)}")
    return " · ".join(parts)


def care(view: View) -> list[str]:
    """What a reader must know before relying on the findings, as sentences."""
    lines = [_provenance(a.name, a.source, a.by, a.note) for a in _grouped_by(view)]
    lines += about_findings(view, chosen(view))
    return [
        line
        for line in (*lines, people_said(view), _few(view), _coarse(view), *_labels(view), _unanswered(view), _selection(view))
        if line
    ]


def summary(audit: Audit) -> str:
    """The audit in about ten lines of plain text, for a terminal: what was audited, the findings, how sure, what to mind."""
    view = View(audit)
    lines = [f"fairfer audit · {title(audit)}", ""]
    for number, finding in enumerate(findings(view), 1):
        bullet = f"{number}. " if finding.gap else ""
        said = ", ".join(part for part in (finding.where, finding.sure) if part)
        between = ": " if finding.gap else ". "
        lines += _wrapped(
            bullet, f"{finding.what}{between}{said if finding.gap else capital(said)}" if said else f"{finding.what}."
        )
    lines += _wrapped("", headline(view))
    lines += _wrapped("", overall(view))
    return "\n".join([*lines, *_wrapped("", f"Read with care: {brief(view)}")]) + "\n"


def brief(view: View) -> str:
    """`care` in one line, for a terminal: who put people into groups, how much rests on too few faces, what was left out."""
    by_source: dict[str, list[str]] = {}
    for attribute in _grouped_by(view):
        name = attribute_words(attribute.name) if known_attribute(attribute.name) else quoted(attribute.name)
        by_source.setdefault(attribute.source, []).append(name)
    told = {
        "self-reported": "self-reported",
        "annotated": "annotated by others",
        "inferred": "inferred by a model",
        "unstated": "of unstated source",
    }
    parts = [f"{listed(names)} {'is' if len(names) == 1 else 'are'} {told[source]}" for source, names in by_source.items()]
    states = [view.rate("TPR", label, a, g).status for a in view.groupings for g in view.groups(a) for label in view.labels]
    bad = len([s for s in states if s != "ok"])
    if bad:
        parts.append(f"{bad} of {len(states)} TPR of groups rest on fewer than {many(view.audit.plan.minimum, 'face')}")
    parts += [
        line.rstrip(".")
        for line in (people_said(view), *about_findings(view, chosen(view)), *_labels(view), _unanswered(view), _coarse(view))
        if line
    ]
    return " · ".join([*parts, "more in the report"]) if parts else NO_CARE


def tied(text: str) -> str:
    """The text with numbers tied to their signs by no-break spaces, so that no line ends between ``q`` and ``.03``."""
    return re.sub(r"\b([qvn]) (?=[.<\d])| (?=%)", lambda match: (match[1] or "") + _TIED, text)


def _wrapped(bullet: str, text: str) -> list[str]:
    lines = textwrap.wrap(
        tied(text),
        _WIDTH,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_TIED, " ") for line in lines]


def _finding(view: View, gap: Gap) -> Finding:
    more, less = (view.rate(gap.rate, gap.label, gap.attribute, g) for g in subject(gap))
    values = rates_apart([more.value or 0.0, less.value or 0.0])
    name = gap.rate if gap.label == EVERYONE else f"{gap.label} {gap.rate}"
    where = f"{name} {values[0]} v {values[1]}"
    if len(gap.groups) > 2:  # noqa: PLR2004 - of two, both are named
        where += f", the widest of {len(gap.groups)} groups"
    return Finding(
        what=sentence(view, gap),
        where=where,
        counts=f"{_fraction(more.numerator, more.denominator)} v {_fraction(less.numerator, less.denominator)}",
        sure=f"beyond chance ({rate(gap.expected_by_chance)}), {probability('q', gap.q)}",
        gap=gap,
    )


def _fraction(above: int | None, below: int | None) -> str:
    return f"{whole(above)} of {whole(below)}"


def _nothing(view: View) -> Finding:
    """There is no finding: nothing to compare, nothing large enough to compare, or nothing beyond chance."""
    if not view.groupings:
        return Finding("No groups were compared: none was asked for, or the data say nothing of the people in them", "", "", "")
    if not view.tested:
        least = many(view.audit.plan.minimum, "face")
        return Finding(f"No gap could be tested: no rate has two groups with at least {least}", "", "", "")
    nearest = next((g for g in view.tested if g.difference), None)
    if nearest is None:
        return Finding("No gap at all: the groups that could be compared have the same rates", "", "", "")
    like = _finding(view, nearest)
    return Finding(
        what=f"No gap beyond what chance gives, among the {len(view.tested):,} tested",
        where=f"the nearest: {_clause(view, nearest)}, {like.where}",
        counts=like.counts,
        sure=f"chance alone makes {rate(nearest.expected_by_chance)}, {probability('q', nearest.q)}",
    )


def _provenance(name: str, source: str, by: str, note: str) -> str:
    called = attribute_words(name) if known_attribute(name) else quoted(name)
    told = {
        "self-reported": f"{called} is self-reported",
        "annotated": f"{called} is annotated, not said by the people themselves",
        "inferred": f"{called} is inferred by a model, not said by the people themselves",
        "unstated": f"{called}: it is not stated who put people into these groups, or how",
    }
    text = capital(told[source] + (f": {by}" if by else "")).rstrip(".") + "."
    if note:
        text += " " + capital(note.strip())
    return text


def _grouped_by(view: View) -> list[AttributeInfo]:
    """Attributes that people were put into groups by; what is only adjusted for says nothing of who someone is."""
    names = {n for by in view.audit.plan.by for n in by}
    return [a for a in view.audit.data.attributes if a.name in names]


def _few(view: View) -> str:
    """How many of the shown rates rest on too few faces, or on none."""
    parts: list[str] = []
    for attribute in view.groupings:
        states = [view.rate("TPR", label, attribute, g).status for g in view.groups(attribute) for label in view.labels]
        bad = len([s for s in states if s != "ok"])
        none = len([s for s in states if s in ("not_estimable", "empty")])
        if bad:
            said = f"{bad} of {len(states)} TPR" if not parts else f"{bad} of {len(states)}"
            parts.append(f"{said} by {attribute_words(attribute)}" + (f" ({none} with none)" if none else ""))
    if not parts:
        return ""
    least = many(view.audit.plan.minimum, "face")
    return f"Fewer than {least} stand behind {listed(parts)}; these are hatched or blank, and compared with nothing."


def _coarse(view: View) -> str:
    """Whether so few draws were made for so many gaps that even the widest of all could not have a q below the line."""
    tested, permutations = len(view.tested), view.audit.plan.permutations
    if tested / (permutations + 1) < ALPHA:
        return ""
    return (
        f"With {tested:,} gaps tested, {permutations:,} draws are too few: a single gap, however wide, could not be told from chance. "
        f"Audit again with at least {-(-tested // ALPHA):,.0f} draws."
    )


def _labels(view: View) -> list[str]:
    """What became of the labels that the model cannot say, and which it says in vain."""
    audit, lines = view.audit, []
    merged = dict(_merges(audit))
    dropped = [n for n in audit.labels.unsupported_labels if n not in view.labels and n not in merged]
    for name in audit.labels.unsupported_labels:
        if name in merged:
            lines.append(f"{capital(name)} cannot be said by this model; its faces are counted as {merged[name]}.")
        elif name in view.labels:
            count = view.support(name)
            lines.append(
                f"{capital(name)} cannot be said by this model; its {many(count, 'face')} "
                f"{'is' if count == 1 else 'are'} kept and always missed."
            )
    if dropped:
        left = audit.labels.excluded
        lines.append(
            f"{capital(listed(dropped))} cannot be said by this model; {many(left, 'face')} "
            f"{'was' if left == 1 else 'were'} left out for that."
        )
    if audit.labels.extra:
        said = listed(audit.labels.extra)
        lines.append(f"The data never hold {said}, which the model can say; every such answer is an error.")
    return lines


def _merges(audit: Audit) -> list[tuple[str, str]]:
    """What was merged into what, from ``merge=contempt:disgust`` or ``merge=disgust``."""
    policy = audit.plan.unsupported_labels
    if not policy.startswith("merge=") or not audit.labels.unsupported_labels:
        return []
    pairs = []
    for part in policy.removeprefix("merge=").split(","):
        source, colon, target = part.partition(":")
        source, target = (source, target) if colon else (audit.labels.unsupported_labels[0], source)
        pairs.append((canonical(source) or source, canonical(target) or target))
    return pairs


def _unanswered(view: View) -> str:
    """How many faces got no answer, why, and in which groups most."""
    reasons: Counter[str] = Counter()
    for count in view.audit.counts:
        if count.attribute == EVERYONE and count.predicted.startswith("("):
            reasons[_REASONS.get(count.predicted, count.predicted.strip("()"))] += count.n
    total = sum(reasons.values())
    if not total:
        return ""
    why = listed([f"{reason} {n:,}" for reason, n in sorted(reasons.items())])
    text = f"Of {view.size():,} faces {total:,} got no answer ({why}); {'it counts' if total == 1 else 'they count'} as missed"
    worst = []
    for attribute in view.groupings:
        known = [view.rate("coverage", attribute=attribute, group=g) for g in view.groups(attribute)]
        usable = [r for r in known if r.status == "ok" and r.value is not None]
        if len({r.value for r in usable}) > 1:
            least = min(usable, key=lambda r: r.value or 0.0)
            worst.append(f"{group_words(least.group)} ({share(1 - (least.value or 0.0))})")
    return f"{text}. Most often without an answer: {'; '.join(worst)}." if worst else f"{text}."


def _selection(view: View) -> str:
    """How the faces were chosen. A remark without a number says nothing here; all steps stand under provenance."""
    parts = []
    for step in view.audit.data.steps:
        if step.excluded:
            parts.append(f"{step.excluded:,} left out ({step.what})")
        elif re.search(r"\d", step.what):
            parts.append(step.what)
    return f"How the faces were chosen: {'; '.join(parts)}." if parts else ""
