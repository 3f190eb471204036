"""To which audit the result of ``fairfer probe`` or ``fairfer explain`` belongs. Imports no table library."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairfer.audits.plan import AuditPlan
    from fairfer.audits.result import Audit
    from fairfer.explanations.explanation_results import Explanations
    from fairfer.explanations.probes.results import Probes


def plan_digest(plan: AuditPlan) -> str:
    """Identity of the settings of an audit."""
    return hashlib.sha256(plan.model_dump_json().encode()).hexdigest()


def belongs_to(result: Probes | Explanations, audit: Audit) -> bool:
    """Whether a result is of the predictions, the data and the plan of an audit."""
    of_audit = (audit.model.predictions_digest, audit.data.digest, plan_digest(audit.plan))
    return (result.predictions_digest, result.data_digest, result.plan_digest) == of_audit
