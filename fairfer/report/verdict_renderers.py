"""Verdict renderers: terminal, Markdown, JUnit XML, GitHub annotations, banner of a page. None of them decides."""

from __future__ import annotations

import html
import re
import textwrap
import xml.etree.ElementTree as ET
from collections import Counter
from typing import TYPE_CHECKING, Literal

from fairfer.gate.policy import JUDGED_OVERALL_RATES, TREATMENTS
from fairfer.report.text.markup import escaped, plain, printable
from fairfer.report.text.numbers import listed
from fairfer.vocabulary import ALL, parse_grouping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairfer.gate.policy import Rule, Waiver
    from fairfer.gate.verdict import CheckResult, Verdict

CheckStatus = Literal["fail", "inconclusive", "waived", "pass"]
CHECK_STATUSES: tuple[CheckStatus, ...] = ("fail", "inconclusive", "waived", "pass")
"""Statuses of a check, in the order in which they are shown."""

MARKER = "<!-- fairfer gate -->"
"""First line of the Markdown, by which a comment is recognized and updated in place."""

JUNIT_START = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="fairfer gate\""""
"""Start of the JUnit XML, by which a file of an earlier verdict is recognized."""

BANNER = re.compile(r"<!--verdict-->.*?<!--/verdict-->", re.DOTALL)
"""Where a page shows its verdict."""

_SYMBOLS = {"pass": "\N{CHECK MARK}", "fail": "\N{BALLOT X}", "inconclusive": "?", "waived": "-"}
_WORDS = {"pass": "passed", "fail": "failed", "inconclusive": "inconclusive", "waived": "waived"}
_HEADINGS = {"pass": "PASSED", "fail": "FAILED", "inconclusive": "INCONCLUSIVE"}
_WIDTH = 100


def check_status(check: CheckResult) -> CheckStatus:
    """Outcome of a check as it counts: ``waived`` when a waiver covers it."""
    return check.outcome if check.waived is None else "waived"


def count_statuses(verdict: Verdict) -> dict[CheckStatus, int]:
    """Number of checks with each status."""
    counts = Counter(map(check_status, verdict.checks))
    return {status: counts[status] for status in CHECK_STATUSES}


def headline(verdict: Verdict) -> str:
    """The outcome with the number of checks: ``FAILED: 2 of 6 checks failed, 1 inconclusive, 3 passed``."""
    total = len(verdict.checks)
    counts = [f"{n} {_WORDS[status]}" for status, n in count_statuses(verdict).items() if n]
    first, *others = counts
    number, word = first.split(" ", 1)
    summary = [f"{number} of {total} {'check' if total == 1 else 'checks'} {word}", *others]
    allowed = " (allowed)" if verdict.outcome == "inconclusive" and verdict.allow_inconclusive else ""
    return f"{_HEADINGS[verdict.outcome]}{allowed}: {', '.join(summary)}"


def description(verdict: Verdict) -> str:
    """Model, dataset, date, and the baseline."""
    text = f"{verdict.model} {verdict.model_version} on {verdict.data}, {verdict.date}"
    if verdict.baseline is None:
        return text
    method = "paired by face" if verdict.paired else "unpaired"
    return f"{text}; compared with {verdict.baseline} ({method})"


def notes(verdict: Verdict) -> list[str]:
    """What a reader has to know with the outcome: judged faces, what the policy ignores, warnings, and looks."""
    return [
        faces_line(verdict),
        *(f"ignored by the policy: {text}" for text in verdict.ignored),
        *(f"warning: {text}" for text in verdict.warnings),
        looks_line(verdict),
    ]


def faces_line(verdict: Verdict) -> str:
    """How many faces were judged: ``600 of 800 faces judged (by gender); not judged: 200 without a true label``."""
    faces = verdict.faces
    text = f"{faces.judged:,} of {faces.total:,} faces judged (by {_attribute_words(faces.attribute, verdict.inferred)})"
    return text + (f"; not judged: {', '.join(map(str, faces.not_judged))}" if faces.not_judged else "")


def looks_line(verdict: Verdict) -> str:
    """What it costs that several models were judged on the same faces."""
    looks = verdict.looks
    if looks is None:
        return "looks are not counted: every other model judged on these faces adds to the chance of a wrong pass (see --looks)"
    allowed = "" if looks.candidates is None else f" of {looks.candidates} allowed"
    models = "1 model" if looks.number == 1 else f"{looks.number} models"
    return (
        f"look {looks.number}{allowed} on these faces: the chance that any of {models} passes wrongly is at most "
        f"{100 * looks.at_most:.3g} % ({100 * looks.if_independent:.3g} % if their results are independent)"
    )


def _policy_title(verdict: Verdict) -> str:
    name = f" {verdict.policy_file}" if verdict.policy_file else ""
    return f"Policy{name} ({100 * verdict.policy.confidence:g} % confidence):"


def policy_lines(verdict: Verdict) -> list[str]:
    """The policy, one line per rule, waiver and key that ignores something."""
    policy = verdict.policy
    rules = [_rule_line(rule, verdict.inferred) for rule in policy.rules]
    rules += [f'{key} = "ignore"' for key in TREATMENTS if getattr(policy, key) == "ignore"]
    if policy.looks is not None:
        rules.append(f"looks: at most {policy.looks.candidates} candidates share the error of a pass")
    return rules + [_waiver_line(waiver) for waiver in verdict.policy.waivers]


def _rule_line(rule: Rule, inferred: Sequence[str]) -> str:
    labels = ""
    if rule.rate not in JUDGED_OVERALL_RATES:
        labels = " of every label" if rule.label == [ALL] else f" of {', '.join(rule.label)}"
    attributes = " and by ".join(_attribute_words(a, inferred) for a in rule.attribute)
    line = f"{rule.name}: {rule.rate}{labels} by {attributes}, {rule.kind} {rule.limit:g}"
    line += f"; requires {', '.join(rule.require)}" if rule.require else ""
    return line + (f"; at least {rule.minimum} faces" if rule.minimum is not None else "")


def _waiver_line(waiver: Waiver) -> str:
    scope = " by ".join(part for part in (waiver.label, waiver.attribute) if part)
    return f"waived: {waiver.rule}{f' ({scope})' if scope else ''} until {waiver.expires.isoformat()}: {waiver.reason}"


def terminal(verdict: Verdict) -> str:
    """The verdict as text: the policy, then the checks, failures first."""
    lines = [
        f"fairfer gate \N{MIDDLE DOT} {plain(description(verdict))}",
        plain(_policy_title(verdict)),
    ]
    for line in policy_lines(verdict):
        lines += textwrap.wrap(plain(line), _WIDTH, initial_indent="  ", subsequent_indent="    ")
    lines += ["", headline(verdict)]
    for note in notes(verdict):
        lines += textwrap.wrap(plain(note), _WIDTH, initial_indent="  ", subsequent_indent="    ")
    lines.append("")
    for check in _ordered(verdict.checks):
        text = f"{_SYMBOLS[check_status(check)]} {plain(_sentence(verdict, check))}"
        lines += textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def markdown(verdict: Verdict) -> str:
    """For a comment on a pull request: short, with the details folded and a marker by which it is updated in place."""
    lines = [MARKER, f"### fairfer gate: {escaped(headline(verdict))}", "", escaped(description(verdict)), ""]
    lines += [*(f"* {escaped(note)}" for note in notes(verdict)), ""]
    lines += [
        f"* {_SYMBOLS[c.outcome]} **{escaped(c.rule)}**, by {escaped(_attribute(verdict, c))}: {escaped(_explanation(c))}"
        for c in _ordered(verdict.checks)
        if check_status(c) in ("fail", "inconclusive")
    ]
    lines += ["", "<details><summary>All checks</summary>", ""]
    lines += ["| status | rule | checked | observed | confidence bounds | limit | reason |", "|---|---|---|---|---|---|---|"]
    lines += [_markdown_row(verdict, check) for check in _ordered(verdict.checks)]
    policy = [f"* {escaped(line)}" for line in policy_lines(verdict)]
    return "\n".join([*lines, "", escaped(_policy_title(verdict)), "", *policy, "", "</details>"]) + "\n"


def _markdown_row(verdict: Verdict, check: CheckResult) -> str:
    cells = (
        check_status(check),
        check.rule,
        _name(verdict, check),
        "" if check.observed is None else f"{check.observed:.3f}",
        "" if check.low is None or check.high is None else f"{check.low:.3f} to {check.high:.3f}",
        f"{check.kind} {check.limit:g}",
        _explanation(check),
    )
    return "| " + " | ".join(escaped(c) for c in cells) + " |"


def junit(verdict: Verdict) -> str:
    """JUnit XML, one test case per check. Inconclusive checks fail unless they are allowed; waived checks are skipped."""
    counts = count_statuses(verdict)
    failing = {"fail"} if verdict.allow_inconclusive else {"fail", "inconclusive"}
    failures = sum(n for status, n in counts.items() if status in failing)
    skipped = len(verdict.checks) - failures - counts["pass"]
    numbers = {"tests": str(len(verdict.checks)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
    suites = ET.Element("testsuites", {"name": "fairfer gate", **numbers})
    suite = ET.SubElement(suites, "testsuite", {"name": printable(description(verdict)), **numbers})
    for check in verdict.checks:
        name = {"classname": printable(f"fairfer.{check.rule}"), "name": printable(_name(verdict, check))}
        case = ET.SubElement(suite, "testcase", name)
        status, text = check_status(check), printable(_explanation(check))
        if status in failing:
            ET.SubElement(case, "failure", {"type": status, "message": text})
        elif status != "pass":
            ET.SubElement(case, "skipped", {"message": f"{status}: {text}"})
    ET.SubElement(suite, "system-out").text = printable("\n".join([headline(verdict), *notes(verdict), *_policy_text(verdict)]))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _policy_text(verdict: Verdict) -> list[str]:
    return [_policy_title(verdict), *policy_lines(verdict)]


def workflow_commands(verdict: Verdict) -> str:
    """GitHub workflow commands: an error, warning or notice per check that did not pass, and the headline."""
    levels = {"fail": "error", "inconclusive": "warning" if verdict.allow_inconclusive else "error", "waived": "notice"}
    summary = "\n".join([headline(verdict), *notes(verdict)])
    lines = []
    for check in _ordered(verdict.checks):
        status = check_status(check)
        if status != "pass":
            title, text = f"fairfer {status}: {check.rule}", f"by {_attribute(verdict, check)}: {_explanation(check)}"
            lines.append(f"::{levels[status]} title={_property(title)}::{_data(text)}")
    return "".join(line + "\n" for line in [*lines, f"::notice title=fairfer gate::{_data(summary)}"])


def banner(verdict: Verdict | None) -> str:
    """HTML for the head of a page; only its markers where there is no verdict."""
    inner = ""
    if verdict is not None:
        rows = "".join(
            f"<li>{html.escape(f'{check_status(c)}: {_sentence(verdict, c)}')}</li>"
            for c in _ordered(verdict.checks)
            if check_status(c) != "pass"
        )
        rows += "".join(f"<li>{html.escape(note)}</li>" for note in [*notes(verdict), _policy_title(verdict).rstrip(":")])
        body = f"<ul>{rows}</ul>"
        title = f"{_SYMBOLS[verdict.outcome]} {html.escape(headline(verdict))}"
        inner = f'<aside class="verdict" aria-label="Verdict"><p><b>{title}</b></p>{body}</aside>'
    return f"<!--verdict-->{inner}<!--/verdict-->"


def _ordered(checks: Sequence[CheckResult]) -> list[CheckResult]:
    return sorted(checks, key=lambda c: CHECK_STATUSES.index(check_status(c)))


def _attribute(verdict: Verdict, check: CheckResult) -> str:
    return _attribute_words(check.attribute, verdict.inferred)


def _attribute_words(attribute: str, inferred: Sequence[str]) -> str:
    """``gender (inferred) and race``."""
    return listed([f"{n} (inferred)" if n in inferred else n for n in parse_grouping(attribute)])


def _name(verdict: Verdict, check: CheckResult) -> str:
    """``happiness TPR by gender``."""
    label = "" if check.label == ALL else f"{check.label} "
    return f"{label}{check.rate} by {_attribute(verdict, check)}"


def _sentence(verdict: Verdict, check: CheckResult) -> str:
    return f"{check.rule}, by {_attribute(verdict, check)}: {_explanation(check)}"


def _explanation(check: CheckResult) -> str:
    """The reason, with the groups that cannot pass and the waiver."""
    text = check.reason
    if check.excluded and check.outcome != "inconclusive":  # an inconclusive check says it in its reason
        text += f"; not among the groups that can pass: {', '.join(map(str, check.excluded))}"
    return text + (f"; waived: {check.waived}" if check.waived else "")


def _data(text: str) -> str:
    """Text as the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Text as a property of a workflow command."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
