"""``fairfer annotate``."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairfer.cli.command import app, grouped, values_of
from fairfer.cli.console import results_only
from fairfer.cli.options import LoadOptions, chosen_dataset, named_options, parse_bands
from fairfer.cli.running import slug
from fairfer.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from fairfer.annotation.checked import Agreement, Check
    from fairfer.annotation.infer import Annotation

OPTIONS = ("backend", "download")
"""Names that ``--option`` takes here."""


@dataclass(frozen=True)
class AnnotateOptions:
    """What is inferred, and where it goes."""

    attributes: Annotated[
        str,
        typer.Option(
            "--attributes", metavar="NAMES", help="What to infer: gender, race, age; ita (apparent skin tone of color images)."
        ),
    ] = "gender,race,age"
    bands: Annotated[
        list[str] | None,
        typer.Option(
            "--bands", metavar="age=20,40,60", help="Cut age into bands starting at these values; years when not given."
        ),
    ] = None
    validated: Annotated[
        str | None,
        typer.Option(
            "--validated",
            metavar="TABLE",
            help="Checked faces: image name, and the true value of each checked attribute. Gives the confusion matrix.",
        ),
    ] = None
    landmarks: Annotated[
        str | None,
        typer.Option(
            "--landmarks",
            metavar="TABLE",
            help="With ita: table of landmarks, to measure the cheeks; boxes for tightly cropped faces when not given.",
        ),
    ] = None
    detector: Annotated[
        str, typer.Option("--detector", help="skip (the images are face crops), or one of DeepFace's detectors.")
    ] = "skip"
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", metavar="NAME=VALUE", help="backend=onnx (torch, tensorflow), or download=yes for the weights."
        ),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.csv", help="The table; reports/DATASET/demographics.csv when not given."),
    ] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Discard answers of other networks or images, or another table of that name.")
    ] = False


@app.command()
@grouped
def annotate(data: LoadOptions, options: AnnotateOptions) -> None:
    """Infer gender, race, age (with DeepFace) or apparent skin tone of faces, as a table for --demographics."""
    from fairfer.annotation.infer import annotate as infer

    settings = named_options(options.option or ())
    for name in settings:
        if name not in OPTIONS:
            message = f"--option {name}: fairfer annotate has no such option; {did_you_mean(name, OPTIONS)}"
            raise UsageError(message)
    dataset = chosen_dataset(data)
    out = options.out or Path("reports") / slug(dataset.name) / "demographics.csv"

    def progress(parts: Iterable[int]) -> Iterable[int]:
        from tqdm import tqdm

        bar: Iterable[int] = tqdm(parts, desc="annotating", unit="part", disable=None)  # None: only on a terminal
        return bar

    def reused(number: int, samples: int) -> None:
        if number:
            typer.echo(f"{number:,} of {samples:,} answers reused from {out.with_suffix('.answers')}", err=True)

    with results_only(), _download_bars() as downloading:
        annotation = infer(
            dataset,
            out,
            attributes=[name.strip() for name in options.attributes.split(",") if name.strip()],
            bands=parse_bands(options.bands or ()),
            validated=options.validated,
            landmarks=options.landmarks,
            detector=options.detector,
            backend=settings.get("backend", ""),
            download=settings.get("download", "no"),
            overwrite=options.overwrite,
            progress=progress,
            on_reuse=reused,
            on_download=downloading,
        )
    _print(annotation, [data.dataset, *_repeated(data)], out)


@contextlib.contextmanager
def _download_bars() -> Iterator[Callable[[str, int, int | None], object]]:
    """A progress bar for each file that is downloaded."""
    from tqdm import tqdm

    bars: dict[str, tqdm[None]] = {}

    def show(name: str, stored: int, total: int | None) -> None:
        if name not in bars:
            bars[name] = tqdm(desc=name, total=total, initial=stored, unit="B", unit_scale=True, disable=None)
        bars[name].update(stored - bars[name].n)

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()


def _repeated(data: LoadOptions) -> list[str]:
    """The options of the dataset, as the command line takes them."""
    options = {f"--{name.replace('_', '-')}": value for name, value in values_of(data).items() if name != "dataset"}
    return [text for flag, value in options.items() for text in ([flag] if value is True else [flag, str(value)])]


def _print(annotation: Annotation, source: list[str], out: Path) -> None:
    for attribute, column in annotation.renamed.items():
        typer.echo(f"the dataset has a column {attribute!r} already, so the inferred one is called {column!r}", err=True)
    _print_statuses(annotation, out)
    for check in annotation.checks:
        _print_check(check)
    typer.echo("Inferred attributes are guesses from pixels, not what people say of themselves.")
    if annotation.checks:
        typer.echo(
            "The confusion matrix is valid if the checked faces of each true level are a random sample of all such faces, "
            "chosen without regard to the inferred value."
        )
    typer.echo(f"Table: {out}")
    typer.echo(f"Provenance: {out.with_suffix('.toml')}")
    angle = annotation.sections[-1].column if annotation.measured else None  # its classes are an attribute of their own
    columns = [s for s in annotation.sections if s.column != angle]
    further = [part for s in columns if not s.levels for part in ("--bands", f"{s.column}=20,40,60")]
    if angle:
        further += [part for s in columns for part in ("--by", s.column)]
    typer.echo(f"Audit: {shlex.join(['fairfer', 'audit', *source, '--demographics', str(out), *further])}")


def _print_statuses(annotation: Annotation, out: Path) -> None:
    """How many faces have an answer, and why the others have none."""
    if annotation.measured:
        total = sum(annotation.measured.values())
        typer.echo(f"apparent skin tone measured in {annotation.measured.get('ok', 0):,} of {total:,} images")
        for reason, number in sorted(annotation.measured.items()):
            if reason != "ok":
                typer.echo(f"{reason}: {number:,} (empty in the table)")
    if annotation.statuses:
        total = sum(annotation.statuses.values())
        typer.echo(f"{annotation.statuses.get('ok', 0):,} of {total:,} faces have inferred attributes")
    for status, number in sorted(annotation.statuses.items()):
        if status != "ok":
            typer.echo(f"{status}: {number:,} (their attributes are empty; the reasons are in {out.with_suffix('.answers')})")


def _print_check(check: Check) -> None:
    typer.echo(f"{check.attribute}: {_agreement(check.total)} of the checked faces are inferred correctly")
    for level in check.levels:
        typer.echo(f"  {level}: {_agreement(check.of_level(level))}")


def _agreement(value: Agreement) -> str:
    share = value.hits / value.faces
    return f"{value.hits:,}/{value.faces:,} = {share:.3f} (95 % CI {value.low:.3f} to {value.high:.3f})"
