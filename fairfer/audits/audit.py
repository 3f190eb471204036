"""Dataset and predictions to an `Audit`."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import itertools
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fairfer.audits.join import Rows, prepare
from fairfer.audits.result import AttributeInfo, Audit, AuditPlan, DataInfo, LabelInfo, ModelInfo, StepInfo
from fairfer.audits.stored_samples import SAMPLES, Reopened, read_samples, store_samples
from fairfer.errors import UsageError, did_you_mean
from fairfer.labels import LabelSpace, Reconciliation, reconcile
from fairfer.metrics.counts import EVERYONE, Grouping, grouping_name, one_vs_rest
from fairfer.metrics.dataset_bias import compose
from fairfer.metrics.gaps import find_gaps
from fairfer.metrics.inferred_groups import membership
from fairfer.metrics.rates import group_rates, label_rates
from fairfer.metrics.results import Count, Gap, Rate
from fairfer.metrics.standardization import standardized_gaps
from fairfer.predictions.predictions import Predictions

if TYPE_CHECKING:
    from fairfer.datasets.attributes import Attribute
    from fairfer.datasets.dataset import Dataset
    from fairfer.metrics.subjects import People

MINIMUM = 20
"""Default smallest denominator of a rate that is compared between groups."""

PERMUTATIONS = 10_000
"""Default number of permutations behind a chance gap: with 100 gaps tested, a q can still fall below .01."""

MAX_GROUPS = 400
"""More groups than this in one intersection are not a table that anyone reads."""

_PACKAGES = ("fairfer", "deepface", "duckdb", "fairlearn", "numpy", "onnxruntime", "pandas", "pillow", "scikit-learn", "scipy")


def audit(
    dataset: Dataset,
    predictions: Predictions,
    by: Iterable[str | Sequence[str]] = (),
    *,
    unsupported_labels: str = "drop",
    minimum: int = MINIMUM,
    confidence: float = 0.95,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    standardize: Sequence[str] = (),
    subject: str = "",
    date: str | None = None,
    command: str = "",
    run: Path | None = None,
) -> Audit:
    """Measure error rates per label and group, and the gaps between groups.

    Parameters
    ----------
    dataset
        Truth and groups.
    predictions
        What a model said; must answer for every sample of the data set, about the very same pictures.
    by
        Groupings: ``"gender"``, or ``"gender,race"`` for an intersection. All attributes, one by one, when none is given.
    unsayable
        What becomes of faces whose label the model cannot say: ``drop``, ``keep`` or ``merge=FROM:TO`` (see
        `fairfer.labels.reconcile`).
    minimum
        A rate with a smaller denominator is marked small and compared with nothing.
    confidence
        Of every interval, between 0.5 and 1.
    draws, seed
        Permutations behind each chance gap, and their seed.
    adjust
        Columns whose mix, together with that of the labels, is made the same in all groups before gaps are measured once more;
        ``vote_entropy`` is how far raters agreed. Numbers are cut into fifths.
    subject
        Column that names the person a sample shows, where several show one. Intervals and tests are then those of people.
    date
        Day of the audit; today (or ``SOURCE_DATE_EPOCH``'s) when not given.
    command
        What reproduces this audit, for the report.
    run
        Folder of a run in which to keep truth, groups and plan beside the predictions, so that `fairfer.rebuild` can make
        the audit again without the data set.

    Returns
    -------
    Audit

    Raises
    ------
    DataError
        When an attribute does not exist or cannot group people, or no sample is left.
    RunError
        When the predictions lack a sample or are about another picture.
    UsageError
        When a setting has no meaning.
    """
    prepared = prepare(dataset, by, standardize)
    groupings, labels = check_audit(
        prepared,
        predictions.labels,
        by,
        unsupported_labels=unsupported_labels,
        minimum=minimum,
        confidence=confidence,
        permutations=permutations,
        standardize=standardize,
        subject=subject,
    )
    plan = AuditPlan(
        by=[list(g) for g in groupings],
        unsupported_labels=unsupported_labels,
        minimum=minimum,
        confidence=confidence,
        permutations=permutations,
        seed=seed,
        standardize=list(standardize),
        subject=subject,
    )
    attributes = {n: prepared.attribute(n) for g in groupings for n in g}
    rows = Rows.join(prepared, predictions, labels, groupings)
    groups = {EVERYONE: [EVERYONE]} | {grouping_name(g): _cross(g, attributes) for g in groupings}
    counts = rows.counts()
    people, number = rows.people(groups, subject, seed) if subject else (None, None)
    measured = measure_counts(counts, labels.labels, groups, plan, people)
    standardized = standardized_gaps(measured.gaps, rows.strata(groups, standardize, subject), plan) if standardize else []
    date = date or today()
    if run is not None:
        how = Reopened(plan.model_dump(mode="json"), date, command)
        columns = list(dict.fromkeys([*attributes, *standardize]))
        store_samples(run, prepared, columns, [subject] if subject else [], how)
    return Audit(
        date=date,
        command=command,
        data=_data_info(dataset, [prepared.attribute(n) for n in dict.fromkeys([*attributes, *standardize])], number),
        model=ModelInfo(
            name=predictions.model,
            version=predictions.version,
            options=predictions.options,
            labels=list(predictions.labels.labels),
            label_space=predictions.labels.name,
            predictions_digest=predictions.digest,
        ),
        labels=LabelInfo(
            audited=list(labels.labels),
            unsupported_labels=list(labels.unsupported_labels),
            extra=list(labels.extra),
            excluded=rows.excluded,
        ),
        plan=plan,
        versions=_versions(),
        counts=[Count.model_validate(_plain(r)) for r in counts.to_dict("records")],
        rates=measured.rates,
        gaps=measured.gaps,
        composition=compose(counts, measured.rates, labels.labels, groups) if groupings else None,
        standardized=standardized,
        votes=rows.votes(groups, plan),
        annotation=rows.annotation(measured.rates, measured.gaps, plan, people),
    )


@dataclass(frozen=True)
class Measured:
    """Rates and gaps made of counts."""

    rates: list[Rate]
    gaps: list[Gap]


def measure_counts(
    counts: pd.DataFrame,
    labels: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    plan: AuditPlan,
    people: People | None = None,
) -> Measured:
    """Rates and gaps from counts alone: as quick for a hundred million faces as for a thousand.

    Parameters
    ----------
    counts
        As `fairfer.metrics.counts.confusion` gives.
    labels
        Labels audited.
    groups
        The groups of each grouping, everyone first.
    plan
        Minimum, confidence, draws and seed.
    people
        Counts by person, where several samples show one; intervals and tests then are those of people.
    """
    how: dict[str, Any] = {"minimum": plan.minimum, "confidence": plan.confidence}
    cells = one_vs_rest(counts, labels, groups)
    rates = pd.concat([group_rates(counts, labels, groups, **how), label_rates(cells, **how)], ignore_index=True)
    if people is not None:
        rates = rates.assign(**people.known(rates, plan.confidence))
    rows = [Rate.model_validate(_plain(r)) for r in rates.to_dict("records")]
    return Measured(rows, find_gaps(rows, [a for a in groups if a != EVERYONE], plan, people))


def check_audit(
    dataset: Dataset,
    labels: LabelSpace,
    by: Iterable[str | Sequence[str]] = (),
    *,
    unsupported_labels: str = "drop",
    minimum: int = MINIMUM,
    confidence: float = 0.95,
    permutations: int = PERMUTATIONS,
    standardize: Sequence[str] = (),
    subject: str = "",
) -> tuple[list[Grouping], Reconciliation]:
    """Refuse an audit that could not be made, before a model is asked about a single picture.

    Parameters
    ----------
    dataset
        What is to be audited.
    labels
        What the model can say.
    by, unsayable, minimum, confidence, draws, adjust, subject
        As for `audit`.

    Returns
    -------
    groupings, labels
        What will be grouped by, and how the labels meet.

    Raises
    ------
    DataError, UsageError, LabelError
        As `audit` would.
    """
    _check_settings(minimum, confidence, permutations)
    dataset = prepare(dataset, by, standardize)
    if subject and subject not in dataset.samples.columns:
        hint = did_you_mean(subject, map(str, dataset.samples.columns))
        message = f"--subject {subject}: {dataset.name} has no such column; {hint}"
        raise UsageError(message)
    groupings = parse_groupings(by) or [(a.name,) for a in dataset.attributes if a.name not in (subject, *standardize)]
    attributes = {n: dataset.attribute(n) for g in groupings for n in g}
    for grouping in groupings:
        _cross(grouping, attributes)
    for attribute in attributes.values():
        if attribute.probabilities:
            membership(dataset.samples, attribute)
    return groupings, reconcile(dataset.labels, labels, unsupported_labels)


def rebuild(run: Path) -> Audit:
    """Make the audit of a run again from its stored predictions, truth and groups; byte for byte the same.

    Parameters
    ----------
    run
        Folder that `fairfer audit` wrote. One that holds only an ``audit.json`` gives that.

    Raises
    ------
    RunError
        When the folder is no run, is unfinished or damaged.
    """
    if not (run / SAMPLES).is_file() and (run / "audit.json").is_file():
        return Audit.read(run)
    predictions = Predictions.read(run)
    dataset, stored = read_samples(run)
    plan = AuditPlan.model_validate(stored.plan)
    return audit(
        dataset,
        predictions,
        plan.by,
        unsupported_labels=plan.unsupported_labels,
        minimum=plan.minimum,
        confidence=plan.confidence,
        permutations=plan.permutations,
        seed=plan.seed,
        standardize=plan.standardize,
        subject=plan.subject,
        date=stored.date,
        command=stored.command,
    )


def today() -> str:
    """Today's date, or that of ``SOURCE_DATE_EPOCH`` (https://reproducible-builds.org/specs/source-date-epoch/).

    Raises
    ------
    UsageError
        When ``SOURCE_DATE_EPOCH`` is no point in time.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        now = dt.datetime.fromtimestamp(int(epoch), dt.UTC) if epoch else dt.datetime.now(dt.UTC)
    except (ValueError, OverflowError, OSError) as error:
        message = f"SOURCE_DATE_EPOCH is {epoch!r}; give whole seconds since 1970, or unset it"
        raise UsageError(message) from error
    return now.date().isoformat()


def parse_groupings(by: Iterable[str | Sequence[str]]) -> list[Grouping]:
    """``["gender", "gender,race"]`` as tuples of attribute names, each once.

    Raises
    ------
    UsageError
        When a grouping is empty or names an attribute twice.
    """
    found: list[Grouping] = []
    for item in [by] if isinstance(by, str) else by:
        names = tuple(n.strip() for n in (item.split(",") if isinstance(item, str) else item))
        if not names or not all(names) or len(set(names)) != len(names):
            message = f"--by {item!r}: name each attribute once, with commas between, as in gender,race"
            raise UsageError(message)
        found.append(names)
    return list(dict.fromkeys(found))


def _check_settings(minimum: int, confidence: float, permutations: int) -> None:
    if minimum < 1:
        message = f"--minimum {minimum}: the smallest denominator must be at least 1"
        raise UsageError(message)
    if not 0.5 <= confidence < 1:  # noqa: PLR2004 - below one half it is no confidence
        message = f"--confidence {confidence}: give a number from 0.5 up to, but not including, 1"
        raise UsageError(message)
    if permutations < 100:  # noqa: PLR2004 - p-values could not fall under 0.01
        message = f"--permutations {permutations}: at least 100 permutations are needed"
        raise UsageError(message)


def _cross(grouping: Grouping, attributes: dict[str, Attribute]) -> list[str]:
    groups = [",".join(levels) for levels in itertools.product(*(attributes[n].levels for n in grouping))]
    if len(groups) > MAX_GROUPS:
        message = f"--by {grouping_name(grouping)} makes {len(groups):,} groups, more than {MAX_GROUPS}; cross fewer attributes"
        raise UsageError(message)
    return groups


def _data_info(dataset: Dataset, attributes: Iterable[Attribute], people: int | None) -> DataInfo:
    return DataInfo(
        name=dataset.name,
        samples=len(dataset),
        labels=list(dataset.labels.labels),
        label_space=dataset.labels.name,
        card=dict(dataset.card),
        steps=[StepInfo(what=s.what, excluded=s.excluded) for s in dataset.steps],
        attributes=[
            AttributeInfo(name=a.name, levels=list(a.levels), source=a.source, by=a.by, note=a.note) for a in attributes
        ],
        digest=dataset.digest,
        images_digest=dataset.images_digest,
        people=people,
    )


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A table row as JSON knows it: NaN is null, counts are whole."""
    plain: dict[str, Any] = {}
    for name, value in row.items():
        missing = value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
        whole = name in ("numerator", "denominator", "n")
        plain[name] = None if missing else int(str(value).partition(".")[0]) if whole else value
    return plain


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # an optional part of an unusual installation
            continue
    return found
