"""From a run folder to a verdict, written down beside it: what ``fairfer gate`` does."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer.audits.result import Audit
from fairfer.errors import RunError, UsageError
from fairfer.files import write_text
from fairfer.gate.judge import judge
from fairfer.gate.policy import Policy, read_policy
from fairfer.gate.verdict import VERDICT, Verdict
from fairfer.report.verdicts import BANNER, banner, junit, markdown, terminal, workflow_commands

if TYPE_CHECKING:
    from fairfer.audits.comparison import Comparison


@dataclass(frozen=True)
class Decided:
    """A verdict, and what a terminal shows of it."""

    verdict: Verdict
    text: str


def decide(
    run: Path,
    baseline: Path | None = None,
    policy: Path | Policy | None = None,
    *,
    allow_inconclusive: bool = False,
    markdown_to: Path | None = None,
    junit_to: Path | None = None,
) -> Decided:
    """Judge a run and write the verdict: ``verdict.json`` and the banner of ``report.html`` in the run, files on demand.

    In a workflow of GitHub (``GITHUB_ACTIONS``) annotations are part of the text, the Markdown goes to the job's summary, and
    ``outcome`` to the step's outputs.

    Parameters
    ----------
    run, baseline
        Run folders, or ``audit.json`` files. Where both folders hold their predictions, they are compared face by face.
    policy
        A policy or its file; looked for when not given.
    allow_inconclusive
        Whether too few data exit with 0.
    markdown_to, junit_to
        Files to write too.

    Raises
    ------
    UsageError, RunError
        When it cannot be judged; nothing is written then.
    """
    rules = policy if isinstance(policy, Policy) else read_policy(policy)
    if not run.exists():
        message = f"{run} does not exist; give the folder that fairfer audit wrote"
        raise UsageError(message)
    audit = _read(run)
    before = None if baseline is None else _read(baseline)
    verdict = judge(
        rules,
        audit,
        baseline=before,
        comparison=None if baseline is None else _paired(baseline, run),
        allow_inconclusive=allow_inconclusive,
    )
    text, comment = terminal(verdict), markdown(verdict)
    files = {markdown_to: comment, junit_to: junit(verdict)}
    page = run / "report.html"
    if run.is_dir():
        files |= {page: _with_banner(page, verdict)} if page.is_file() else {}
        files |= {run / VERDICT: verdict.to_json()}
    _write({path: content for path, content in files.items() if path is not None})
    if os.environ.get("GITHUB_ACTIONS") == "true":
        text += workflow_commands(verdict)
        for variable, told in (("GITHUB_STEP_SUMMARY", comment), ("GITHUB_OUTPUT", f"outcome={verdict.outcome}\n")):
            if path := os.environ.get(variable):
                _append(Path(path), told, variable)
    return Decided(verdict, text)


def _read(run: Path) -> Audit:
    """The audit of a folder or file; one that is not that of the folder's own predictions is refused."""
    audit = Audit.read(run)
    about = run / "run.json"
    if run.is_dir() and about.is_file():
        try:
            said = json.loads(about.read_text(encoding="utf-8"))
            whose = [str(said["model"]), str(said["version"]), dict(said["options"])]
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"{about} cannot be read ({error}); audit again"
            raise RunError(message) from error
        if whose != [audit.model.name, audit.model.version, audit.model.options]:
            message = f"{run}: audit.json is of {audit.model.name}, the predictions are of {whose[0]} {whose[1]}; audit again"
            raise RunError(message)
    return audit


def _with_banner(page: Path, verdict: Verdict) -> str:
    shown = banner(verdict)
    try:
        return BANNER.sub(lambda _: shown, page.read_text(encoding="utf-8"), count=1)
    except (OSError, UnicodeError) as error:
        message = f"{page} cannot be read ({error}); run fairfer report again"
        raise RunError(message) from error


def _write(files: Mapping[Path, str]) -> None:
    """All of them, or none that was not there before."""
    new = [path for path in files if not path.exists()]
    try:
        for path, content in files.items():
            write_text(path, content)
    except UsageError:
        for path in new:
            path.unlink(missing_ok=True)
        raise


def _append(path: Path, text: str, variable: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}); {variable} names it"
        raise UsageError(message) from error


def _paired(baseline: Path, run: Path) -> Comparison | None:
    """The two runs face by face, where both hold what that needs; audits alone are compared as if of different faces."""
    if not all((folder / "samples.parquet").is_file() and (folder / "run.json").is_file() for folder in (baseline, run)):
        return None
    from fairfer.audits.compare import compare  # noqa: PLC0415 - needs tables, which a gate without a baseline does not

    return compare(baseline, run)
