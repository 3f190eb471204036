"""The plan of an audit: every setting, validated once before any model runs, stored in the audit and passed on whole."""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, field_validator, model_validator

from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.labels import Reconciliation, reconcile
from fairfer.metrics.action_unit_patterns import parse_condition
from fairfer.metrics.metric_settings import MetricSettings
from fairfer.metrics.threshold_results import ThresholdSource
from fairfer.schema import Strict
from fairfer.vocabulary import EVERYONE, Group, Grouping, Task, grouping_name

if TYPE_CHECKING:
    from fairfer.datasets.attributes import Attribute
    from fairfer.datasets.dataset import Dataset
    from fairfer.labels import LabelSpace

MAX_CROSSED_GROUPS = 400
"""A table of more groups than this is not readable."""

_LEAST_CONFIDENCE = 0.5
_LEAST_PERMUTATIONS = 100
_TWO = 2
_MOST_PERMUTATIONS = 1_000_000  # the results of each are held in memory


class AuditPlan(Strict):
    """How an audit is made. With the stored predictions and samples it reproduces the audit.

    Attributes
    ----------
    by
        Groupings: ``"gender"``, or ``"gender,race"`` for an intersection. Every attribute of the dataset, one by one, when
        empty.
    thresholds
        Decision threshold by label, for models whose scores are independent per label; 0.5 for labels without one.
    thresholds_from
        The validation samples on which they were chosen; ``None`` where they were not chosen (see
        `fairfer.audits.threshold_choice`).
    minimum_occurrences
        Multi-label data: a label that fewer of the audited samples have is not audited, and is named. `minimum` when not given:
        with fewer, its TPR could not be compared between any two groups, and its F1 would enter macro-F1 with the weight of
        all others. But when not given, and no label has as many samples, every label is audited, as with 0.
    unsupported_labels
        How to treat samples whose label is not among the model's output classes: ``drop``, ``keep`` or ``merge=FROM:TO``
        (see `fairfer.labels.reconcile`).
    minimum
        A rate with a smaller denominator is marked small and takes part in no comparison.
    minimum_subjects
        With a column of subjects, a rate with fewer of them in its denominator takes part in no comparison.
    confidence
        Of every interval and bound, from 0.5 up to but not including 1.
    permutations, seed
        Of the permutation tests; the seed also of resampling.
    standardize
        Columns to standardize over in addition to the true label; ``vote_entropy`` is how much raters agreed. Columns of many
        numbers are cut into fifths.
    subject
        Column that names the subject of a sample, where several samples show one. Intervals and tests are then by subject.
    pool
        Whether to pool the rates of intersections partially.
    interaction
        Whether to test if the two attributes of an intersection act together, beyond the sum of their effects.
    gee
        Whether to fit a logistic model with the columns of `standardize` as covariates and a correlation within subjects.
    answer_times
        Whether to report the seconds per image of each group.
    condition_on
        For labels that are to be compared at equal patterns of other action units than the default ones, the units:
        ``{"anger": ("AU4", "AU7")}``.
    """

    by: tuple[Grouping, ...] = ()
    thresholds: dict[str, float] = Field(default_factory=dict)
    thresholds_from: ThresholdSource | None = None
    minimum_occurrences: int | None = None
    unsupported_labels: str = "drop"
    minimum: int = 20
    minimum_subjects: int = 10
    confidence: float = 0.95
    permutations: int = 10_000
    seed: int = 0
    standardize: tuple[str, ...] = ()
    subject: str = ""
    pool: bool = False
    interaction: bool = False
    gee: bool = False
    answer_times: bool = False
    condition_on: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_line(cls, options: object, handler: ModelWrapValidatorHandler[AuditPlan]) -> AuditPlan:
        for name in options if isinstance(options, Mapping) else ():
            if name not in cls.model_fields:
                message = f"unknown audit option {name!r}; {did_you_mean(str(name), cls.model_fields)}"
                raise UsageError(message)
        try:
            return handler(options)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            message = f"audit option {name!r} is {first['input']!r}: {first['msg'].lower()}"
            raise UsageError(message) from error

    @field_validator("by", mode="before")
    @classmethod
    def _groupings(cls, value: object) -> object:
        return parse_groupings(value)

    @field_validator("standardize", mode="before")
    @classmethod
    def _columns(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("condition_on", mode="before")
    @classmethod
    def _condition_on(cls, value: object) -> object:
        return {label: parse_condition(label, units) for label, units in value.items()} if isinstance(value, dict) else value

    @field_validator("minimum")
    @classmethod
    def _minimum(cls, value: int) -> int:
        if value < 1:
            message = f"--minimum {value}: give at least 1"
            raise UsageError(message)
        return value

    @field_validator("minimum_subjects")
    @classmethod
    def _minimum_subjects(cls, value: int) -> int:
        if value < 1:
            message = f"--minimum-subjects {value}: give at least 1"
            raise UsageError(message)
        return value

    @field_validator("minimum_occurrences")
    @classmethod
    def _minimum_occurrences(cls, value: int | None) -> int | None:
        if value is not None and value < 0:
            message = f"--minimum-occurrences {value}: give at least 0"
            raise UsageError(message)
        return value

    @field_validator("confidence")
    @classmethod
    def _confidence(cls, value: float) -> float:
        if not _LEAST_CONFIDENCE <= value < 1:
            message = f"--confidence {value}: give a number from 0.5 up to, but not including, 1"
            raise UsageError(message)
        return value

    @field_validator("permutations")
    @classmethod
    def _permutations(cls, value: int) -> int:
        if value < _LEAST_PERMUTATIONS:
            message = f"--permutations {value}: give at least {_LEAST_PERMUTATIONS}"
            raise UsageError(message)
        if value > _MOST_PERMUTATIONS:
            message = f"--permutations {value}: give at most {_MOST_PERMUTATIONS:,}"
            raise UsageError(message)
        return value

    @field_validator("thresholds")
    @classmethod
    def _thresholds(cls, value: dict[str, float]) -> dict[str, float]:
        for label, threshold in value.items():
            if not math.isfinite(threshold):
                message = f"--threshold {label}={threshold}: give a finite number"
                raise UsageError(message)
        return value

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> AuditPlan:
        """A plan from options by name.

        Raises
        ------
        UsageError
            When an option is unknown or its value is invalid; the message names it.
        """
        return cls.model_validate(dict(options))

    @property
    def metrics(self) -> MetricSettings:
        """What the metrics need of it."""
        return MetricSettings(self.minimum, self.confidence, self.permutations, self.seed, self.minimum_subjects)


def parse_groupings(by: object) -> tuple[Grouping, ...]:
    """``["gender", "gender,race"]`` as tuples of attribute names, each once.

    Raises
    ------
    UsageError
        When a grouping is empty or names an attribute twice.
    """
    groupings: list[Grouping] = []
    for item in [by] if isinstance(by, str) else by if isinstance(by, Iterable) else [by]:
        parts = item.split(",") if isinstance(item, str) else item if isinstance(item, Sequence) else ()
        names = tuple(n.strip() if isinstance(n, str) else "" for n in parts)
        if not names or not all(names) or len(set(names)) != len(names):
            message = f"--by {item!r}: name each attribute once, separated by commas, as in gender,race"
            raise UsageError(message)
        groupings.append(names)
    return tuple(dict.fromkeys(groupings))


@dataclass(frozen=True)
class Design:
    """A plan applied to a dataset and a model: what will be counted.

    Attributes
    ----------
    plan
        With the groupings filled in.
    dataset
        With the columns that the plan derives.
    task
        ``multi-label`` when the data or the model are.
    attributes
        Those grouped by.
    groups
        Groups of each grouping, everyone first.
    labels
        How the labels of the data correspond to those of the model.
    rare
        Labels that are not audited because fewer samples have them than `AuditPlan.minimum_occurrences`, with their number.
    """

    plan: AuditPlan
    dataset: Dataset
    task: Task
    attributes: Mapping[str, Attribute]
    groups: Mapping[Grouping, tuple[Group, ...]]
    labels: Reconciliation
    rare: Mapping[str, int] = dataclass_field(default_factory=dict)

    @property
    def groupings(self) -> tuple[Grouping, ...]:
        """Those compared: all but everyone."""
        return self.plan.by


def check_plan(plan: AuditPlan, dataset: Dataset, model_labels: LabelSpace, model_task: Task = "single-label") -> Design:
    """Apply a plan to a dataset and a model, before the model is run on any image.

    Parameters
    ----------
    plan
        Settings.
    dataset
        What is to be audited.
    model_labels, model_task
        The model's output classes, and whether its scores are independent per label.

    Raises
    ------
    DataError, UsageError, LabelError
        When the audit could not be made: an attribute that does not exist, too many groups, no label in common.
    """
    from fairfer.audits.action_units import check_action_units
    from fairfer.audits.derived_columns import own_columns, with_derived_columns
    from fairfer.metrics.inferred_groups import membership

    prepared = with_derived_columns(dataset, plan)
    if plan.subject and plan.subject not in (columns := own_columns(prepared)):
        message = f"--subject {plan.subject}: {dataset.name} has no such column; {did_you_mean(plan.subject, columns)}"
        raise UsageError(message)
    _check_standardized(plan)
    _check_options(plan)
    groupings = plan.by or tuple((a.name,) for a in prepared.attributes if a.name not in (plan.subject, *plan.standardize))
    attributes = {n: prepared.attribute(n) for g in groupings for n in g}
    groups = {EVERYONE: (EVERYONE,), **{g: _cross(g, attributes) for g in groupings}}
    for attribute in attributes.values():
        if attribute.probabilities:
            membership(prepared.samples, attribute)
    task: Task = "multi-label" if "multi-label" in (dataset.task, model_task) else "single-label"
    labels = reconcile(dataset.labels, model_labels, plan.unsupported_labels)
    _check_thresholds(plan, model_labels, task)
    check_action_units(plan, dataset, labels, task)
    labels, rare = _frequent(labels, plan, dataset)
    return Design(plan.model_copy(update={"by": groupings}), prepared, task, attributes, groups, labels, rare)


def _check_thresholds(plan: AuditPlan, model_labels: LabelSpace, task: Task) -> None:
    for label in plan.thresholds:
        if label not in model_labels:
            message = f"--threshold {label}: not among the model's output classes; {did_you_mean(label, model_labels.labels)}"
            raise UsageError(message)
        if task == "single-label":
            message = (
                f"--threshold {label}: this audit is single-label, and the label with the highest score is the prediction; "
                "leave --threshold out"
            )
            raise UsageError(message)


def _frequent(labels: Reconciliation, plan: AuditPlan, dataset: Dataset) -> tuple[Reconciliation, dict[str, int]]:
    """Leave out the labels of multi-label data that too few samples have, and count them."""
    if dataset.task == "single-label":
        if plan.minimum_occurrences:
            message = (
                f"--minimum-occurrences {plan.minimum_occurrences}: {dataset.name} is single-label, where leaving out a label "
                "means leaving out its faces; remove the option (--minimum marks rates of few faces)"
            )
            raise UsageError(message)
        return labels, {}
    least = plan.minimum if plan.minimum_occurrences is None else plan.minimum_occurrences
    numbers = {str(n): int(k) for n, k in dataset.truth_for(labels).eq(1).sum().items()}
    rare = {n: k for n, k in numbers.items() if k < least}
    if len(rare) == len(numbers) and plan.minimum_occurrences is None:
        return labels, {}
    if len(rare) == len(numbers):
        names = ", ".join(f"{n}: {k:,}" for n, k in rare.items())
        message = f"{dataset.name}: no label has {least:,} samples ({names}); give a smaller --minimum-occurrences, or 0"
        raise DataError(message)
    audited = tuple(n for n in labels.labels if n not in rare)
    truth = {source: None if target in rare else target for source, target in labels.truth.items()}
    return replace(labels, labels=audited, truth=truth), rare


def _check_standardized(plan: AuditPlan) -> None:
    """Refuse a column that is both: groups that differ in it have no stratum in common."""
    for grouping in plan.by:
        for name in grouping:
            if name in plan.standardize:
                message = (
                    f"--standardize {name}: --by {grouping_name(grouping)} compares groups that differ in {name}; they cannot "
                    "have the same distribution of it, so leave one of the two out"
                )
                raise UsageError(message)


def _check_options(plan: AuditPlan) -> None:
    """Refuse analyses that could have no result, before any model runs."""
    crossed = [g for g in plan.by if len(g) > 1]
    if plan.pool and not crossed:
        message = "--pool: no grouping crosses attributes, so there is nothing to pool; add one, such as --by gender,race"
        raise UsageError(message)
    if plan.interaction and not any(len(g) == _TWO for g in crossed):
        message = "--interaction: no grouping crosses two attributes; add one, such as --by gender,race"
        raise UsageError(message)
    if plan.gee and not (plan.subject and plan.standardize):
        lacking = "--standardize COLUMN" if plan.subject else "--subject COLUMN"
        message = f"--gee: the model needs subjects and covariates; add {lacking}, or leave --gee out"
        raise UsageError(message)
    if plan.gee and importlib.util.find_spec("statsmodels") is None:
        message = "--gee needs statsmodels, which is not installed; run: pip install 'fairfer[regression]'"
        raise UsageError(message)


def _cross(grouping: Grouping, attributes: Mapping[str, Attribute]) -> tuple[Group, ...]:
    groups = tuple(itertools.product(*(attributes[n].levels for n in grouping)))
    if len(groups) > MAX_CROSSED_GROUPS:
        name = grouping_name(grouping)
        message = f"--by {name} makes {len(groups):,} groups, more than {MAX_CROSSED_GROUPS}; cross fewer attributes"
        raise UsageError(message)
    return groups
