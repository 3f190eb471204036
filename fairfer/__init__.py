"""fairfer: error rates of facial-emotion models per emotion and demographic group, as heatmaps and audit reports.

>>> import fairfer
>>> dataset = fairfer.load_dataset("sample")
>>> model = fairfer.load_model("baseline")
>>> audit = fairfer.audit(dataset, fairfer.predict(dataset, model), by=["gender"])
>>> audit.groups("gender")
['female', 'male']

`write_report` makes the report of it; ``fairfer audit`` on the command line does all of this in one go.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairfer.audits.audit import audit, check_audit, rebuild
    from fairfer.audits.compare import compare, rank
    from fairfer.audits.result import Audit
    from fairfer.datasets.dataset import Dataset
    from fairfer.datasets.loading import load_dataset
    from fairfer.errors import FairferError
    from fairfer.gate.judge import judge
    from fairfer.gate.policy import read_policy
    from fairfer.labels import LabelSpace
    from fairfer.models.model import Model, Prediction, load_model
    from fairfer.predictions.inference import Predictions, predict
    from fairfer.pytest_plugin import assert_fair
    from fairfer.report.write import write_report

__version__ = "0.1.0"

_HOMES = {
    "Audit": "fairfer.audits.result",
    "Dataset": "fairfer.datasets.dataset",
    "FairferError": "fairfer.errors",
    "LabelSpace": "fairfer.labels",
    "Model": "fairfer.models.model",
    "Prediction": "fairfer.models.model",
    "Predictions": "fairfer.predictions.inference",
    "assert_fair": "fairfer.pytest_plugin",
    "audit": "fairfer.audits.audit",
    "check_audit": "fairfer.audits.audit",
    "compare": "fairfer.audits.compare",
    "judge": "fairfer.gate.judge",
    "load_dataset": "fairfer.datasets.loading",
    "load_model": "fairfer.models.model",
    "predict": "fairfer.predictions.inference",
    "rank": "fairfer.audits.compare",
    "read_policy": "fairfer.gate.policy",
    "rebuild": "fairfer.audits.audit",
    "write_report": "fairfer.report.write",
}
"""Where each public name lives. They are imported when first used, so that ``import fairfer`` costs nothing."""

__all__ = [
    "Audit",
    "Dataset",
    "FairferError",
    "LabelSpace",
    "Model",
    "Prediction",
    "Predictions",
    "assert_fair",
    "audit",
    "check_audit",
    "compare",
    "judge",
    "load_dataset",
    "load_model",
    "predict",
    "rank",
    "read_policy",
    "rebuild",
    "write_report",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    message = f"module 'fairfer' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
