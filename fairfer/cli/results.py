"""``fairfer report``, ``compare`` and ``gate``: commands for finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fairfer.cli.command import app
from fairfer.cli.console import print_commands
from fairfer.errors import UsageError

_PAIR = 2


def _folder(run: Path) -> Path:
    if not run.is_dir():
        message = f"{run} is not a folder; give a folder that fairfer audit wrote"
        raise UsageError(message)
    return run


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that fairfer audit wrote, or one with an audit.json.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Target folder; RUN when not given.")] = None,
) -> None:
    """Rebuild audit.json, tables, figures and report.html from the stored predictions of a run."""
    from fairfer.audits.audit import rebuild
    from fairfer.report.attachments import not_shown
    from fairfer.report.write import write_report

    audit = rebuild(_folder(run))
    page = write_report(audit, out or run, attached=run)
    for sentence in not_shown(run, audit):
        typer.echo(sentence, err=True)
    typer.echo(f"Report: {page}")


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="BASE CANDIDATE", help="Two run folders, or more for a leaderboard.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Target folder; CANDIDATE/comparison when not given (a leaderboard is written only with --out).",
        ),
    ] = None,
) -> None:
    """Compare two runs face by face. With more than two runs, print a leaderboard."""
    from fairfer.audits.compare import compare as compare_runs
    from fairfer.audits.leaderboard import leaderboard
    from fairfer.files import write_text
    from fairfer.report.text.comparison import comparison_summary, leaderboard_text
    from fairfer.report.write import write_comparison

    folders = [_folder(run) for run in runs]
    if len(folders) != _PAIR:
        text = leaderboard_text(leaderboard(folders))
        typer.echo(text.rstrip("\n"))
        if out is not None:
            write_text(out / "leaderboard.txt", text)
            typer.echo(f"Leaderboard: {out / 'leaderboard.txt'}")
        return
    comparison = compare_runs(*folders)
    typer.echo(comparison_summary(comparison).rstrip("\n"))
    typer.echo(f"Comparison: {write_comparison(comparison, out or folders[1] / 'comparison')}")


@app.command()
def gate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder written by fairfer audit, or an audit.json file.")],
    *,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", metavar="RUN", help="Run with which max_regression rules compare.")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy", metavar="FILE", help="Policy file; fairfer.toml, else [tool.fairfer] in pyproject.toml, when not given."
        ),
    ] = None,
    allow_inconclusive: Annotated[
        bool, typer.Option("--allow-inconclusive", help="Exit with 0 instead of 3 when the verdict is inconclusive.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Also write the verdict as Markdown.")
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Also write the verdict as JUnit XML.")] = None,
    looks: Annotated[
        Path | None,
        typer.Option(
            "--looks",
            metavar="FILE",
            help="Ledger of the models judged on the same faces; read, and written with this verdict.",
        ),
    ] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Write a starter policy with limits that this audit can judge; judge nothing.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="With --suggest: the policy file; printed when not given.")
    ] = None,
) -> None:
    """Judge a run by a policy. Exit codes: 0 pass, 1 fail, 2 could not run, 3 inconclusive (the data do not decide)."""
    if suggest:
        _suggest(run, out, [n for n, v in (("--baseline", baseline), ("--policy", policy), ("--looks", looks)) if v])
        return
    if out is not None:
        message = "--out is the file of --suggest; a verdict is written to RUN (see --markdown and --junit)"
        raise UsageError(message)
    from fairfer.gate.run import judge_run
    from fairfer.report.verdict_files import annotate_workflow, remove_verdict, write_verdict
    from fairfer.report.verdict_renderers import terminal

    remove_verdict(run)
    verdict = judge_run(run, baseline, policy, allow_inconclusive=allow_inconclusive, looks=looks)
    write_verdict(verdict, run, markdown_file=markdown, junit_file=junit)
    annotations = annotate_workflow(verdict)
    if as_json:  # a runner reads "##[" as the start of a command, in JSON too
        typer.echo(verdict.to_json().rstrip("\n").replace("##[", "#\\u0023["))
    else:
        typer.echo(terminal(verdict).rstrip("\n"))
        print_commands(annotations)
    raise typer.Exit(verdict.exit_code)


def _suggest(run: Path, out: Path | None, unused: list[str]) -> None:
    from fairfer.files import write_text
    from fairfer.gate.run import read_current_audit
    from fairfer.gate.suggest import suggest_policy

    if unused:
        message = f"--suggest judges nothing and does not use {', '.join(unused)}; leave one of them out"
        raise UsageError(message)
    text = suggest_policy(read_current_audit(run))
    if out is None:
        typer.echo(text.rstrip("\n"))
        return
    if out.exists():
        message = f"{out} exists; choose another file with --out, or remove it"
        raise UsageError(message)
    write_text(out, text)
    typer.echo(f"Policy: {out}")
