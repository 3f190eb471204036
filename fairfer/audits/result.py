"""The result of an audit: what was audited, what was counted, and every number that a report shows.

`Audit` is all that reports and gates need: reading one imports no model, no image library and no table library. The schema of
``audit.json`` is versioned; an audit of another version, or one that does not fit the schema, is refused.

A value that is not estimable is ``null`` with a status that says why, never 0 and never NaN.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from fairfer import plugins
from fairfer.audits.consistency import check_consistent
from fairfer.audits.plan import AuditPlan
from fairfer.errors import RunError, UsageError, did_you_mean
from fairfer.files import check_finished, mark_finished, read_text, write_text
from fairfer.metrics.action_unit_results import ActionUnitInfo, ActionUnitShare, ConditionedGap, PatternGap
from fairfer.metrics.f1_results import F1Gap
from fairfer.metrics.index_results import ConfusionGap, FairnessIndex, ImpactRatio
from fairfer.metrics.option_results import AnswerTime, GeeDifference, Interaction, PooledRate
from fairfer.metrics.results import (
    AnnotationSensitivity,
    Confusion,
    DatasetBias,
    Gap,
    GroupCount,
    HumanAgreement,
    LabelCount,
    Rate,
    ReliabilityBin,
    ScoreHistogram,
    ScoreMetric,
    StandardizedGap,
    UnsupportedCount,
)
from fairfer.schema import Strict
from fairfer.vocabulary import ALL, EVERYONE, Group, Grouping, Task, group_name, grouping_name, parse_grouping

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import BaseModel

SCHEMA_VERSION: Literal[3] = 3

RENDERERS = "fairfer.renderers"
"""Entry-point group of functions that show an audit, such as ``html`` in a notebook."""


class StepInfo(Strict):
    """One step of choosing the samples."""

    what: str
    excluded: int
    unlabeled: bool = False


class AttributeInfo(Strict):
    """An attribute that was grouped by, and its provenance."""

    name: str
    levels: list[str]
    source: Literal["self-reported", "annotated", "inferred", "unstated"]
    by: str
    note: str
    missing_words: dict[str, int] = Field(default_factory=dict)
    """Words that were taken for a missing value, with their number of rows."""
    confusion: dict[str, dict[str, int]] = Field(default_factory=dict)
    """Counts of a validation sample by true level and level as inferred."""


class DataInfo(Strict):
    """The dataset."""

    name: str
    samples: int
    labels: list[str]
    label_space: str
    card: dict[str, str]
    steps: list[StepInfo]
    attributes: list[AttributeInfo]
    digest: str
    images_digest: str
    test_set_digest: str = ""
    """Identity of the samples and their true labels, which models that are tested on them share."""
    subjects: int | None = None
    """Number of subjects, where a column names them."""
    without_subject: int = 0
    """Samples without a name of their subject. Each counts as a subject of its own, which may be wrong."""


class ModelInfo(Strict):
    """The model."""

    name: str
    version: str
    options: dict[str, str]
    labels: list[str]
    label_space: str
    predictions_digest: str


class LabelInfo(Strict):
    """Labels of the dataset and of the model, and what was audited."""

    audited: list[str]
    unsupported_labels: list[str]
    extra: list[str]
    excluded: int
    rare: dict[str, int] = Field(default_factory=dict)
    """Labels that are not audited because fewer samples have them than ``--minimum-occurrences``, with their number."""


TABLES: dict[str, type[BaseModel]] = {
    "rates": Rate,
    "gaps": Gap,
    "counts": LabelCount,
    "sizes": GroupCount,
    "confusions": Confusion,
    "confusion_gaps": ConfusionGap,
    "indices": FairnessIndex,
    "f1_gaps": F1Gap,
    "impact_ratios": ImpactRatio,
    "pooled": PooledRate,
    "interactions": Interaction,
    "gee": GeeDifference,
    "answer_times": AnswerTime,
    "action_unit_shares": ActionUnitShare,
    "conditioned_gaps": ConditionedGap,
    "pattern_gaps": PatternGap,
    "scores": ScoreMetric,
    "reliability": ReliabilityBin,
    "standardized": StandardizedGap,
}
"""Tables of an audit that `Audit.frame` gives, by name."""

Name = str | Sequence[str]
"""A grouping or group: a tuple, or the text that tables write (``gender,race``; ``*`` for everyone)."""


class Audit(Strict):
    """A finished audit.

    Attributes
    ----------
    schema_version
        `SCHEMA_VERSION`.
    date
        Day of the audit, ISO 8601.
    command, config
        Command line, and ``[audit]`` table of a configuration file, that reproduce it.
    task
        ``single-label`` or ``multi-label``.
    data, model, labels, plan
        What was audited, in which labels and how.
    versions
        Packages that contributed to the numbers.
    counts, sizes
        TP, FN, FP, TN per label and group, and the size of each group.
    confusions
        Truth x predicted per group; empty for multi-label audits.
    confusion_gaps
        Differences between groups in each confusion; empty for multi-label audits.
    indices, impact_ratios
        Summary indices per label and grouping, and selection and scoring rates relative to the highest.
    unsupported
        Samples whose label is not among the model's output classes, where they were excluded or merged.
    score_scale
        ``probability``, or ``unbounded`` when only the order of the scores has a meaning; ``None`` without scores.
    histograms, scores, reliability
        Scores in bins, score-based metrics, and reliability curves; empty without scores.
    rates, gaps
        Rates per label and group, and the largest difference between groups in each.
    f1_gaps
        Differences between groups in macro-F1 and weighted macro-F1.
    dataset_bias
        Who is in the data; ``None`` when no groups were compared.
    standardized
        Gaps after direct standardization over the columns of ``--standardize``.
    pooled, interactions, gee
        Results of ``--pool``, ``--interaction`` and ``--gee``: partially pooled rates of intersections, tests of whether two
        attributes act together, and differences at equal covariates from a model.
    answer_times
        Result of ``--answer-times``: seconds per image and group.
    action_units, action_unit_shares, conditioned_gaps, pattern_gaps
        The table of action units, shares of faces that show each unit by group, label and prediction, and differences between
        groups in labels and predictions at equal patterns of units; ``None`` and empty without a table.
    human_agreement
        What raters' votes show; ``None`` without votes.
    annotation_sensitivity
        Sensitivity of gaps to annotation error; ``None`` when no attribute is inferred.
    checksum
        Digest of everything else, so that an edited file is recognized; made when the audit is written.
    """

    schema_version: Literal[3] = SCHEMA_VERSION
    date: str
    command: str
    config: str = ""
    task: Task
    data: DataInfo
    model: ModelInfo
    labels: LabelInfo
    plan: AuditPlan
    versions: dict[str, str]
    counts: list[LabelCount]
    sizes: list[GroupCount]
    confusions: list[Confusion] = Field(default_factory=list)
    confusion_gaps: list[ConfusionGap] = Field(default_factory=list)
    indices: list[FairnessIndex] = Field(default_factory=list)
    impact_ratios: list[ImpactRatio] = Field(default_factory=list)
    unsupported: list[UnsupportedCount] = Field(default_factory=list)
    score_scale: Literal["probability", "unbounded"] | None = None
    histograms: list[ScoreHistogram] = Field(default_factory=list)
    scores: list[ScoreMetric] = Field(default_factory=list)
    reliability: list[ReliabilityBin] = Field(default_factory=list)
    rates: list[Rate]
    gaps: list[Gap]
    f1_gaps: list[F1Gap] = Field(default_factory=list)
    dataset_bias: DatasetBias | None = None
    standardized: list[StandardizedGap] = Field(default_factory=list)
    pooled: list[PooledRate] = Field(default_factory=list)
    interactions: list[Interaction] = Field(default_factory=list)
    gee: list[GeeDifference] = Field(default_factory=list)
    answer_times: list[AnswerTime] = Field(default_factory=list)
    action_units: ActionUnitInfo | None = None
    action_unit_shares: list[ActionUnitShare] = Field(default_factory=list)
    conditioned_gaps: list[ConditionedGap] = Field(default_factory=list)
    pattern_gaps: list[PatternGap] = Field(default_factory=list)
    human_agreement: HumanAgreement | None = None
    annotation_sensitivity: AnnotationSensitivity | None = None
    checksum: str = ""

    def rate(self, rate: str, *, label: str = ALL, attribute: Name = EVERYONE, group: Name = EVERYONE) -> Rate:
        """One rate.

        Parameters
        ----------
        rate, label
            Names.
        attribute, group
            Grouping and group, as tuples or as tables write them: ``"gender,race"``, ``"female,white"``.

        Raises
        ------
        UsageError
            When the audit has no such rate, or text stands for several groups.
        """
        rows = [
            r
            for r in self.rates
            if (r.rate, r.label) == (rate, label) and _matches(attribute, r.attribute) and _matches(group, r.group)
        ]
        where = f"{grouping_name(_tuple(attribute))}={group_name(_tuple(group))}"
        if not rows:
            message = f"this audit has no {rate} of {label!r} for {where}; Audit.frame('rates') lists what it has"
            raise UsageError(message)
        if len(rows) > 1:
            message = f"{group!r} stands for several groups; give a tuple, one of {', '.join(str(r.group) for r in rows)}"
            raise UsageError(message)
        return rows[0]

    def groups(self, attribute: Name) -> list[Group]:
        """The groups of an attribute or intersection, in display order.

        Raises
        ------
        UsageError
            When the audit does not group by it.
        """
        grouping = _tuple(attribute)
        groups = [g.group for g in self.sizes if g.attribute == grouping]
        if not groups:
            name, names = grouping_name(grouping), [grouping_name(g) for g in self.groupings]
            message = f"this audit does not group by {name!r}; {did_you_mean(name, names)}"
            raise UsageError(message)
        return groups

    @property
    def groupings(self) -> list[Grouping]:
        """The attributes and intersections audited."""
        return list(self.plan.by)

    def size(self, attribute: Name = EVERYONE, group: Name = EVERYONE) -> int:
        """Number of samples in a group.

        Raises
        ------
        UsageError
            When the audit has no such group.
        """
        rows = [g.total for g in self.sizes if _matches(attribute, g.attribute) and _matches(group, g.group)]
        return self._only(rows, attribute, group)

    def support(self, label: str, attribute: Name = EVERYONE, group: Name = EVERYONE) -> int:
        """Number of samples of a group that have this true label.

        Raises
        ------
        UsageError
            When the audit has no such label or group.
        """
        if label not in self.labels.audited:
            message = f"this audit has no label {label!r}; {did_you_mean(label, self.labels.audited)}"
            raise UsageError(message)
        rows = [
            c.tp + c.fn
            for c in self.counts
            if c.label == label and _matches(attribute, c.attribute) and _matches(group, c.group)
        ]
        return self._only(rows, attribute, group)

    @staticmethod
    def _only(rows: list[int], attribute: Name, group: Name) -> int:
        if len(rows) == 1:
            return rows[0]
        where = f"{grouping_name(_tuple(attribute))}={group_name(_tuple(group))}"
        message = (
            f"{group!r} stands for several groups; give a tuple"
            if rows
            else f"this audit has no group {where}; Audit.groups lists those of an attribute"
        )
        raise UsageError(message)

    def frame(self, name: str = "rates") -> pd.DataFrame:
        """One of the tables as a DataFrame; groupings and groups are written as text.

        Parameters
        ----------
        name
            One of `TABLES`.

        Raises
        ------
        UsageError
            When there is no table of that name.
        """
        import pandas as pd

        if name not in TABLES:
            message = f"an audit has no table {name!r}; {did_you_mean(name, TABLES)}"
            raise UsageError(message)
        frame = pd.DataFrame([_flat(r) for r in getattr(self, name)], columns=list(TABLES[name].model_fields))
        for column in ("numerator", "denominator"):
            if column in frame:
                frame[column] = frame[column].astype("Int64")
        return frame

    def at_threshold(self, label: str, threshold: float) -> pd.DataFrame:
        """TPR and FPR of every group if scores of `label` from `threshold` on were positive, from the stored histograms.

        Parameters
        ----------
        label
            One with scores.
        threshold
            From 0 to 1. At multiples of 0.001 the rates are exact; elsewhere ``error`` bounds what binning can change.

        Returns
        -------
        DataFrame
            ``label, attribute, group, threshold, rate, value, low, high, error``.

        Raises
        ------
        UsageError
            When there are no scores of that label, or they are not probabilities.
        """
        from fairfer.metrics.scores import threshold_rates

        histograms = [h for h in self.histograms if h.label == label]
        if not histograms:
            known = dict.fromkeys(h.label for h in self.histograms)
            message = f"this audit has no scores of {label!r}; {did_you_mean(label, known)}"
            raise UsageError(message)
        if self.score_scale != "probability":
            message = f"scores of {label!r} are not probabilities; thresholds from 0 to 1 do not apply"
            raise UsageError(message)
        return threshold_rates(histograms, threshold, self.plan.confidence)

    def compute_checksum(self) -> str:
        """Digest of everything but the checksum itself."""
        return _checksum(self.model_dump(mode="json"))

    def to_json(self) -> str:
        """``audit.json``: a line per count, rate and gap, so that two audits can be compared line by line."""
        value = self.model_dump(mode="json")
        return _dumped({**value, "checksum": _checksum(value)}, "") + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "audit.json") -> Audit:
        """Read ``audit.json``.

        Raises
        ------
        RunError
            When it is not JSON, of another schema version, or does not fit the schema; the message names the field.
        """
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            message = f"{where} is not JSON ({error}); make the audit again"
            raise RunError(message) from error
        version = value.get("schema_version") if isinstance(value, dict) else None
        if version != SCHEMA_VERSION:
            message = (
                f"{where} has schema version {version!r}, this version of fairfer reads {SCHEMA_VERSION}; make the audit again"
            )
            raise RunError(message)
        try:
            found = cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            message = f"{where}: {field}: {first['msg'].lower()}; it was damaged or edited, make the audit again"
            raise RunError(message) from error
        if found.checksum != _checksum(value):
            message = f"{where} was edited after it was written; make the audit again"
            raise RunError(message)
        check_consistent(found, where)
        return found.model_copy(update={"checksum": ""})

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Audit:
        """Read the audit of a run folder, or an ``audit.json``.

        Raises
        ------
        RunError
            When there is none or it cannot be read.
        """
        path = Path(path)
        file = path / "audit.json" if path.is_dir() else path
        check_finished(file.parent)
        try:
            text = read_text(file)
        except (OSError, UnicodeError) as error:
            message = f"{file} cannot be read ({getattr(error, 'strerror', None) or error}); make the audit first"
            raise RunError(message) from error
        return cls.from_json(text, str(file))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write ``audit.json`` in one step."""
        write_text(Path(path), self.to_json())
        mark_finished(Path(path).parent)

    def _repr_html_(self) -> str | None:
        """Key findings and the first figure, for notebooks; ``None`` when no renderer is installed."""
        renderers = plugins.registered(RENDERERS)
        if "html" not in renderers:
            return None
        shown: str = plugins.load(renderers["html"], "renderer")(self)
        return shown


def _tuple(name: Name) -> tuple[str, ...]:
    return parse_grouping(name) if isinstance(name, str) else tuple(name)


def _matches(name: Name, value: tuple[str, ...]) -> bool:
    """Whether a name stands for a grouping or group. Text is compared as tables write it, since levels may contain commas."""
    if not isinstance(name, str):
        return tuple(name) == value
    return group_name(value) in (name, group_name(parse_grouping(name)))


def _flat(row: BaseModel) -> dict[str, object]:
    """A row with tuples and lists written as text."""
    flat: dict[str, object] = {}
    for name, value in row:
        if name in ("attribute", "group", "reference", "worst", "best") and value is not None:
            flat[name] = group_name(value)
        elif isinstance(value, list):
            flat[name] = "; ".join(group_name(v) if isinstance(v, tuple) else str(v) for v in value)
        else:
            flat[name] = value
    return flat


def _checksum(value: dict[str, Any]) -> str:
    """Digest of an audit as JSON, its seal left out."""
    rest = {k: v for k, v in value.items() if k != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _dumped(value: dict[str, Any], indent: str) -> str:
    """JSON in which every row of a table stands on a line of its own."""
    parts = []
    inner = indent + "  "
    for key, item in value.items():
        if isinstance(item, list) and item and isinstance(item[0], dict):
            rows = ",\n".join(f"{inner}  {json.dumps(row, ensure_ascii=False, allow_nan=False)}" for row in item)
            text = f"[\n{rows}\n{inner}]"
        elif isinstance(item, dict) and item:
            text = _dumped(item, inner)
        else:
            text = json.dumps(item, ensure_ascii=False, allow_nan=False)
        parts.append(f"{inner}{json.dumps(key, ensure_ascii=False)}: {text}")
    return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
