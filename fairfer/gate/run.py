"""Judge run folders: read the audits, check that they are current, compare them face by face."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer.audits.result import Audit
from fairfer.errors import RunError, UsageError
from fairfer.files import read_text
from fairfer.gate.judge import judge
from fairfer.gate.looks import Ledger
from fairfer.gate.policy import Policy, policy_file, read_policy

if TYPE_CHECKING:
    from fairfer.audits.comparison import Comparison
    from fairfer.gate.verdict import Verdict

_PREDICTIONS = "run.json"
_SAMPLES = "samples.parquet"


def judge_run(
    run: str | os.PathLike[str],
    baseline: str | os.PathLike[str] | None = None,
    policy: Policy | str | os.PathLike[str] | None = None,
    *,
    allow_inconclusive: bool = False,
    looks: str | os.PathLike[str] | None = None,
) -> Verdict:
    """Judge a run by a policy. Nothing is written but the ledger.

    Parameters
    ----------
    run, baseline
        Run folders, or ``audit.json`` files. Where both folders hold predictions, they are compared face by face.
    policy
        A policy or its file; `fairfer.gate.policy.read_policy` finds one by default.
    allow_inconclusive
        Whether an inconclusive verdict has exit code 0.
    looks
        Ledger of the models judged on the same faces: read, and written with this verdict. It is created when missing.

    Returns
    -------
    Verdict

    Raises
    ------
    UsageError
        When the run or the policy does not exist, or the policy does not fit the audit.
    RunError
        When an audit is missing, damaged or older than the predictions beside it, or the baseline has other data.
    """
    file = "" if isinstance(policy, Policy) else str(policy_file(policy))
    rules = policy if isinstance(policy, Policy) else read_policy(file)
    folder = Path(run)
    if not folder.exists():
        message = f"{folder} does not exist; name a folder written by fairfer audit"
        raise UsageError(message)
    if baseline is not None and _folder(Path(baseline)) == _folder(folder):
        message = f"--baseline {baseline} is the run itself; name the run of the model that is in use"
        raise UsageError(message)
    audit = read_current_audit(folder)
    ledger = None if looks is None else Ledger.open(looks)
    verdict = judge(
        rules,
        audit,
        baseline=None if baseline is None else read_current_audit(Path(baseline)),
        comparison=None if baseline is None else _paired_comparison(Path(baseline), folder),
        allow_inconclusive=allow_inconclusive,
        looks=None if ledger is None else ledger.count(audit, rules),
        policy_file=file,
    )
    if ledger is not None and looks is not None:
        # Before the verdict is returned: without a record in the ledger there is no verdict.
        ledger.with_look(audit, rules, verdict.outcome).write(looks)
    return verdict


def _folder(run: Path) -> Path:
    return (run.parent if run.name == "audit.json" else run).resolve()


def read_current_audit(run: Path) -> Audit:
    """The audit of a run.

    Raises
    ------
    RunError
        When there is none, it is damaged, or the predictions beside it have been replaced since.
    """
    audit = Audit.read(run)
    file = run / _PREDICTIONS
    if not file.exists():
        return audit
    try:
        content = json.loads(read_text(file))
        model = [str(content["model"]), str(content["version"]), dict(content["options"])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{file} cannot be read ({error}); run fairfer audit again"
        raise RunError(message) from error
    if model != [audit.model.name, audit.model.version, audit.model.options]:
        message = (
            f"{run}: audit.json is from {audit.model.name} {audit.model.version}, but the predictions are from "
            f"{model[0]} {model[1]}, possibly with other options; run fairfer audit again"
        )
        raise RunError(message)
    return audit


def _paired_comparison(baseline: Path, run: Path) -> Comparison | None:
    """The runs compared face by face; ``None`` where one has no predictions."""
    if not all((folder / name).is_file() for folder in (baseline, run) for name in (_SAMPLES, _PREDICTIONS)):
        return None
    from fairfer.audits.compare import compare  # it imports pandas, which a gate without predictions does not need

    return compare(baseline, run)
