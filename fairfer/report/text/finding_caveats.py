"""What makes a single finding hard to interpret: a sentence that stands in the finding itself, not among the caveats."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairfer.report.text.groups import capital, group_words, is_common_attribute, quoted
from fairfer.report.text.numbers import listed, many, rate, share
from fairfer.vocabulary import UNANNOTATED

if TYPE_CHECKING:
    from fairfer.audits.result import AttributeInfo
    from fairfer.metrics.results import CorrectedGap, Gap
    from fairfer.report.view import View

PLAUSIBLE_ERROR = 0.1
"""Share of wrong annotations at which a finding about inferred groups must keep its sign."""

FEW_SUBJECTS = 20
"""With fewer subjects in a group, intervals and tests are somewhat too narrow."""

LOW_AGREEMENT = 0.6
"""A label on which a rater agrees less often than this with the majority of the others."""

_MOSTLY = 0.5
_UNRELIABLE = re.compile(
    r"\b(unreliable|not reliable|un?trustworthy|not trustworthy|inaccurate|weak|poor|low accuracy|low quality|noisy|"
    r"guess(es|ed)?|demonstrat\w+|do not (draw|rely|use|trust)|don't (draw|rely|use|trust)|not (to )?be (relied|used|trusted)|"
    r"at chance|random|often wrong|mostly wrong|many errors|with caution)\b",
    re.IGNORECASE,
)


def finding_caveats(view: View, gap: Gap) -> str:
    """What makes a finding hard to interpret, in short sentences; empty when nothing does.

    Parameters
    ----------
    view
        The audit.
    gap
        The gap of the finding.
    """
    parts = (_annotation(view, gap), _unannotated(view, gap), _subjects(view, gap), _agreement(view, gap))
    return " ".join(capital(part) + "." for part in parts if part)


def _annotation(view: View, gap: Gap) -> str:
    """Inferred attributes whose provenance calls them unreliable, or whose errors leave the sign of the gap open."""
    texts = []
    inferred = [a for a in view.audit.data.attributes if a.name in gap.attribute and a.source == "inferred"]
    unreliable = [a for a in inferred if is_unreliable(a)]
    if unreliable:
        names = listed([_name(a.name) for a in unreliable])
        verb = "is" if len(unreliable) == 1 else "are"
        texts.append(f"{names} {verb} inferred, and the annotation is described as unreliable: do not rely on this finding")
    curve = view.corrections(gap)
    validated = [c for c in curve if c.scenario == "validation"]
    if validated and all(c.scenario in ("as_annotated", "validation") for c in curve):
        if is_sign_open(validated[0]):
            names = listed([_name(a.name) for a in inferred])
            texts.append(f"corrected for the errors of the inferred {names} (validation sample), the sign of this gap is open")
    elif error := open_from(curve, PLAUSIBLE_ERROR):
        names = listed([_name(a.name) for a in inferred])
        texts.append(f"if {100 * error:g} % of the inferred {names} were wrong, the sign of this gap would be open")
    return "; ".join(texts)


def is_unreliable(attribute: AttributeInfo) -> bool:
    """Whether the note or the source of an attribute calls it unreliable."""
    return bool(_UNRELIABLE.search(f"{attribute.note} {attribute.by}"))


def is_sign_open(row: CorrectedGap) -> bool:
    """Whether a corrected gap may have either sign, or cannot be estimated."""
    return row.low is None or row.high is None or row.low <= 0 <= row.high


def open_from(curve: list[CorrectedGap], most: float = 1.0) -> float | None:
    """The smallest assumed share of wrong annotations, up to `most`, that leaves the sign open; ``None`` without one."""
    errors = [c.error for c in curve if c.error and c.error <= most and c.scenario != "as_annotated" and is_sign_open(c)]
    return min(errors, default=None)


def _unannotated(view: View, gap: Gap) -> str:
    """Attributes without a value for most faces."""
    total = view.size()
    missing = sum(view.size(gap.attribute, g) for g in view.groups(gap.attribute) if UNANNOTATED in g)
    if not total or missing / total <= _MOSTLY:
        return ""
    return f"{share(missing / total)} of the faces have no {listed([_name(n) for n in gap.attribute])} and are not compared"


def _subjects(view: View, gap: Gap) -> str:
    """Groups with few subjects behind the rate."""
    if gap.worst is None or gap.best is None:
        return ""
    rates = [view.rate(gap.rate, gap.label, gap.attribute, g) for g in (gap.worst, gap.best)]
    few = [r for r in rates if r.subjects is not None and r.subjects < FEW_SUBJECTS]
    if not few:
        return ""
    texts = [f"{many(r.subjects or 0, 'subject')} ({group_words(r.group)})" for r in few]
    return f"rests on {listed(texts)}, so its uncertainty is underestimated"


def _agreement(view: View, gap: Gap) -> str:
    """A label on which raters rarely agree."""
    row = view.weighted("rater", "TPR", gap.label)
    if row is None or row.value is None or row.status != "ok" or row.value >= LOW_AGREEMENT:
        return ""
    return f"one rater agrees with the majority of the others on {gap.label} in only {rate(row.value)} of cases"


def _name(name: str) -> str:
    return name if is_common_attribute(name) else quoted(name)
