"""The one result object: what was audited, what was counted, and every number a report shows.

`Audit` is all that reports and gates need: no model, no picture and no table library is imported to read one. ``audit.json``
is the second joint of fairfer; its schema is versioned and an audit of another version, or one that does not fit the schema, is
refused.

What is not estimable is ``null`` with a status that says why, never 0 and never NaN.
"""

from __future__ import annotations

import hashlib
import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from fairfer.errors import RunError, UsageError, did_you_mean
from fairfer.files import write_text
from fairfer.metrics.results import AnnotationSensitivity, Composition, Count, Gap, Rate, StandardizedGap, Votes
from fairfer.schema import Strict

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import BaseModel

SCHEMA_VERSION: Literal[2] = 2
"""2: bounds, power and groups of gaps; composition, votes, adjusted gaps, annotation. 1: the first."""


class StepInfo(Strict):
    """One step of choosing the samples."""

    what: str
    excluded: int


class AttributeInfo(Strict):
    """An attribute that was grouped by, and where it comes from."""

    name: str
    levels: list[str]
    source: Literal["self-reported", "annotated", "inferred", "unstated"]
    by: str
    note: str


class DataInfo(Strict):
    """What was audited."""

    name: str
    samples: int
    labels: list[str]
    label_space: str
    card: dict[str, str]
    steps: list[StepInfo]
    attributes: list[AttributeInfo]
    digest: str
    images_digest: str
    people: int | None = None
    """How many people the samples show, where a column names them."""


class ModelInfo(Strict):
    """Who was audited."""

    name: str
    version: str
    options: dict[str, str]
    labels: list[str]
    label_space: str
    predictions_digest: str


class AuditPlan(Strict):
    """How it was audited; with the stored predictions, enough to do it again."""

    by: list[list[str]]
    unsupported_labels: str
    minimum: int
    confidence: float
    permutations: int
    seed: int
    standardize: list[str] = Field(default_factory=list)
    subject: str = ""


class LabelInfo(Strict):
    """How the labels of the data met those of the model."""

    audited: list[str]
    unsupported_labels: list[str]
    extra: list[str]
    excluded: int


TABLES: dict[str, type[BaseModel]] = {"rates": Rate, "gaps": Gap, "counts": Count, "standardized": StandardizedGap}
"""Tables of an audit that `Audit.frame` gives, by name."""


class Audit(Strict):
    """A finished audit.

    Attributes
    ----------
    schema_version
        `SCHEMA_VERSION`.
    date
        Day of the audit, ISO 8601.
    command
        What reproduces it.
    data, model, labels, plan
        What was audited, who, in which labels and how.
    versions
        Packages that had a part in the numbers.
    counts, rates, gaps
        The numbers; see `fairfer.metrics.results`.
    composition
        Who is in the data; ``None`` when no groups were compared.
    adjusted
        Gaps after the groups were given the same mix of what ``--standardize`` names.
    votes
        What raters' votes say; ``None`` where there is one label a face.
    annotation
        How far gaps depend on inferred attributes; ``None`` where none is inferred.
    seal
        Digest of everything else, so that an edited file is seen; made when the audit is written.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    date: str
    command: str
    data: DataInfo
    model: ModelInfo
    labels: LabelInfo
    plan: AuditPlan
    versions: dict[str, str]
    counts: list[Count]
    rates: list[Rate]
    gaps: list[Gap]
    composition: Composition | None = None
    standardized: list[StandardizedGap] = Field(default_factory=list)
    votes: Votes | None = None
    annotation: AnnotationSensitivity | None = None
    checksum: str = ""

    def rate(self, rate: str, *, label: str = "*", attribute: str = "*", group: str = "*") -> Rate:
        """One rate.

        Raises
        ------
        UsageError
            When the audit has no such rate.
        """
        for found in self.rates:
            if (found.rate, found.label, found.attribute, found.group) == (rate, label, attribute, group):
                return found
        message = f"this audit has no {rate} of {label!r} for {attribute}={group}; see Audit.frame('rates') for what it has"
        raise UsageError(message)

    def groups(self, attribute: str) -> list[str]:
        """The groups of an attribute or intersection, in display order."""
        return list(dict.fromkeys(r.group for r in self.rates if r.attribute == attribute))

    @property
    def groupings(self) -> list[str]:
        """Names of the attributes and intersections audited, such as ``gender,race``."""
        return [",".join(by) for by in self.plan.by]

    def size(self, attribute: str = "*", group: str = "*") -> int:
        """How many samples a group has."""
        return sum(c.n for c in self.counts if c.attribute == attribute and c.group == group)

    def support(self, label: str, attribute: str = "*", group: str = "*") -> int:
        """How many samples of a group have this true label."""
        return sum(c.n for c in self.counts if (c.attribute, c.group, c.truth) == (attribute, group, label))

    def frame(self, name: str = "rates") -> pd.DataFrame:
        """One of the tables as a DataFrame: ``rates``, ``gaps``, ``counts`` or ``standardized``.

        Raises
        ------
        UsageError
            When there is no table of that name.
        """
        import pandas as pd  # noqa: PLC0415 - reading an audit needs no pandas, only this does

        if name not in TABLES:
            message = f"an audit has no table {name!r}; {did_you_mean(name, TABLES)}"
            raise UsageError(message)
        frame = pd.DataFrame([r.model_dump() for r in getattr(self, name)], columns=list(TABLES[name].model_fields))
        for column in ("numerator", "denominator"):
            if column in frame:
                frame[column] = frame[column].astype("Int64")
        for column in ("groups", "excluded", "additional_samples"):
            if column in frame and name == "gaps":
                frame[column] = ["; ".join(map(str, getattr(g, column) or ())) for g in self.gaps]
        return frame

    def compute_checksum(self) -> str:
        """Digest of everything but the seal itself."""
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
            When it is no JSON, of another schema version, or does not fit the schema; the message names the field.
        """
        try:
            value = json.loads(text)
        except ValueError as error:
            message = f"{where} is no JSON ({error}); make the audit again"
            raise RunError(message) from error
        version = value.get("schema_version") if isinstance(value, dict) else None
        if version != SCHEMA_VERSION:
            message = f"{where} has schema version {version!r}, this fairfer reads {SCHEMA_VERSION}; make the audit again"
            raise RunError(message)
        try:
            found = cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            message = f"{where}: {field}: {first['msg'].lower()}; it was damaged or edited, make the audit again"
            raise RunError(message) from error
        if found.checksum != _checksum(value):
            message = f"{where} was edited: its numbers are not those that were written; make the audit again"
            raise RunError(message)
        return found.model_copy(update={"checksum": ""})

    @classmethod
    def read(cls, path: str | Path) -> Audit:
        """Read the audit of a run folder, or an ``audit.json``.

        Raises
        ------
        RunError
            When there is none or it cannot be read.
        """
        path = Path(path)
        file = path / "audit.json" if path.is_dir() else path
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            message = f"{file} cannot be read ({getattr(error, 'strerror', None) or error}); make the audit first"
            raise RunError(message) from error
        return cls.from_json(text, str(file))

    def write(self, path: Path) -> None:
        """Write ``audit.json`` in one step."""
        write_text(path, self.to_json())

    def _repr_html_(self) -> str:
        """What a notebook shows: what was audited and the headline rates."""
        rows = "".join(
            f"<tr><td>{html.escape(r.attribute)}</td><td>{html.escape(r.group)}</td>"
            f"<td style='text-align:right'>{self.size(r.attribute, r.group):,}</td>"
            f"<td style='text-align:right'>{_interval(r)}</td></tr>"
            for r in self.rates
            if r.rate == "accuracy"
        )
        return (
            f"<p><b>fairfer audit</b>: {html.escape(self.model.name)} on {html.escape(self.data.name)}, "
            f"{self.size():,} faces, {html.escape(self.date)}</p>"
            f"<table><tr><th>attribute</th><th>group</th><th>n</th><th>accuracy (interval)</th></tr>{rows}</table>"
        )


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


def _interval(rate: Rate) -> str:
    if rate.value is None or rate.low is None or rate.high is None:
        return "not estimable"
    return f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f})"
