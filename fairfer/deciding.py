"""From a run folder to a verdict, written down beside it: what ``fairfer gate`` and the pytest plugin do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer.errors import UsageError
from fairfer.files import write_text
from fairfer.gate import judge
from fairfer.policy import Policy, read_policy
from fairfer.report.verdicts import BANNER, banner, junit, markdown, terminal, workflow_commands
from fairfer.result import Audit
from fairfer.verdict import VERDICT, Verdict

if TYPE_CHECKING:
    from fairfer.comparison import Comparison


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
    audit = Audit.read(run)
    before = None if baseline is None else Audit.read(baseline)
    verdict = judge(
        rules,
        audit,
        baseline=before,
        comparison=None if baseline is None else _paired(baseline, run),
        allow_inconclusive=allow_inconclusive,
    )
    text = terminal(verdict)
    if markdown_to is not None:
        write_text(markdown_to, markdown(verdict))
    if junit_to is not None:
        write_text(junit_to, junit(verdict))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        text += workflow_commands(verdict)
        for variable, told in (("GITHUB_STEP_SUMMARY", markdown(verdict)), ("GITHUB_OUTPUT", f"outcome={verdict.outcome}\n")):
            if path := os.environ.get(variable):
                with Path(path).open("a", encoding="utf-8") as file:
                    file.write(told)
    if run.is_dir():
        page = run / "report.html"
        if page.is_file():
            shown = banner(verdict)
            write_text(page, BANNER.sub(lambda _: shown, page.read_text(encoding="utf-8"), count=1))
        verdict.write(run / VERDICT)
    return Decided(verdict, text)


def _paired(baseline: Path, run: Path) -> Comparison | None:
    """The two runs face by face, where both hold what that needs; audits alone are compared as if of different faces."""
    if not all((folder / "samples.parquet").is_file() and (folder / "run.json").is_file() for folder in (baseline, run)):
        return None
    from fairfer.pairing import compare  # noqa: PLC0415 - needs tables, which a gate without a baseline does not

    return compare(baseline, run)
