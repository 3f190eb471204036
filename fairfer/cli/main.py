"""The ``fairfer`` command: parse, call public functions, print, exit.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 2 could not run (usage,
configuration, data), 130 interrupted.
Only this module prints. Whatever is slow to import is imported inside the command that needs it.
"""

from __future__ import annotations

import io
import re
import shlex
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairfer import __version__
from fairfer.errors import FairferError, UsageError

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset
    from fairfer.models.model import Model
    from fairfer.predictions.inference import Predictions

COULD_NOT_RUN = 2
INTERRUPTED = 130
BASELINE = "baseline"

app = typer.Typer(
    name="fairfer",
    help="Error rates of facial-emotion models per emotion and demographic group.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DatasetArgument = Annotated[
    str, typer.Argument(metavar="DATASET", help="A folder, a table of predictions, or 'sample' (the bundled one).")
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="baseline, deepface, onnx:FILE.toml or package.module:attribute."),
]
OptionOption = Annotated[
    list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="An option of the model, such as backend=onnx.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Folder of the run; reports/DATASET/MODEL when not given.")
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Discard what another model or other pictures left there.")]
LoaderOption = Annotated[str | None, typer.Option("--loader", help="Which layout the data set has; recognised when not given.")]
NameOption = Annotated[str | None, typer.Option("--name", help="What to call the data set.")]
DemographicsOption = Annotated[
    str | None,
    typer.Option("--demographics", metavar="TABLE", help="Attributes by picture name; provenance in a .toml beside it."),
]
BandsOption = Annotated[
    list[str] | None,
    typer.Option("--bands", metavar="COLUMN=20,40,60", help="Cut a numeric column into bands from these values on."),
]
SplitOption = Annotated[str | None, typer.Option("--split", help="train, valid, test or all (FER+: test when not given).")]
RuleOption = Annotated[
    str | None, typer.Option("--rule", help="FER+ votes to label: majority, crossentropy, multi_target or plurality.")
]
VotesFromOption = Annotated[str | None, typer.Option("--votes-from", help="FER+: label.csv or fer2013new.csv.")]
PixelsOption = Annotated[
    str | None, typer.Option("--pixels", metavar="FER2013.CSV", help="FER+: take the pictures from Kaggle's table.")
]
DedupeOption = Annotated[bool, typer.Option("--dedupe", help="Keep exact pixel twins once, and none that another split holds.")]
TruthOption = Annotated[str | None, typer.Option("--truth", metavar="COLUMN", help="Column of the true label.")]
PredictedOption = Annotated[str | None, typer.Option("--predicted", metavar="COLUMN", help="Column of the predicted label.")]
ScoresOption = Annotated[
    str | None, typer.Option("--scores", metavar="PREFIX", help="What the columns with one score per label start with.")
]
SampleIdOption = Annotated[str | None, typer.Option("--sample-id", metavar="COLUMN", help="Column that names the samples.")]
LabelsOption = Annotated[
    str | None, typer.Option("--labels", help="Label space: ferplus, fer2013, affectnet, or labels with commas.")
]
SaysOption = Annotated[str | None, typer.Option("--model-labels", help="Table: what the model can say, labels with commas.")]


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer passes the option's value so
    if asked:
        typer.echo(f"fairfer {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    del version  # its callback has answered


@app.command()
def audit(
    dataset: DatasetArgument = "sample",
    *,
    model: ModelOption = None,
    option: OptionOption = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="ATTRIBUTE[,…]", help="Group by it; commas intersect. Every attribute when not given."),
    ] = None,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
    split: SplitOption = None,
    demographics: DemographicsOption = None,
    bands: BandsOption = None,
    unsupported_labels: Annotated[
        str, typer.Option("--unsupported-labels", help="Faces whose label the model cannot say: drop, keep or merge=FROM:TO.")
    ] = "drop",
    minimum: Annotated[int, typer.Option("--minimum", help="Smallest denominator of a rate that is compared.")] = 20,
    confidence: Annotated[float, typer.Option("--confidence", help="Of every interval.")] = 0.95,
    permutations: Annotated[int, typer.Option("--permutations", help="Permutations behind each chance gap.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the permutations.")] = 0,
    standardize: Annotated[
        list[str] | None,
        typer.Option(
            "--standardize", metavar="COLUMN", help="Measure gaps again with the same mix of it (vote_entropy, age) everywhere."
        ),
    ] = None,
    subject: Annotated[
        str, typer.Option("--subject", metavar="COLUMN", help="Column that names the person, where several pictures show one.")
    ] = "",
    loader: LoaderOption = None,
    name: NameOption = None,
    rule: RuleOption = None,
    votes_from: VotesFromOption = None,
    pixels: PixelsOption = None,
    dedupe: DedupeOption = False,
    truth: TruthOption = None,
    predicted: PredictedOption = None,
    scores: ScoresOption = None,
    sample_id: SampleIdOption = None,
    labels: LabelsOption = None,
    model_labels: SaysOption = None,
) -> None:
    """Predict, measure and report: alone, the bundled sample with the bundled model."""
    import fairfer  # noqa: PLC0415 - its names are imported when first used
    from fairfer.metrics.subjects import likely_column  # noqa: PLC0415
    from fairfer.report.summary import summary  # noqa: PLC0415

    given = _load(
        dataset, loader=loader, name=name, demographics=demographics, bands=bands, split=split, rule=rule,
        votes_from=votes_from, pixels=pixels, dedupe=dedupe or None, truth=truth, predicted=predicted, scores=scores,
        sample_id=sample_id, labels=labels, model_labels=model_labels,
    )  # fmt: skip
    asked = _model(given, model, option)
    able = given.recorded.labels if asked is None and given.recorded else asked.labels if asked else given.labels
    plan: dict[str, Any] = {
        "unsupported_labels": unsupported_labels, "minimum": minimum, "confidence": confidence, "permutations": permutations, "standardize": standardize or (),
        "subject": subject,
    }  # fmt: skip
    fairfer.check_audit(given, able, by or (), **plan)
    if not subject and (people := likely_column(given.samples)):
        column, number = people
        typer.echo(
            f"column {column!r} names {number:,} people in {len(given):,} pictures; --subject {column} makes intervals and "
            "tests those of people, without it they take every picture for another person",
            err=True,
        )
    run = out or _place(given, asked)
    predictions = _predict(given, asked, run, overwrite=overwrite)
    found = fairfer.audit(given, predictions, by or (), **plan, seed=seed, command=_command(), run=run)
    report = fairfer.write_report(found, run)
    typer.echo(summary(found).rstrip("\n"))
    typer.echo(f"Report: {report}")


@app.command()
def predict(
    dataset: DatasetArgument = "sample",
    *,
    model: ModelOption = None,
    option: OptionOption = None,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
    split: SplitOption = None,
    loader: LoaderOption = None,
    name: NameOption = None,
    rule: RuleOption = None,
    votes_from: VotesFromOption = None,
    pixels: PixelsOption = None,
    dedupe: DedupeOption = False,
    truth: TruthOption = None,
    labels: LabelsOption = None,
) -> None:
    """Only ask a model about every picture; `fairfer audit` with the same --out then needs no model time."""
    given = _load(
        dataset, loader=loader, name=name, split=split, rule=rule, votes_from=votes_from, pixels=pixels,
        dedupe=dedupe or None, truth=truth, labels=labels,
    )  # fmt: skip
    asked = _model(given, model, option)
    run = out or _place(given, asked)
    frame = _predict(given, asked, run, overwrite=overwrite).frame
    counts = frame["status"].value_counts()
    typer.echo(f"{counts.get('ok', 0):,} of {len(frame):,} pictures answered")
    for status, count in counts.drop("ok", errors="ignore").items():
        first = frame[frame["status"] == status].iloc[0]
        typer.echo(f"{status}: {count:,} (the first: {first['detail']})")
    typer.echo(f"Predictions: {run}")


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that fairfer audit wrote, or one with an audit.json.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where to; into RUN when not given.")] = None,
) -> None:
    """Rebuild audit.json, tables, figures and report.html from what a run holds, byte for byte."""
    import fairfer  # noqa: PLC0415

    if not run.is_dir():
        message = f"{run} is no folder; give the one that fairfer audit wrote"
        raise UsageError(message)
    typer.echo(f"Report: {fairfer.write_report(fairfer.rebuild(run), out or run)}")


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="BASE CANDIDATE", help="Two run folders; more give a table of them all.")
    ],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to; CANDIDATE/comparison when not given.")
    ] = None,
) -> None:
    """Compare two runs face by face; more than two beside each other."""
    import fairfer  # noqa: PLC0415
    from fairfer.files import write_text  # noqa: PLC0415
    from fairfer.report.text.comparison import ranking, summary  # noqa: PLC0415
    from fairfer.report.write import write_comparison  # noqa: PLC0415

    for run in runs:
        if not run.is_dir():
            message = f"{run} is no folder; give those that fairfer audit wrote"
            raise UsageError(message)
    if len(runs) != 2:  # noqa: PLR2004 - two are paired
        text = ranking(fairfer.rank(runs))
        typer.echo(text.rstrip("\n"))
        if out is not None:
            write_text(out / "ranking.txt", text)
            typer.echo(f"Ranking: {out / 'ranking.txt'}")
        return
    found = fairfer.compare(*runs)
    typer.echo(summary(found).rstrip("\n"))
    typer.echo(f"Comparison: {write_comparison(found, out or runs[1] / 'comparison')}")


@app.command()
def gate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that fairfer audit wrote, or an audit.json.")],
    *,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", metavar="RUN", help="The run that max_regression compares with.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="fairfer.toml or [tool.fairfer] in pyproject.toml here.")
    ] = None,
    allow_inconclusive: Annotated[
        bool, typer.Option("--allow-inconclusive", help="Exit 0 where the data are too few to judge.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    markdown: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Also as Markdown.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Also as JUnit XML.")] = None,
) -> None:
    """Judge a run by a policy: exit 0 pass, 1 fail, 2 could not run, 3 too few data to say."""
    from fairfer.cli.judging import decide  # noqa: PLC0415

    found = decide(run, baseline, policy, allow_inconclusive=allow_inconclusive, markdown_to=markdown, junit_to=junit)
    typer.echo((found.verdict.to_json() if as_json else found.text).rstrip("\n"))
    raise typer.Exit(found.verdict.exit_code)


@app.command()
def models() -> None:
    """List the models that are installed, and how to name others."""
    from fairfer.models.model import describe_models  # noqa: PLC0415

    for name, about in describe_models().items():
        typer.echo(f"{name:<12}{about}")
    typer.echo("PACKAGE.MODULE:ATTRIBUTE  your own: an object with name, version, labels and predict(images)")


@app.command()
def datasets() -> None:
    """List the layouts that can be read, and the bundled sample."""
    from fairfer.datasets.loading import SAMPLE, loaders, sample_path  # noqa: PLC0415

    for name, loader in loaders().items():
        typer.echo(f"{name:<10}{loader.layout}")
        typer.echo(f"{'':<10}  options: {', '.join('--' + o.replace('_', '-') for o in loader.options)}")
    typer.echo(f"{SAMPLE:<10}the bundled, de-identified sample ({sample_path()})")


def main() -> None:
    """Entry point: an error that the user can mend is one line on stderr and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a sign that a terminal lacks is no reason to fail
    try:
        app()
    except FairferError as error:
        line = re.sub(r"\s*\n\s*", " ", str(error))
        typer.echo(f"fairfer: {line}", err=True)
        sys.exit(COULD_NOT_RUN)
    except KeyboardInterrupt:
        typer.echo("fairfer: interrupted; the same command takes up where it stopped", err=True)
        sys.exit(INTERRUPTED)
    except Exception:  # noqa: BLE001 - a bug, with its traceback; Python's own exit 1 would be taken for a policy that failed
        traceback.print_exc()
        sys.exit(COULD_NOT_RUN)


def _load(path: str, *, bands: list[str] | None = None, **options: Any) -> Dataset:  # noqa: ANN401 - a loader's options
    import fairfer  # noqa: PLC0415

    return fairfer.load_dataset(path, bands=dict(_band(b) for b in bands or ()), **options)


def _band(text: str) -> tuple[str, list[float]]:
    column, equals, edges = text.partition("=")
    try:
        values = [float(e) for e in edges.split(",")]
    except ValueError:
        values = []
    if not equals or not column or not values:
        message = f"--bands {text!r}: write COLUMN=20,40,60, the lowest value of each band but the first"
        raise UsageError(message)
    return column, values


def _model(dataset: Dataset, spec: str | None, options: list[str] | None) -> Model | None:
    import fairfer  # noqa: PLC0415

    if dataset.recorded is not None:
        if spec is not None:
            message = f"--model {spec}: {dataset.name} is a table of predictions, nothing is left to ask a model; leave it out"
            raise UsageError(message)
        return None
    chosen: dict[str, str] = {}
    for text in options or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            message = f"--option {text!r}: write NAME=VALUE"
            raise UsageError(message)
        chosen[key] = value
    if spec is None:
        typer.echo(f"no --model given, so the bundled {BASELINE} is audited", err=True)
    return fairfer.load_model(spec or BASELINE, **chosen)


def _predict(dataset: Dataset, model: Model | None, run: Path, *, overwrite: bool) -> Predictions:
    import fairfer  # noqa: PLC0415

    def progress(parts: Iterable[int]) -> Iterable[int]:
        from tqdm import tqdm  # noqa: PLC0415

        shown: Iterable[int] = tqdm(parts, desc="predicting", unit="part", disable=None)  # None: only on a terminal
        return shown

    return fairfer.predict(dataset, model, run, overwrite=overwrite, progress=progress)


def _place(dataset: Dataset, model: Model | None) -> Path:
    name = model.name if model is not None else "table"
    return Path("reports") / _slug(dataset.name) / _slug(name)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.casefold().replace("+", "plus")).strip("-") or "unnamed"


def _command() -> str:
    return shlex.join(["fairfer", *sys.argv[1:]])
