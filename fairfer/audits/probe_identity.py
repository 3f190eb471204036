"""To which audit the result of ``fairfer probe`` belongs. Imports no table library."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairfer.audits.plan import AuditPlan
    from fairfer.audits.result import Audit
    from fairfer.explanations.probes.results import Probes


def plan_digest(plan: AuditPlan) -> str:
    """Identity of the settings of an audit."""
    return hashlib.sha256(plan.model_dump_json().encode()).hexdigest()


def belongs_to(probes: Probes, audit: Audit) -> bool:
    """Whether a result is of the predictions, the data and the plan of an audit."""
    of_audit = (audit.model.predictions_digest, audit.data.digest, plan_digest(audit.plan))
    return (probes.predictions_digest, probes.data_digest, probes.plan_digest) == of_audit
