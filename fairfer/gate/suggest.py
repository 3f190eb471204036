"""Starter policies: rules with limits that an audit has enough faces to judge, each with its reason.

A suggested limit says what can be shown with these faces, not what is acceptable. That is a decision about people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.errors import RunError
from fairfer.gate.checks import Check, Target, create_check
from fairfer.gate.policy import Kind, Policy, Rule
from fairfer.gate.treatment import as_judged
from fairfer.gate.unjudged import data_obstacles
from fairfer.vocabulary import ALL, EVERYONE, grouping_name

if TYPE_CHECKING:
    from fairfer.audits.result import Audit
    from fairfer.vocabulary import Grouping

LIMITS: dict[Kind, tuple[float, ...]] = {
    "max_gap": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
    "min_worst": (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3),
}
"""Limits that are suggested, the strictest first. Wider ones say little."""

_ERROR = 1 - Policy.model_fields["confidence"].default
_KEYS = (
    ("unsupported_labels", "faces whose label the model cannot output"),
    ("small_groups", "groups that are too small to pass"),
    ("unlabeled", "rows without a true label"),
    ("unannotated", "faces without a group"),
)


@dataclass(frozen=True)
class Suggestion:
    """A rule and why its limit can be judged; or, without a limit, what cannot be judged."""

    target: Target
    check: Check
    limit: float | None

    @property
    def name(self) -> str:
        """Name of the rule."""
        what = "gap" if self.target.rule.kind == "max_gap" else "in each group"
        return f"{self.target.rate_name} {what} by {self.target.attribute}"


def suggest_policy(audit: Audit) -> str:
    """A policy file for models like the one audited, as TOML.

    Parameters
    ----------
    audit
        The audit whose faces are to judge models.

    Raises
    ------
    RunError
        When the audit has too few faces to judge any limit.
    """
    suggestions = list(_suggestions(audit))
    rules = [s for s in suggestions if s.limit is not None]
    if not rules:
        message = (
            f"no limit can be suggested: in no attribute does the audit of {audit.model.name} on {audit.data.name} have enough "
            "faces; audit more of them, or group by an attribute with larger groups"
        )
        raise RunError(message)
    lines = [
        f"# Starter policy from an audit of {_comment(audit.model.name)} on {_comment(audit.data.name)}, {audit.date}.",
        "# Each limit is the strictest of a series that this audit passes: what these faces can show. What is acceptable",
        "# depends on the use of the model; change the limits accordingly.",
        "confidence = 0.95",
        *(f'{key} = "inconclusive"  # or "ignore": {text}' for key, text in _KEYS),
    ]
    obstacles = data_obstacles(Policy(rules=[rules[0].target.rule]), audit)
    lines += [f"# This audit cannot pass while {_comment(text)}." for text in obstacles]
    for suggestion in rules:
        lines += ["", "[[rules]]", f"# {_comment(_why(suggestion))}", *_rule(suggestion)]
    lines += _not_suggested([s for s in suggestions if s.limit is None])
    return "\n".join(lines) + "\n"


def _suggestions(audit: Audit) -> Iterator[Suggestion]:
    judged = as_judged(audit, "inconclusive")
    overall = "accuracy" if audit.task == "single-label" else "subset accuracy"
    labels = [n for n in audit.labels.audited if n not in audit.labels.unsupported_labels]
    for grouping in audit.groupings:
        if grouping == EVERYONE:
            continue
        rates: list[tuple[str, str, Kind]] = [(overall, ALL, "min_worst"), (overall, ALL, "max_gap")]
        rates += [("TPR", label, "max_gap") for label in labels]
        for rate, label, kind in rates:
            yield _suggestion(judged, rate, label, grouping, kind)


def _suggestion(audit: Audit, rate: str, label: str, grouping: Grouping, kind: Kind) -> Suggestion:
    for limit in LIMITS[kind]:
        rule = Rule.model_validate(
            {"name": "r", "rate": rate, "label": [label], "attribute": [grouping_name(grouping)], kind: limit}
        )
        target = Target(rule, label, grouping)
        check = create_check(target, audit)
        if check.passes(_ERROR):
            return Suggestion(target, check, limit)
    return Suggestion(target, check, None)


def _why(suggestion: Suggestion) -> str:
    check, target = suggestion.check, suggestion.target
    measurement = check.measurement
    sizes = ", ".join(f"{g} {n}" for g, n in check.sizes.items())
    if measurement is None:
        return f"by {target.attribute}, {check.reason}"
    obstacles = [*check.obstacles, *([measurement.reason] if measurement.reason else [])]
    if obstacles:
        return f"{target.rate_name} by {target.attribute}: {'; '.join(obstacles)}"
    low, high = check.bounds(_ERROR, _ERROR)
    what, bound = ("gap", f"at most {high:.3f}") if target.rule.kind == "max_gap" else ("worst rate", f"at least {low:.3f}")
    return (
        f"{target.rate_name} by {target.attribute}: {what} observed {measurement.observed:.3f}, {bound} with 95 % confidence; "
        f"faces: {sizes}"
    )


def _rule(suggestion: Suggestion) -> list[str]:
    target = suggestion.target
    lines = [f"name = {_quoted(suggestion.name)}", f"rate = {_quoted(target.rule.rate)}"]
    if target.label != ALL:
        lines.append(f"label = {_quoted(target.label)}")
    return [*lines, f"attribute = {_quoted(target.attribute)}", f"{target.rule.kind} = {suggestion.limit:g}"]


def _not_suggested(suggestions: Sequence[Suggestion]) -> list[str]:
    if not suggestions:
        return []
    return [
        "",
        "# No limit is suggested where this audit has too few faces for one that says much:",
        *(f"# {_comment(_why(s))}" for s in suggestions),
    ]


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    escaped = "".join(f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
    return f'"{escaped}"'


def _comment(text: str) -> str:
    """Text on one line without control characters, which TOML does not allow in comments."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
