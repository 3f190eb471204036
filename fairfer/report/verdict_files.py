"""Files of a verdict: ``verdict.json``, the banner of ``report.html``, Markdown, JUnit XML, and those of a GitHub workflow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer.errors import RunError, UsageError
from fairfer.files import write_text
from fairfer.gate.verdict import VERDICT
from fairfer.report.verdict_renderers import BANNER, JUNIT_START, MARKER, banner, junit, markdown, workflow_commands

if TYPE_CHECKING:
    from fairfer.gate.verdict import Verdict

_REPORT = "report.html"


def write_verdict(
    verdict: Verdict,
    run: str | os.PathLike[str],
    *,
    markdown_file: str | os.PathLike[str] | None = None,
    junit_file: str | os.PathLike[str] | None = None,
) -> None:
    """Write a verdict: all of the files, or none that did not exist before.

    Parameters
    ----------
    verdict
        What to write.
    run
        Run folder, which gets ``verdict.json`` and the banner in its ``report.html``; or an ``audit.json`` file: then neither.
    markdown_file, junit_file
        Files for the verdict as Markdown and as JUnit XML.

    Raises
    ------
    UsageError
        When a file cannot be written, or is one that fairfer did not write.
    RunError
        When ``report.html`` cannot be read.
    """
    files: dict[Path, str] = {}
    folder = Path(run)
    for option, name, start, text in (
        ("--markdown", markdown_file, MARKER, markdown),
        ("--junit", junit_file, JUNIT_START, junit),
    ):
        if name is not None:
            _check_replaceable(Path(name), option, start, [*files, folder / VERDICT, folder / _REPORT])
            files[Path(name)] = text(verdict)
    if folder.is_dir():
        report = folder / _REPORT
        if report.is_file():
            files[report] = _with_banner(report, verdict)
        files[folder / VERDICT] = verdict.to_json()
    _write_all(files)


def remove_verdict(run: str | os.PathLike[str]) -> None:
    """Remove the verdict of a run folder: ``verdict.json``, and the banner of ``report.html``.

    A verdict on another audit, or on the last policy that could be judged, is not one on this run.

    Raises
    ------
    UsageError
        When a file cannot be changed.
    RunError
        When ``report.html`` cannot be read.
    """
    folder = Path(run)
    if not folder.is_dir():
        return
    try:
        (folder / VERDICT).unlink(missing_ok=True)
    except OSError as error:
        message = f"{folder / VERDICT} cannot be removed ({error.strerror}); make the folder writable"
        raise UsageError(message) from error
    report = folder / _REPORT
    if report.is_file() and (text := _with_banner(report, None)) != report.read_text(encoding="utf-8"):
        write_text(report, text)


def _check_replaceable(path: Path, option: str, start: str, others: Iterable[Path]) -> None:
    """Refuse to replace a file that is not an earlier one of the same kind. An empty file may be replaced."""
    if any(path.resolve() == other.resolve() for other in others):
        message = f"{option} {path}: this run writes another file of that name; choose another name"
        raise UsageError(message)
    if not path.is_file():  # new, or a stream such as /dev/stdout; a folder is refused when it is written
        return
    try:
        with path.open("rb") as file:
            head = file.read(len(start))
    except OSError as error:
        message = f"{option} {path} cannot be read ({error.strerror}); choose another name"
        raise UsageError(message) from error
    if head and head != start.encode():
        message = f"{option} {path} exists, and fairfer gate did not write it; choose another name, or remove the file"
        raise UsageError(message)


def annotate_workflow(verdict: Verdict) -> str:
    """Report a verdict to the GitHub workflow that this process runs in; nothing outside of one.

    The Markdown goes to the job summary, ``outcome`` to the outputs of the step.

    Returns
    -------
    str
        Workflow commands to print, which annotate the log; empty outside of a workflow.

    Raises
    ------
    UsageError
        When a file of the runner cannot be written.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return ""
    for variable, text in (("GITHUB_STEP_SUMMARY", markdown(verdict)), ("GITHUB_OUTPUT", f"outcome={verdict.outcome}\n")):
        if path := os.environ.get(variable):
            _append(Path(path), text, variable)
    return workflow_commands(verdict)


def _with_banner(report: Path, verdict: Verdict | None) -> str:
    new = banner(verdict)
    try:
        return BANNER.sub(lambda _: new, report.read_text(encoding="utf-8"), count=1)
    except (OSError, UnicodeError) as error:
        message = f"{report} cannot be read ({error}); run fairfer report again"
        raise RunError(message) from error


def _write_all(files: Mapping[Path, str]) -> None:
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
        message = f"{path} cannot be written ({error.strerror}); correct the environment variable {variable}"
        raise UsageError(message) from error
