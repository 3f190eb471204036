"""The one result object: what was audited, what was counted, and every number a report shows.

`Audit` is all that reports and gates need: no model, no picture and no table library is imported to read one. ``audit.json``
is the second joint of fairfer; its schema is versioned and an audit of another version, or one that does not fit the schema, is
refused.

What is not estimable is ``null`` with a status that says why, never 0 and never NaN.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from fairfer.errors import RunError, UsageError, did_you_mean
from fairfer.files import write_text

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION: Literal[1] = 1
"""1: the first."""

RateStatus = Literal["ok", "small", "not_estimable", "empty"]
"""``small``: denominator under the minimum; ``not_estimable``: denominator 0; ``empty``: nobody in the group."""

GapStatus = Literal["ok", "too_few_groups"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StepInfo(_Strict):
    """One step of choosing the samples."""

    what: str
    left_out: int


class AttributeInfo(_Strict):
    """An attribute that was grouped by, and where it comes from."""

    name: str
    levels: list[str]
    source: Literal["self-reported", "annotated", "inferred", "unstated"]
    by: str
    note: str


class DataInfo(_Strict):
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


class ModelInfo(_Strict):
    """Who was audited."""

    name: str
    version: str
    options: dict[str, str]
    labels: list[str]
    label_space: str
    predictions_digest: str


class Settings(_Strict):
    """How it was audited; with the stored predictions, enough to do it again."""

    by: list[list[str]]
    unsayable: str
    minimum: int
    confidence: float
    draws: int
    seed: int


class LabelInfo(_Strict):
    """How the labels of the data met those of the model."""

    audited: list[str]
    unsayable: list[str]
    extra: list[str]
    left_out: int


class Count(_Strict):
    """How many samples of a group have one truth and one answer; ``(no_face)`` and the like are answers not given."""

    attribute: str
    group: str
    truth: str
    predicted: str
    n: int


class Rate(_Strict):
    """One rate of one group, with what it was computed from."""

    label: str
    attribute: str
    group: str
    rate: str
    value: float | None
    numerator: int | None
    denominator: int | None
    low: float | None
    high: float | None
    status: RateStatus


class Gap(_Strict):
    """The difference between the groups of one attribute in one rate.

    ``worst`` and ``best`` are the groups with the less and the more favourable rate; ``chance`` is the gap that chance alone
    gives (95 % of the time at most), ``p`` the chance of one as large as ``difference``, ``q`` the same corrected for all the
    gaps tested in this audit. ``left_out`` names the groups that could not be estimated.
    """

    label: str
    attribute: str
    rate: str
    worst: str | None
    best: str | None
    difference: float | None
    ratio: float | None
    chance: float | None
    p: float | None
    q: float | None
    groups: int
    left_out: list[str]
    status: GapStatus


class Audit(_Strict):
    """A finished audit.

    Attributes
    ----------
    schema_version
        `SCHEMA_VERSION`.
    date
        Day of the audit, ISO 8601.
    command
        What reproduces it.
    data, model, labels, settings
        What was audited, who, in which labels and how.
    versions
        Packages that had a part in the numbers.
    counts, rates, gaps
        The numbers; see `Count`, `Rate` and `Gap`.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    date: str
    command: str
    data: DataInfo
    model: ModelInfo
    labels: LabelInfo
    settings: Settings
    versions: dict[str, str]
    counts: list[Count]
    rates: list[Rate]
    gaps: list[Gap]

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
        return [",".join(by) for by in self.settings.by]

    def size(self, attribute: str = "*", group: str = "*") -> int:
        """How many samples a group has."""
        return sum(c.n for c in self.counts if c.attribute == attribute and c.group == group)

    def support(self, label: str, attribute: str = "*", group: str = "*") -> int:
        """How many samples of a group have this true label."""
        return sum(c.n for c in self.counts if (c.attribute, c.group, c.truth) == (attribute, group, label))

    def frame(self, name: str = "rates") -> pd.DataFrame:
        """One of the tables as a DataFrame: ``rates``, ``gaps`` or ``counts``.

        Raises
        ------
        UsageError
            When there is no table of that name.
        """
        import pandas as pd  # noqa: PLC0415 - reading an audit needs no pandas, only this does

        kinds: dict[str, type[BaseModel]] = {"rates": Rate, "gaps": Gap, "counts": Count}
        if name not in kinds:
            message = f"an audit has no table {name!r}; {did_you_mean(name, kinds)}"
            raise UsageError(message)
        frame = pd.DataFrame([r.model_dump() for r in getattr(self, name)], columns=list(kinds[name].model_fields))
        for column in ("numerator", "denominator"):
            if column in frame:
                frame[column] = frame[column].astype("Int64")
        if "left_out" in frame:
            frame["left_out"] = ["; ".join(groups) for groups in frame["left_out"]]
        return frame

    def to_json(self) -> str:
        """``audit.json``: a line per count, rate and gap, so that two audits can be compared line by line."""
        whole = self.model_dump(mode="json")
        parts = []
        for key, value in whole.items():
            if key in ("counts", "rates", "gaps"):
                rows = ",\n".join("    " + _compact(row) for row in value)
                parts.append(f'  "{key}": [\n{rows}\n  ]' if rows else f'  "{key}": []')
            else:
                parts.append(f'  "{key}": ' + json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\n  "))
        return "{\n" + ",\n".join(parts) + "\n}\n"

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
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            message = f"{where}: {field}: {first['msg'].lower()}; it was damaged or edited, make the audit again"
            raise RunError(message) from error

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


def _compact(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False)


def _interval(rate: Rate) -> str:
    if rate.value is None or rate.low is None or rate.high is None:
        return "not estimable"
    return f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f})"
