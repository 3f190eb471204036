"""Compute an `Audit` from a dataset and predictions."""

from __future__ import annotations

import datetime as dt
import functools
import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fairfer.audits.further_results import further_results
from fairfer.audits.join import JoinedSamples, join
from fairfer.audits.plan import AuditPlan, check_plan
from fairfer.audits.result import AttributeInfo, Audit, DataInfo, LabelInfo, ModelInfo, StepInfo
from fairfer.audits.stored_samples import SAMPLES, Invocation, read_samples, store_samples
from fairfer.errors import UsageError
from fairfer.metrics.confusions import compute_confusions
from fairfer.metrics.dataset_bias import dataset_bias
from fairfer.metrics.f1 import F1Units, with_f1_intervals
from fairfer.metrics.gaps import compute_gaps
from fairfer.metrics.human_agreement import duplicate_consistency, human_agreement
from fairfer.metrics.inferred_groups import annotation_sensitivity
from fairfer.metrics.rates import compute_rates, group_counts, label_counts
from fairfer.metrics.scores import compute_scores
from fairfer.metrics.standardization import standardized_gaps
from fairfer.metrics.subjects import SubjectEstimates
from fairfer.predictions.predictions import Predictions
from fairfer.vocabulary import EVERYONE, Grouping, Task

if TYPE_CHECKING:
    from fairfer.audits.plan import Design
    from fairfer.datasets.dataset import Dataset
    from fairfer.metrics.counts import Counts
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.results import AnnotationSensitivity, DuplicateConsistency, Gap, HumanAgreement, Rate

_PACKAGES = ("fairfer", "deepface", "duckdb", "fairlearn", "numpy", "onnxruntime", "pandas", "pillow", "scikit-learn", "scipy")


def audit_predictions(
    dataset: Dataset,
    predictions: Predictions,
    plan: AuditPlan | None = None,
    *,
    date: str | None = None,
    invocation: Invocation | None = None,
    run: str | os.PathLike[str] | None = None,
) -> Audit:
    """Compute error rates per label and group, and the differences between groups.

    Parameters
    ----------
    dataset
        Truth and groups.
    predictions
        A model's answers; must cover every sample of the dataset, for the same images.
    plan
        Settings; defaults when not given.
    date
        Day of the audit; today (or ``SOURCE_DATE_EPOCH``'s) when not given.
    invocation
        What reproduces this audit, for the report.
    run
        Folder in which to keep truth, groups and plan beside the predictions, so that `rebuild` can make the audit again
        without the dataset.

    Raises
    ------
    DataError
        When an attribute does not exist or has too many levels, or no sample is left.
    RunError
        When the predictions lack a sample or were made from another image.
    UsageError
        When a setting is invalid.
    """
    plan = plan or AuditPlan()
    _check_date(date)
    design = check_plan(plan, dataset, predictions.labels, predictions.task)
    samples = join(design, predictions)
    measured = _measure(samples)
    invocation = invocation or Invocation()
    date = date or today()
    if run is not None:
        store_samples(Path(run), design, date, invocation)
    counts = measured.counts
    scores = compute_scores(counts, plan.metrics, measured.by_subject)
    standardized = standardized_gaps(measured.gaps, samples.strata(), plan.metrics) if plan.standardize else []
    return Audit(
        date=date,
        command=invocation.command,
        config=invocation.config,
        task=design.task,
        data=_data_info(dataset, design, samples),
        model=ModelInfo(
            name=predictions.model,
            version=predictions.version,
            options=predictions.options,
            labels=list(predictions.labels.labels),
            label_space=predictions.labels.name,
            predictions_digest=predictions.digest,
        ),
        labels=_label_info(design, samples),
        plan=design.plan,
        versions=dict(_versions()),
        counts=label_counts(counts),
        sizes=group_counts(counts),
        score_scale=samples.scale if samples.scored else None,
        histograms=scores.histograms,
        scores=scores.metrics,
        reliability=scores.reliability,
        confusions=compute_confusions(counts, plan.metrics, measured.by_subject),
        unsupported=samples.unsupported,
        rates=measured.rates,
        gaps=measured.gaps,
        dataset_bias=dataset_bias(counts, measured.rates, design.task) if design.groupings else None,
        standardized=standardized,
        **further_results(
            samples, counts, measured.rates, measured.by_subject, standardized, predictions.times, measured.f1_units
        ),
        human_agreement=_human_agreement(samples),
        annotation_sensitivity=_annotation_sensitivity(samples, measured),
    )


@dataclass(frozen=True)
class Measured:
    """Counts, rates and gaps of one audit."""

    counts: dict[Grouping, Counts]
    by_subject: dict[Grouping, Counts] | None
    rates: list[Rate]
    gaps: list[Gap]
    f1_units: F1Units


def measure_counts(
    counts: dict[Grouping, Counts],
    task: Task,
    settings: MetricSettings,
    by_subject: dict[Grouping, Counts] | None = None,
    by_outcome: dict[Grouping, Counts] | None = None,
) -> Measured:
    """Rates and gaps from counts alone: the cost does not depend on the number of samples.

    Parameters
    ----------
    counts
        By grouping, everyone first, one entry per group.
    task
        Task of the audit.
    settings
        Minimum, confidence, permutations and seed.
    by_subject
        Counts by subject, where several samples show one; intervals and tests are then by subject.
    by_outcome
        Where they do not: counts by outcome (see `fairfer.audits.join.JoinedSamples.counts_by_outcome`). Without either, F1 has
        no intervals.
    """
    subjects = None if by_subject is None else SubjectEstimates.of(by_subject, task, settings.seed)
    rates = compute_rates(counts, task, settings.minimum, settings.confidence, subjects, settings.minimum_subjects)
    gaps = compute_gaps(rates, [g for g in counts if g != EVERYONE], settings, subjects)
    units = F1Units(by_subject or by_outcome or {}, subjects=by_subject is not None)
    return Measured(counts, by_subject, with_f1_intervals(rates, units, settings), gaps, units)


def _measure(samples: JoinedSamples) -> Measured:
    plan = samples.design.plan
    by_subject = samples.counts_by_subject() if plan.subject else None
    by_outcome = None if plan.subject else samples.counts_by_outcome()
    return measure_counts(samples.counts(), samples.design.task, plan.metrics, by_subject, by_outcome)


def _human_agreement(samples: JoinedSamples) -> HumanAgreement | None:
    votes, raters, dataset = samples.votes(), samples.raters(), samples.design.dataset
    if votes is None or raters is None or dataset.votes is None:
        return None
    duplicates, settings = samples.duplicates(), samples.design.plan.metrics
    consistency: tuple[list[DuplicateConsistency], bool | None] = ([], None)
    if duplicates is not None and dataset.task == "single-label":
        consistency = duplicate_consistency(
            dataset.samples["label"], dataset.votes, duplicates, dataset.labels.labels, settings.confidence
        )
    return human_agreement(votes, raters, consistency, settings)


def _annotation_sensitivity(samples: JoinedSamples, measured: Measured) -> AnnotationSensitivity | None:
    attributes = samples.inferred_attributes()
    return annotation_sensitivity(
        attributes,
        measured.rates,
        measured.gaps,
        samples.weighted(attributes),
        samples.design.plan.metrics,
        measured.by_subject,
    )


def rebuild(run: str | os.PathLike[str]) -> Audit:
    """Make the audit of a run again from its stored predictions, truth and groups; byte for byte the same.

    Parameters
    ----------
    run
        Folder that `fairfer audit` wrote. One that holds only an ``audit.json`` gives that.

    Raises
    ------
    RunError
        When the folder is not a run, or is unfinished or damaged.
    """
    folder = Path(run)
    if not (folder / SAMPLES).is_file() and (folder / "audit.json").is_file():
        return Audit.read(folder)
    predictions = Predictions.read(folder)
    stored = read_samples(folder)
    return audit_predictions(stored.dataset, predictions, stored.plan, date=stored.date, invocation=stored.invocation)


def _check_date(date: str | None) -> None:
    try:
        if date is None or dt.date.fromisoformat(date).isoformat() == date:
            return
    except (TypeError, ValueError):
        pass
    message = f"date is {date!r}; give an ISO date as text, such as '2026-01-31'"
    raise UsageError(message)


def today() -> str:
    """Today's date, or that of ``SOURCE_DATE_EPOCH`` (https://reproducible-builds.org/specs/source-date-epoch/).

    Raises
    ------
    UsageError
        When ``SOURCE_DATE_EPOCH`` is not a point in time.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        now = dt.datetime.fromtimestamp(int(epoch), dt.UTC) if epoch else dt.datetime.now(dt.UTC)
    except (ValueError, OverflowError, OSError) as error:
        message = f"SOURCE_DATE_EPOCH is {epoch!r}; give whole seconds since 1970, or unset it"
        raise UsageError(message) from error
    return now.date().isoformat()


def _data_info(dataset: Dataset, design: Design, samples: JoinedSamples) -> DataInfo:
    names = dict.fromkeys([*design.attributes, *design.plan.standardize])
    attributes = [design.dataset.attribute(n) for n in names]
    return DataInfo(
        name=dataset.name,
        samples=len(dataset),
        labels=list(dataset.labels.labels),
        label_space=dataset.labels.name,
        card=dict(dataset.card),
        steps=[StepInfo(what=s.what, excluded=s.excluded, unlabeled=s.unlabeled) for s in dataset.steps],
        attributes=[
            AttributeInfo(
                name=a.name,
                levels=list(a.levels),
                source=a.source,
                by=a.by,
                note=a.note,
                missing_words=dict(a.missing_words),
                confusion={true: dict(row) for true, row in a.confusion.items()},
            )
            for a in attributes
        ],
        digest=dataset.digest,
        images_digest=dataset.images_digest,
        test_set_digest=dataset.test_set_digest,
        subjects=len(np.unique(samples.subjects)) if design.plan.subject else None,
        without_subject=samples.without_subject if design.plan.subject else 0,
    )


def _label_info(design: Design, samples: JoinedSamples) -> LabelInfo:
    return LabelInfo(
        audited=list(design.labels.labels),
        unsupported_labels=list(design.labels.unsupported_labels),
        extra=list(design.labels.extra),
        excluded=samples.excluded,
        rare=dict(design.rare),
    )


@functools.cache
def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # an optional part of an unusual installation
            continue
    return versions
