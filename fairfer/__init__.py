"""fairfer: fairness evaluation of facial-emotion models, per emotion and demographic group.

Audit arrays or data frames:

>>> import fairfer
>>> result = fairfer.audit(["anger", "fear"] * 20, ["anger", "anger"] * 20, groups={"gender": ["female", "male"] * 20})
>>> result.groups("gender")
[('female',), ('male',)]

Audit a model on a dataset:

>>> dataset = fairfer.load_dataset("sample")
>>> predictions = fairfer.predict(dataset, fairfer.load_model("baseline"))
>>> result = fairfer.audit(dataset, predictions, by=["gender"])
>>> round(result.rate("accuracy").value, 2) > 0.5
True

`write_report` writes its report. ``fairfer audit`` on the command line does all of this at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairfer.annotation.infer import annotate
    from fairfer.audits.arrays import audit
    from fairfer.audits.audit import rebuild
    from fairfer.audits.compare import compare
    from fairfer.audits.explain import ExplainSettings, explain
    from fairfer.audits.leaderboard import leaderboard
    from fairfer.audits.plan import AuditPlan, check_plan
    from fairfer.audits.probe import probe
    from fairfer.audits.result import Audit
    from fairfer.audits.sample_size import plan_sample_size
    from fairfer.datasets.dataset import Dataset
    from fairfer.datasets.loading import load_dataset
    from fairfer.errors import FairferError
    from fairfer.gate.judge import judge
    from fairfer.gate.policy import read_policy
    from fairfer.labels import LabelSpace
    from fairfer.models.model import Model, Prediction
    from fairfer.models.preprocessing import Preprocessing
    from fairfer.models.registry import load_model
    from fairfer.models.wrap import wrap
    from fairfer.predictions.inference import predict
    from fairfer.predictions.predictions import Predictions
    from fairfer.pytest_plugin import assert_fair
    from fairfer.report.write import write_report

__version__ = "0.1.0"

_HOMES = {
    "Audit": "fairfer.audits.result",
    "AuditPlan": "fairfer.audits.plan",
    "Dataset": "fairfer.datasets.dataset",
    "ExplainSettings": "fairfer.audits.explain",
    "FairferError": "fairfer.errors",
    "LabelSpace": "fairfer.labels",
    "Model": "fairfer.models.model",
    "Prediction": "fairfer.models.model",
    "Preprocessing": "fairfer.models.preprocessing",
    "Predictions": "fairfer.predictions.predictions",
    "annotate": "fairfer.annotation.infer",
    "assert_fair": "fairfer.pytest_plugin",
    "audit": "fairfer.audits.arrays",
    "check_plan": "fairfer.audits.plan",
    "compare": "fairfer.audits.compare",
    "explain": "fairfer.audits.explain",
    "judge": "fairfer.gate.judge",
    "leaderboard": "fairfer.audits.leaderboard",
    "load_dataset": "fairfer.datasets.loading",
    "load_model": "fairfer.models.registry",
    "plan_sample_size": "fairfer.audits.sample_size",
    "predict": "fairfer.predictions.inference",
    "probe": "fairfer.audits.probe",
    "read_policy": "fairfer.gate.policy",
    "rebuild": "fairfer.audits.audit",
    "wrap": "fairfer.models.wrap",
    "write_report": "fairfer.report.write",
}
"""Module of each public name. They are imported when first used, so that ``import fairfer`` is fast."""

__all__ = [
    "Audit",
    "AuditPlan",
    "Dataset",
    "ExplainSettings",
    "FairferError",
    "LabelSpace",
    "Model",
    "Prediction",
    "Predictions",
    "Preprocessing",
    "annotate",
    "assert_fair",
    "audit",
    "check_plan",
    "compare",
    "explain",
    "judge",
    "leaderboard",
    "load_dataset",
    "load_model",
    "plan_sample_size",
    "predict",
    "probe",
    "read_policy",
    "rebuild",
    "wrap",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    message = f"module 'fairfer' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
