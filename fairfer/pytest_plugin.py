"""For tests of a model: ``fairfer_audit`` makes an audit, ``assert_fair`` judges it with the gate's own verdict.

::

    def test_the_model_is_fair(fairfer_audit):
        audit = fairfer_audit("datasets/ours", model="our_package.model:load", by=["gender"])
        assert_fair(audit, "fairfer.toml")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fairfer.audits.result import Audit
    from fairfer.gate.policy import Policy
    from fairfer.gate.verdict import Verdict


def assert_fair(
    audit: Audit,
    policy: Policy | str | Path | None = None,
    *,
    baseline: Audit | None = None,
    allow_inconclusive: bool = False,
) -> Verdict:
    """Fail a test as `fairfer gate` would fail a build.

    Parameters
    ----------
    audit
        What is judged.
    policy
        A policy or its file; looked for in the working directory when not given.
    baseline
        What ``max_regression`` compares with.
    allow_inconclusive
        Whether too few data let a test pass.

    Returns
    -------
    Verdict
        When it passes.

    Raises
    ------
    pytest.fail.Exception
        With the gate's own text, when the policy fails or cannot be judged: the test fails.
    UsageError, RunError
        When there is nothing to judge by.
    """
    from fairfer.gate.judge import judge  # noqa: PLC0415 - a plugin is imported by every run of pytest, asked for or not
    from fairfer.gate.policy import Policy, read_policy  # noqa: PLC0415
    from fairfer.report.verdicts import terminal  # noqa: PLC0415

    __tracebackhide__ = True
    rules = policy if isinstance(policy, Policy) else read_policy(None if policy is None else Path(policy))
    found = judge(rules, audit, baseline=baseline, allow_inconclusive=allow_inconclusive)
    if found.exit_code:
        pytest.fail("\n" + terminal(found), pytrace=False)
    return found


@pytest.fixture(scope="session")
def fairfer_audit(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Audit]:
    """A function that audits: ``fairfer_audit(dataset, model=…, by=["gender"], options={}, run=None, **plan)``.

    The data set and model are what `fairfer.load_dataset` and `fairfer.load_model` take, or objects; the plan are those of
    `fairfer.audit`. With `run`, predictions are kept there and taken up again.
    """

    def make(
        dataset: object = "sample",
        model: object = None,
        by: Sequence[str] = (),
        *,
        options: Mapping[str, str] | None = None,
        run: Path | None = None,
        **plan: Any,  # noqa: ANN401 - whatever fairfer.audit takes
    ) -> Audit:
        import fairfer  # noqa: PLC0415 - see above
        from fairfer.errors import UsageError  # noqa: PLC0415

        data: Any = fairfer.load_dataset(dataset) if isinstance(dataset, str | Path) else dataset
        asked: Any = fairfer.load_model(model, **(options or {})) if isinstance(model, str) else model
        if asked is None and data.recorded is None:
            message = f"{data.name} holds pictures and no predictions; name the model to audit: fairfer_audit(..., model=...)"
            raise UsageError(message)
        folder = run or tmp_path_factory.mktemp("fairfer")
        return fairfer.audit(data, fairfer.predict(data, asked, folder), by, run=folder, **plan)

    return make
