"""Groups of options that commands share, and the objects that are built from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairfer.cli import option_values as values
from fairfer.cli.console import results_only
from fairfer.errors import UsageError

if TYPE_CHECKING:
    from fairfer.audits.plan import AuditPlan
    from fairfer.datasets.dataset import Dataset
    from fairfer.models.model import Model

BASELINE = "baseline"


@dataclass(frozen=True)
class LoadOptions:
    """Options of loaders that predict and audit share."""

    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET", help="A folder, a table of predictions, hf-dataset:ORG/NAME@SPLIT, or 'sample' (bundled)."
        ),
    ] = "sample"
    loader: Annotated[
        str | None, typer.Option("--loader", help="Layout of the dataset, see 'fairfer datasets'; detected when not given.")
    ] = None
    name: Annotated[str | None, typer.Option("--name", help="Name of the dataset in reports and folders.")] = None
    split: Annotated[
        str | None, typer.Option("--split", help="train, valid, test or all (test when not given; AffectNet: valid).")
    ] = None
    rule: Annotated[
        str | None,
        typer.Option(
            "--rule",
            help="FER+: how labels follow from votes: majority, crossentropy, plurality or multi_target (multi-label).",
        ),
    ] = None
    votes_from: Annotated[str | None, typer.Option("--votes-from", help="FER+: label file, label.csv or fer2013new.csv.")] = (
        None
    )
    pixels: Annotated[
        str | None, typer.Option("--pixels", metavar="FER2013.CSV", help="FER+: read the images from Kaggle's table.")
    ] = None
    dedupe: Annotated[
        bool,
        typer.Option("--dedupe", help="Exclude exact duplicate images; FER+, FER2013: also those of images in another split."),
    ] = False
    images: Annotated[
        str | None,
        typer.Option("--images", help="RAF-DB: aligned or original. AffectNet, ExpW: face (cropped to its box) or picture."),
    ] = None
    min_confidence: Annotated[
        float | None,
        typer.Option("--min-confidence", help="ExpW: exclude faces of which the face detector was less confident."),
    ] = None
    neutral_frames: Annotated[
        bool, typer.Option("--neutral-frames", help="CK+: take the first frame of each labeled sequence as a neutral face.")
    ] = False
    angle: Annotated[
        str | None,
        typer.Option("--angle", help="KDEF: straight, 'half left', 'half right', 'full left', 'full right' or all."),
    ] = None
    truth: Annotated[
        str | None,
        typer.Option(
            "--truth", metavar="COLUMN", help="Column of true labels; 'truth_*' for one column per label (multi-label)."
        ),
    ] = None
    au_threshold: Annotated[
        float | None,
        typer.Option(
            "--au-threshold",
            metavar="INTENSITY",
            help="Lowest intensity (0 to 5) at which an action unit is present. DISFA: 2 when not given.",
        ),
    ] = None
    unknown_codes: Annotated[
        str | None,
        typer.Option(
            "--unknown-codes",
            metavar="CODES",
            help="One column per label: codes for unknown in addition to 9, separated by commas, such as -1,999.",
        ),
    ] = None
    image_folder: Annotated[
        str | None,
        typer.Option(
            "--image-folder",
            metavar="DIR",
            help="Table of true labels: folder of its images. DISFA, BP4D: folder of the frames.",
        ),
    ] = None
    first_frame: Annotated[
        int | None,
        typer.Option("--first-frame", help="DISFA: number of the first frame in the names of the images; 1 when not given."),
    ] = None
    image_column: Annotated[
        str | None,
        typer.Option("--image-column", metavar="COLUMN", help="Hugging Face: column of images, if there are several."),
    ] = None
    revision: Annotated[
        str | None, typer.Option("--revision", help="hf-dataset: commit, tag or branch; the latest when not given.")
    ] = None
    download: Annotated[
        bool, typer.Option("--download", help="hf-dataset: allow the network; only the local cache is read when not given.")
    ] = False
    votes: Annotated[
        str | None,
        typer.Option(
            "--votes",
            metavar="PATTERN",
            help="Columns of votes or of a soft label, such as 'votes_*'; CREMA-D: face, voice or multimodal.",
        ),
    ] = None
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            help="ferplus, fer2013, affectnet, deepface, labels in the order of their codes, or CODE=LABEL,…. DISFA, BP4D: "
            "action units to read, such as AU1,AU2. CK+: facs for action units.",
        ),
    ] = None


@dataclass(frozen=True)
class TableOptions:
    """Options of tables of predictions, and of attributes."""

    demographics: Annotated[
        str | None,
        typer.Option(
            "--demographics",
            metavar="TABLE",
            help="Table of attributes by image name, with a .toml file of the same name for their provenance; FairFace's "
            "tables need none. 'utkface': from file names such as 25_1_0_2017.jpg.",
        ),
    ] = None
    action_units: Annotated[
        str | None,
        typer.Option(
            "--action-units",
            metavar="FILE",
            help="Action units of the same faces by image name: labels, output of py-feat or OpenFace, or landmarks, from "
            "which they are estimated.",
        ),
    ] = None
    action_unit_threshold: Annotated[
        float | None,
        typer.Option(
            "--action-unit-threshold",
            help="Smallest intensity or probability of an action unit that counts as present, such as 2 for DISFA.",
        ),
    ] = None
    bands: Annotated[
        list[str] | None,
        typer.Option("--bands", metavar="COLUMN=20,40,60", help="Cut a numeric column into bands starting at these values."),
    ] = None
    not_missing: Annotated[
        list[str] | None,
        typer.Option(
            "--not-missing",
            metavar="COLUMN=VALUE",
            help="A value of an attribute that looks like a word for a missing value but is not missing, such as country=NA.",
        ),
    ] = None
    validation: Annotated[
        list[str] | None,
        typer.Option(
            "--validation",
            metavar="COLUMN=TABLE",
            help="Validation sample of an inferred attribute: a table with the columns true, inferred and, if needed, count.",
        ),
    ] = None
    predicted: Annotated[
        str | None,
        typer.Option("--predicted", metavar="COLUMN", help="Column of predicted labels; 'pred_*' for one column per label."),
    ] = None
    scores: Annotated[
        str | None,
        typer.Option(
            "--scores",
            metavar="PATTERN",
            help="Columns with one score per label: 'score_*', a common prefix, or a list of columns.",
        ),
    ] = None
    predictions: Annotated[
        str | None,
        typer.Option("--predictions", metavar="FILE", help="Predictions for the images, joined by image name; no model runs."),
    ] = None
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Tool that wrote the file: deepface, transformers, py-feat, openface, rekognition, facepp; detected when "
            "not given.",
        ),
    ] = None
    map: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="LABEL=LABEL", help="Rename a label of the predictions, such as CALM=neutral."),
    ] = None
    sample_id: Annotated[str | None, typer.Option("--sample-id", metavar="COLUMN", help="Column of sample names.")] = None
    model_labels: Annotated[
        str | None,
        typer.Option(
            "--model-labels", help="Table: output classes of the model, in the order of their codes, or CODE=LABEL,…."
        ),
    ] = None


@dataclass(frozen=True)
class ModelOptions:
    """The model."""

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="A name that 'fairfer models' lists, such as deepface or hf:ORG/NAME, or package.module:attribute.",
        ),
    ] = None
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="An option of the model, such as backend=onnx.")
    ] = None


@dataclass(frozen=True)
class RunOptions:
    """Output folder."""

    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder of the run; reports/DATASET/MODEL when not given.")
    ] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Discard predictions of another model or of other images in that folder.")
    ] = False
    answer_times: Annotated[
        bool,
        typer.Option("--answer-times", help="Ask for one image at a time, and report how long each group's answers take."),
    ] = False


@dataclass(frozen=True)
class PlanOptions:
    """The plan of an audit."""

    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="ATTRIBUTE[,…]",
            help="Attribute to group by; commas make an intersection. Every attribute when not given.",
        ),
    ] = None
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold", metavar="LABEL=VALUE", help="Decision threshold of a multi-label model; 0.5 when not given."
        ),
    ] = None
    choose_thresholds: Annotated[
        str | None,
        typer.Option(
            "--choose-thresholds",
            metavar="SPLIT|RUN",
            help="Multi-label: choose each label's threshold by its F1 on another split, or on the samples of another run.",
        ),
    ] = None
    minimum_occurrences: Annotated[
        int | None,
        typer.Option(
            "--minimum-occurrences",
            help="Multi-label data: labels that fewer faces have are not audited, but named; --minimum when not given.",
        ),
    ] = None
    unsupported_labels: Annotated[
        str,
        typer.Option(
            "--unsupported-labels",
            help="What to do with labels that are not among the model's output classes: drop, keep or merge=FROM:TO.",
        ),
    ] = "drop"
    minimum: Annotated[int, typer.Option("--minimum", help="Smallest denominator of a compared rate.")] = 20
    minimum_subjects: Annotated[
        int, typer.Option("--minimum-subjects", help="With --subject: fewest subjects behind a compared rate.")
    ] = 10
    confidence: Annotated[float, typer.Option("--confidence", help="Confidence level of intervals and bounds.")] = 0.95
    permutations: Annotated[int, typer.Option("--permutations", help="Number of permutations per test.")] = 10_000
    seed: Annotated[int, typer.Option("--seed", help="Random seed of permutations and resampling.")] = 0
    standardize: Annotated[
        list[str] | None,
        typer.Option(
            "--standardize",
            metavar="COLUMN",
            help="Standardize gaps for labels and this column (vote_entropy, age, …).",
        ),
    ] = None
    subject: Annotated[
        str,
        typer.Option(
            "--subject", metavar="COLUMN", help="Column that identifies the subject, if several images show the same person."
        ),
    ] = ""

    condition_on: Annotated[
        list[str] | None,
        typer.Option(
            "--condition-on",
            metavar="LABEL=AU,…",
            help="With --action-units: the units at whose patterns this label is compared, such as happiness=AU6,AU12.",
        ),
    ] = None
    pool: Annotated[
        bool, typer.Option("--pool", help="Also pool the rates of small intersections partially with all others.")
    ] = False
    interaction: Annotated[
        bool,
        typer.Option("--interaction", help="Test whether the two attributes of an intersection act together."),
    ] = False
    gee: Annotated[
        bool,
        typer.Option("--gee", help="Also fit a logistic model with the columns of --standardize, correlated within subjects."),
    ] = False

    def plan(self) -> AuditPlan:
        """The plan."""
        from fairfer.audits.plan import AuditPlan

        return AuditPlan.of(
            {
                "by": self.by or (),
                "thresholds": values.once("--threshold", map(values.threshold, self.threshold or ())),
                "minimum_occurrences": self.minimum_occurrences,
                "unsupported_labels": self.unsupported_labels,
                "minimum": self.minimum,
                "minimum_subjects": self.minimum_subjects,
                "confidence": self.confidence,
                "permutations": self.permutations,
                "seed": self.seed,
                "standardize": tuple(self.standardize or ()),
                "subject": self.subject,
                "condition_on": values.once("--condition-on", map(values.condition, self.condition_on or ())),
                "pool": self.pool,
                "interaction": self.interaction,
                "gee": self.gee,
            }
        )


def chosen_dataset(options: LoadOptions, tables: TableOptions | None = None) -> Dataset:
    """The dataset that the options name."""
    from fairfer.datasets.loading import load_dataset

    tables = tables or TableOptions()
    return load_dataset(
        options.dataset,
        loader=options.loader,
        name=options.name,
        demographics=tables.demographics,
        bands=values.once("--bands", map(values.band, tables.bands or ())),
        not_missing=values.not_missing(tables.not_missing or ()),
        validation=values.once("--validation", map(values.validation_table, tables.validation or ())),
        action_units=tables.action_units,
        action_unit_threshold=tables.action_unit_threshold,
        split=options.split,
        rule=options.rule,
        votes_from=options.votes_from,
        pixels=options.pixels,
        dedupe=options.dedupe or None,
        images=options.images,
        min_confidence=options.min_confidence,
        neutral_frames=options.neutral_frames or None,
        angle=options.angle,
        truth=options.truth,
        au_threshold=options.au_threshold,
        unknown_codes=options.unknown_codes,
        image_folder=options.image_folder,
        first_frame=options.first_frame,
        labels=options.labels,
        image_column=options.image_column,
        revision=options.revision,
        download=options.download or None,
        votes=options.votes,
        predicted=tables.predicted,
        scores=tables.scores,
        sample_id=tables.sample_id,
        model_labels=tables.model_labels,
        predictions=tables.predictions,
        format=tables.format,
        map=values.once("--map", map(values.renamed_label, tables.map or ())),
    )


def chosen_model(options: ModelOptions, dataset: Dataset) -> Model | None:
    """The model that the options name; ``None`` for a table of predictions."""
    from fairfer.models import registry

    if dataset.recorded is not None:
        if options.model is not None:
            message = f"--model {options.model}: {dataset.name} is a table of predictions and needs no model; leave --model out"
            raise UsageError(message)
        return None
    chosen = values.once("--option", map(values.model_option, options.option or ()))
    if options.model is None:
        typer.echo(f"no --model given: auditing the bundled {BASELINE}", err=True)
    with results_only():
        model = registry.load_model(options.model or BASELINE, **chosen)
    host = getattr(model, "sent_to", "")
    if isinstance(host, str) and host:
        typer.echo(f"the images are sent to {host}", err=True)
    return model


def named_options(texts: Iterable[str]) -> dict[str, str]:
    """The values of ``--option`` by name."""
    return values.once("--option", map(values.model_option, texts))


def parse_bands(texts: Iterable[str]) -> dict[str, list[float]]:
    """The values of ``--bands`` by column."""
    return values.once("--bands", map(values.band, texts))
