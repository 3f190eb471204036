"""Pytest plugin: the fixture `fairfer_audit` makes an audit, `assert_fair` judges it as ``fairfer gate`` does.

::

    from fairfer.pytest_plugin import assert_fair

    def test_model_is_fair(fairfer_audit):
        audit = fairfer_audit("datasets/ours", model="our_package.model:load", by=["gender"])
        assert_fair(audit, "fairfer.toml")

    def test_recorded_predictions_are_fair(fairfer_audit):
        audit = fairfer_audit("predictions.csv", truth="label", by=["gender"], minimum=50)
        assert_fair(audit, "fairfer.toml")
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fairfer.audits.result import Audit
    from fairfer.datasets.dataset import Dataset
    from fairfer.gate.policy import Policy
    from fairfer.gate.verdict import Verdict
    from fairfer.models.model import Model


def assert_fair(
    audit: Audit,
    policy: Policy | str | os.PathLike[str] | None = None,
    *,
    baseline: Audit | None = None,
    allow_inconclusive: bool = False,
) -> Verdict:
    """Fail the test unless the audit satisfies the policy. Looks are not counted (``fairfer gate --looks`` does that).

    Parameters
    ----------
    audit
        The audit to judge.
    policy
        A policy or its file; by default the one that ``fairfer gate`` finds in the working directory.
    baseline
        The audit that ``max_regression`` refers to.
    allow_inconclusive
        Whether the test passes where there are too few faces to judge.

    Returns
    -------
    Verdict
        The verdict that lets the test pass.

    Raises
    ------
    pytest.fail.Exception
        When the verdict is *fail*, or *inconclusive* without `allow_inconclusive`; with the text of ``fairfer gate``.
    UsageError, RunError
        When the audit cannot be judged by this policy.
    """
    from fairfer.gate.judge import judge
    from fairfer.gate.policy import Policy, policy_file, read_policy
    from fairfer.report.verdict_renderers import terminal

    __tracebackhide__ = True
    file = "" if isinstance(policy, Policy) else str(policy_file(policy))
    rules = policy if isinstance(policy, Policy) else read_policy(file)
    verdict = judge(rules, audit, baseline=baseline, allow_inconclusive=allow_inconclusive, policy_file=file)
    if verdict.exit_code:
        pytest.fail("\n" + terminal(verdict), pytrace=False)
    return verdict


@pytest.fixture(scope="session")
def fairfer_audit(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Audit]:
    """Make audits: ``fairfer_audit(dataset="sample", model=None, by=(), *, model_options={}, run=None, **options)``.

    The parameters of the function are:

    dataset
        What `fairfer.load_dataset` takes, or a `fairfer.Dataset`.
    model
        What `fairfer.load_model` takes, or a `fairfer.Model`. Not needed for a table of predictions.
    by
        Groupings, as for `fairfer.audit`.
    model_options
        Options of the model, as for `fairfer.load_model`.
    run
        Folder in which predictions are kept and reused; a temporary one by default.
    **options
        Fields of `fairfer.AuditPlan`, such as ``minimum=50``, and of `fairfer.load_dataset` and its loaders, such as
        ``truth="label"`` or ``split="test"``.

    It returns a `fairfer.Audit` and raises `fairfer.errors.UsageError` for unknown options.
    """

    def make(
        dataset: Dataset | str | os.PathLike[str] = "sample",
        model: Model | str | None = None,
        by: Sequence[str] = (),
        *,
        model_options: Mapping[str, str] | None = None,
        run: str | os.PathLike[str] | None = None,
        **options: object,
    ) -> Audit:
        from fairfer.audits.audit import audit_predictions
        from fairfer.audits.plan import AuditPlan
        from fairfer.datasets.dataset import Dataset
        from fairfer.datasets.loading import load_dataset
        from fairfer.errors import UsageError
        from fairfer.models.registry import load_model
        from fairfer.predictions.inference import predict

        plan_options, dataset_options = _split_options(options)
        plan = AuditPlan.of({"by": by, **plan_options})
        if isinstance(dataset, Dataset):
            data = dataset
            if dataset_options:
                message = (
                    f"fairfer_audit: {', '.join(dataset_options)} cannot be applied to a Dataset; pass them to load_dataset"
                )
                raise UsageError(message)
        else:
            data = load_dataset(dataset if isinstance(dataset, str) else Path(dataset), **dataset_options)
        loaded_model = load_model(model, **(model_options or {})) if isinstance(model, str) else model
        if loaded_model is None and data.recorded is None:
            message = f"{data.name} contains images but no predictions; name the model: fairfer_audit(..., model=...)"
            raise UsageError(message)
        folder = Path(run) if run is not None else tmp_path_factory.mktemp("fairfer")
        return audit_predictions(data, predict(data, loaded_model, folder), plan, run=folder)

    return make


def _split_options(options: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of the plan, and options of the dataset and its loader.

    Raises
    ------
    UsageError
        When an option belongs to neither.
    """
    from fairfer.audits.plan import AuditPlan
    from fairfer.datasets.loading import load_dataset, loaders
    from fairfer.errors import UsageError, did_you_mean

    of_plan = AuditPlan.model_fields.keys() - {"by"}
    of_dataset = _keywords(load_dataset).union(*(loader.options for loader in loaders().values()))
    for name in options:
        if name not in of_plan | of_dataset:
            message = f"fairfer_audit has no option {name!r}; {did_you_mean(name, sorted(of_plan | of_dataset))}"
            raise UsageError(message)
    plan_options = {k: v for k, v in options.items() if k in of_plan}
    return plan_options, {k: v for k, v in options.items() if k not in of_plan}


def _keywords(function: Callable[..., object]) -> set[str]:
    return {n for n, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY}
