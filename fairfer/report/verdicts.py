"""The faces of a verdict: terminal, Markdown, JUnit, annotations of a workflow, banner of a page. None of them decides."""

from __future__ import annotations

import html
import re
import textwrap
import xml.etree.ElementTree as ET
from collections import Counter
from typing import TYPE_CHECKING

from fairfer.gate.policy import KINDS, OVER_LABELS
from fairfer.report.text.groups import with_inferred
from fairfer.report.text.markup import escaped, plain, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairfer.gate.verdict import Finding, Verdict

MARKER = "<!-- fairfer gate -->"
"""First line of the Markdown, by which a comment is found again and updated in place."""

BANNER = re.compile(r"<!--verdict-->.*?<!--/verdict-->", re.DOTALL)
"""Where a page shows its verdict."""

_SIGNS = {"pass": "\N{CHECK MARK}", "fail": "\N{BALLOT X}", "inconclusive": "?"}
_WORDS = {"pass": "passed", "fail": "failed", "inconclusive": "could not be judged"}
_WIDTH = 100


def standing(finding: Finding) -> str:
    """Outcome of a finding as it counts: ``waived`` when a waiver covers it."""
    return finding.outcome if finding.waived is None else "waived"


def tallies(verdict: Verdict) -> dict[str, int]:
    """How many findings have each standing: what every face shows, and a test compares."""
    counts = Counter(map(standing, verdict.findings))
    return {name: counts[name] for name in ("pass", "fail", "inconclusive", "waived")}


def headline(verdict: Verdict) -> str:
    """``FAILED: 2 of 6 checks failed · 1 could not be judged``."""
    counts = tallies(verdict)
    of = len(verdict.findings)
    parts = [
        f"{counts[k]} of {of} {'check' if of == 1 else 'checks'} {_WORDS[k]}"
        for k in ("fail", "inconclusive", "pass")
        if counts[k]
    ]
    parts += [f"{counts['waived']} waived"] if counts["waived"] else []
    word = {"pass": "PASSED", "fail": "FAILED", "inconclusive": "INCONCLUSIVE"}[verdict.outcome]
    allowed = " (allowed)" if verdict.outcome == "inconclusive" and verdict.allow_inconclusive else ""
    return f"{word}{allowed}: {' · '.join(parts)}"


def about(verdict: Verdict) -> str:
    """What was judged, and against what."""
    text = f"{verdict.model} {verdict.model_version} on {verdict.data}, {verdict.date}"
    if verdict.baseline is None:
        return text
    how = "face by face" if verdict.paired else "as if of different faces"
    return f"{text}; against {verdict.baseline}, {how}"


def policy_lines(verdict: Verdict) -> list[str]:
    """The policy as it was understood, a line per rule and waiver."""
    lines = []
    for rule in verdict.policy["rules"]:
        limit = next(f"{k} {rule[k]:g}" for k in KINDS if k in rule)
        of = (
            ""
            if rule["rate"] in OVER_LABELS
            else f" of {', '.join(rule['label']) if rule['label'] != ['*'] else 'every label'}"
        )
        by = " and by ".join(with_inferred(a, verdict.inferred) for a in rule["attribute"])
        more = f"; requires {', '.join(rule['require'])}" if rule["require"] else ""
        more += f"; at least {rule['minimum']} faces" if "minimum" in rule else ""
        lines.append(f"{rule['name']}: {rule['rate']}{of} by {by}, {limit}{more}")
    for waiver in verdict.policy["waivers"]:
        what = " ".join(waiver[k] for k in ("label", "attribute") if k in waiver)
        lines.append(f"waived: {waiver['rule']}{f' ({what})' if what else ''} until {waiver['expires']}: {waiver['reason']}")
    return lines


def terminal(verdict: Verdict) -> str:
    """The verdict as text: the policy, then what stops anyone first."""
    sure = f"{100 * verdict.policy['confidence']:g} %"
    lines = [f"fairfer gate \N{MIDDLE DOT} {plain(about(verdict))}", f"Policy, at {sure} confidence:"]
    for line in policy_lines(verdict):
        lines += textwrap.wrap(plain(line), _WIDTH, initial_indent="  ", subsequent_indent="    ")
    lines += ["", headline(verdict), ""]
    for finding in _ordered(verdict.findings):
        sign = "-" if finding.waived else _SIGNS[finding.outcome]
        text = plain(f"{finding.rule}, by {_by(verdict, finding)}: {finding.why}{_extra(finding)}")
        lines += textwrap.wrap(f"{sign} {text}", _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def markdown(verdict: Verdict) -> str:
    """For a comment on a pull request: short, the details folded, and a marker by which it is updated in place."""
    lines = [MARKER, f"### fairfer gate: {escaped(headline(verdict))}", "", escaped(about(verdict)), ""]
    stopping = [f for f in _ordered(verdict.findings) if standing(f) in ("fail", "inconclusive")]
    lines += [
        f"* {_SIGNS[f.outcome]} **{escaped(f.rule)}**, by {escaped(_by(verdict, f))}: {escaped(f.why)}{escaped(_extra(f))}"
        for f in stopping
    ]
    lines += ["", "<details><summary>All checks</summary>", "", "| | rule | checked | seen | bounds | limit | why |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for f in _ordered(verdict.findings):
        what = f"{f.rate} {'' if f.label == '*' else f.label} by {_by(verdict, f)}".replace("  ", " ")
        bounds = "" if f.low is None or f.high is None else f"{f.low:.3f} to {f.high:.3f}"
        seen = "" if f.observed is None else f"{f.observed:.3f}"
        cells = (standing(f), f.rule, what, seen, bounds, f"{f.kind} {f.limit:g}", f.why + _extra(f))
        lines.append("| " + " | ".join(escaped(c) for c in cells) + " |")
    policy = [f"* {escaped(line)}" for line in policy_lines(verdict)]
    return "\n".join([*lines, "", "The policy:", "", *policy, "", "</details>"]) + "\n"


def junit(verdict: Verdict) -> str:
    """JUnit XML: a test case per check; what cannot be judged fails unless that was allowed, what is waived is skipped."""
    counts = tallies(verdict)
    failures = counts["fail"] + (0 if verdict.allow_inconclusive else counts["inconclusive"])
    skipped = counts["waived"] + (counts["inconclusive"] if verdict.allow_inconclusive else 0)
    numbers = {"tests": str(len(verdict.findings)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
    suites = ET.Element("testsuites", {"name": "fairfer gate", **numbers})
    suite = ET.SubElement(suites, "testsuite", {"name": printable(about(verdict)), **numbers})
    for f in verdict.findings:
        name = f"{f.rate} {f.label} by {_by(verdict, f)}"
        case = ET.SubElement(suite, "testcase", {"classname": printable(f"fairfer.{f.rule}"), "name": printable(name)})
        kind = standing(f)
        text = printable(f.why + _extra(f))
        if kind == "fail" or (kind == "inconclusive" and not verdict.allow_inconclusive):
            ET.SubElement(case, "failure", {"type": kind, "message": text})
        elif kind != "pass":
            ET.SubElement(case, "skipped", {"message": f"{kind}: {text}"})
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def workflow_commands(verdict: Verdict) -> str:
    """Workflow commands of GitHub: an error, warning or notice per check that did not simply pass."""
    level = {"fail": "error", "inconclusive": "warning" if verdict.allow_inconclusive else "error", "waived": "notice"}
    lines = []
    for f in _ordered(verdict.findings):
        kind = standing(f)
        if kind != "pass":
            title, text = f"fairfer {kind}: {f.rule}", f"by {_by(verdict, f)}: {f.why}{_extra(f)}"
            lines.append(f"::{level[kind]} title={_property(title)}::{_data(text)}")
    return "".join(line + "\n" for line in [*lines, f"::notice title=fairfer gate::{_data(headline(verdict))}"])


def banner(verdict: Verdict | None) -> str:
    """What a page shows at its top; only its marks where nothing was judged."""
    inner = ""
    if verdict is not None:
        rows = "".join(
            f"<li>{html.escape(f'{standing(f)}: {f.rule}, by {_by(verdict, f)}: {f.why}{_extra(f)}')}</li>"
            for f in _ordered(verdict.findings)
            if standing(f) != "pass"
        )
        body = f"<ul>{rows}</ul>" if rows else ""
        sign = _SIGNS[verdict.outcome]
        inner = (
            f'<aside class="verdict" aria-label="Verdict"><p><b>{sign} {html.escape(headline(verdict))}</b></p>{body}</aside>'
        )
    return f"<!--verdict-->{inner}<!--/verdict-->"


def _by(verdict: Verdict, finding: Finding) -> str:
    return with_inferred(finding.attribute, verdict.inferred)


def _ordered(findings: Sequence[Finding]) -> list[Finding]:
    rank = {"fail": 0, "inconclusive": 1, "waived": 2, "pass": 3}
    return sorted(findings, key=lambda f: rank[standing(f)])


def _extra(finding: Finding) -> str:
    left = [str(o) for o in finding.excluded]
    text = f"; not compared: {', '.join(left)}" if left and finding.observed is not None else ""
    return text + (f"; waived: {finding.waived}" if finding.waived else "")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
