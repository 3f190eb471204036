"""Policies: limits that an audit must satisfy, read from ``fairfer.toml`` and fully validated.

::

    confidence = 0.95
    unsupported_labels = "inconclusive"  # faces whose label the model cannot output: "inconclusive" or "ignore"
    small_groups = "inconclusive"        # groups that are too small to pass
    unlabeled = "inconclusive"           # rows without a true label
    unannotated = "inconclusive"         # faces without a group

    [[rules]]
    name = "smiles"              # referred to by results and waivers
    rate = "TPR"                 # one of JUDGED_RATES
    label = "happiness"          # or a list; "*" or nothing: every label; omit for accuracy, subset accuracy and coverage
    attribute = "gender"         # or a list; "gender,race" is the intersection
    max_gap = 0.10               # one of max_gap, min_ratio, min_worst, max_regression
    require = ["female", "male"] # groups that must be large enough to judge
    minimum = 50                 # smallest denominator that is judged; the audit's minimum when omitted

    [[waivers]]
    rule = "smiles"
    attribute = "gender"         # only the checks with this attribute (or label); all checks of the rule when omitted
    reason = "new data is being collected, ticket 123"
    expires = 2027-03-01

    [looks]
    candidates = 20              # models that may be judged on the same faces; each gets 1/20 of the error

In ``pyproject.toml`` the same tables are under ``[tool.fairfer]``.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from fairfer.errors import UsageError, did_you_mean
from fairfer.files import read_text
from fairfer.labels import canonical
from fairfer.vocabulary import ALL, LOWER_IS_BETTER, Grouping, grouping_name, parse_grouping

_AUDIT = "audit"
"""Table of the same file that has the settings of ``fairfer audit``; it is not part of the policy."""

POLICY_FILES = ("fairfer.toml", "pyproject.toml")
LEAST_CONFIDENCE = 0.8
"""Lowest confidence of a policy: below it, verdicts are wrong too often."""

MOST_CANDIDATES = 1_000_000
"""A larger number of models is a mistake, and its share of the error too small for a bound."""

Treatment = Literal["inconclusive", "ignore"]
"""What faces that are not judged mean for the verdict."""

TREATMENTS = ("unsupported_labels", "small_groups", "unlabeled", "unannotated")
"""Keys of a policy that take a `Treatment`."""

Kind = Literal["max_gap", "min_ratio", "min_worst", "max_regression"]
KINDS: tuple[Kind, ...] = ("max_gap", "min_ratio", "min_worst", "max_regression")
JUDGED_OVERALL_RATES = ("accuracy", "subset accuracy", "coverage")
"""Rates over all labels that a rule may limit. Single-label audits have accuracy, multi-label audits subset accuracy."""

JUDGED_RATES = ("TPR", "FPR", "TNR", "FNR", "PPV", "selection rate", *JUDGED_OVERALL_RATES)
"""Rates that a rule may limit: proportions of independent trials, for which confidence bounds are known."""


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _canonical_grouping(value: object) -> object:
    return grouping_name(parse_grouping(value)) if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_as_list)]
GroupingName = Annotated[str, BeforeValidator(_canonical_grouping)]
GroupingNames = Annotated[list[GroupingName], BeforeValidator(_as_list)]


class _PolicyTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class Rule(_PolicyTable):
    """One limit on one rate, for some labels and groupings.

    Attributes
    ----------
    name
        Unique in the policy.
    rate
        One of `JUDGED_RATES`.
    label
        Labels; ``["*"]`` for every label, or for a rate over all labels.
    attribute
        Groupings as ``--by`` spells them, such as ``gender,race``.
    max_gap, min_ratio, min_worst, max_regression
        The limit; exactly one is set.
    require
        Names of groups that must be large enough to judge.
    minimum
        Smallest denominator that is judged; the audit's minimum when ``None``.
    """

    name: str = Field(min_length=1)
    rate: str
    label: Names = Field(default_factory=lambda: [ALL], min_length=1)
    attribute: GroupingNames = Field(min_length=1)
    max_gap: float | None = Field(default=None, ge=0, le=1)
    min_ratio: float | None = Field(default=None, ge=0, le=1)
    min_worst: float | None = Field(default=None, ge=0, le=1)
    max_regression: float | None = Field(default=None, ge=0, le=1)
    require: Names = Field(default_factory=list)
    minimum: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _validate_limit(self) -> Rule:
        number = sum(getattr(self, k) is not None for k in KINDS)
        if number != 1:
            message = f"needs exactly one of {', '.join(KINDS)}, not {number}"
            raise ValueError(message)
        vacuous = 0.0 if self.is_minimum else 1.0
        if self.limit == vacuous:
            message = f"{self.kind} = {vacuous:g} is satisfied by every model; set a limit that a model can violate"
            raise ValueError(message)
        if self.rate not in JUDGED_RATES:
            message = f"rate {self.rate!r} cannot be judged; {did_you_mean(self.rate, JUDGED_RATES)}"
            raise ValueError(message)
        if self.kind == "min_worst" and self.rate in LOWER_IS_BETTER:
            complement = "TNR" if self.rate == "FPR" else "TPR"
            message = f"min_worst of {self.rate} would require errors; limit {complement} instead"
            raise ValueError(message)
        if self.rate in JUDGED_OVERALL_RATES and self.label != [ALL]:
            message = f"{self.rate} is over all labels; omit label"
            raise ValueError(message)
        return self

    @property
    def kind(self) -> Kind:
        """Which limit is set."""
        return next(k for k in KINDS if getattr(self, k) is not None)

    @property
    def limit(self) -> float:
        """The limit."""
        return float(getattr(self, self.kind))

    @property
    def is_minimum(self) -> bool:
        """Whether values below the limit violate it, not values above."""
        return self.kind in ("min_ratio", "min_worst")

    @property
    def groupings(self) -> list[Grouping]:
        """The groupings that `attribute` names, without repetitions."""
        return list(dict.fromkeys(parse_grouping(a) for a in self.attribute))


class Waiver(_PolicyTable):
    """A rule, or some of its checks, that may fail until a date, for a reason."""

    rule: str
    label: str | None = None
    attribute: GroupingName | None = None
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    expires: dt.date

    def covers(self, rule: str, label: str, attribute: str) -> bool:
        """Whether this waiver applies to a check."""
        labels = (label,) if self.label is None else (self.label, canonical(self.label))
        return self.rule == rule and label in labels and self.attribute in (None, attribute)


class Looks(_PolicyTable):
    """How many models may be judged on the same faces.

    Attributes
    ----------
    candidates
        Number of models. Each may pass wrongly with this fraction of the error, so that all of them together do with at most
        ``1 - confidence``.
    """

    candidates: int = Field(ge=1, le=MOST_CANDIDATES)


class Policy(_PolicyTable):
    """Rules and waivers.

    Attributes
    ----------
    confidence
        Confidence level. The probability of a wrong pass of a check, and of any wrong failure in the whole policy, is at most
        ``1 - confidence``.
    unsupported_labels, small_groups, unlabeled, unannotated
        Whether the verdict is inconclusive, or ignores it, where faces are not judged: their label is not among the model's
        output classes, their group is too small, they have no true label, or no group. They take precedence over how the audit
        treated these faces.
    looks
        How many models may be judged on the same faces; ``None`` where each is judged with the full error.
    rules
        At least one rule, each with a unique name.
    waivers
        Exceptions.
    """

    confidence: float = Field(default=0.95, ge=LEAST_CONFIDENCE, lt=1)
    unsupported_labels: Treatment = "inconclusive"
    small_groups: Treatment = "inconclusive"
    unlabeled: Treatment = "inconclusive"
    unannotated: Treatment = "inconclusive"
    looks: Looks | None = None
    rules: list[Rule] = Field(min_length=1)
    waivers: list[Waiver] = Field(default_factory=list)

    @property
    def passing_error(self) -> float:
        """Probability of a wrong pass of one model."""
        return (1 - self.confidence) / (self.looks.candidates if self.looks else 1)

    @model_validator(mode="after")
    def _validate_names(self) -> Policy:
        names = [r.name for r in self.rules]
        duplicate = next((n for n in names if names.count(n) > 1), None)
        if duplicate is not None:
            message = f"two rules have the name {duplicate!r}; rename one"
            raise ValueError(message)
        for waiver in self.waivers:
            if waiver.rule not in names:
                message = f"a waiver names rule {waiver.rule!r}, which does not exist; {did_you_mean(waiver.rule, names)}"
                raise ValueError(message)
        return self

    def check_waivers(self, today: dt.date) -> None:
        """Refuse expired waivers.

        Raises
        ------
        UsageError
            When a waiver expired before `today`; the message names the rule.
        """
        for waiver in self.waivers:
            if waiver.expires < today:
                message = (
                    f"the waiver of rule {waiver.rule!r} expired on {waiver.expires.isoformat()} ({waiver.reason}); remove "
                    "it, or renew it with a new date and reason"
                )
                raise UsageError(message)


def policy_file(path: str | os.PathLike[str] | None = None, folder: str | os.PathLike[str] | None = None) -> Path:
    """The file that `read_policy` reads.

    Raises
    ------
    UsageError
        When there is none, or both default files have rules.
    """
    return _default_file(Path(folder or "")) if path is None else Path(path)


def read_policy(path: str | os.PathLike[str] | None = None, folder: str | os.PathLike[str] | None = None) -> Policy:
    """Read a policy.

    Parameters
    ----------
    path
        A TOML file. By default ``fairfer.toml`` in `folder`, else ``[tool.fairfer]`` in its ``pyproject.toml``.
    folder
        Where to look; the working directory by default.

    Returns
    -------
    Policy

    Raises
    ------
    UsageError
        When there is no policy, there are two, it has no rule, or a key or value is invalid; the message names the key.
    """
    file = policy_file(path, folder)
    try:
        content: object = tomllib.loads(read_text(file, "utf-8-sig"))
    except (OSError, UnicodeError) as error:
        message = f"{file} cannot be read ({getattr(error, 'strerror', None) or error}); name a policy file with --policy"
        raise UsageError(message) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message = f"{file} is not valid TOML ({error}); correct the file"
        raise UsageError(message) from error
    if file.name == "pyproject.toml":
        content = _tool_table(content)
    if not isinstance(content, dict) or not _has_rules(content):
        message = f"{file} has no rule; write at least one [[rules]] table"
        raise UsageError(message)
    content = {key: value for key, value in content.items() if key != _AUDIT}
    try:
        return Policy.model_validate(content)
    except ValidationError as error:
        message = f"{file}: {_first_problem(error, content)}"
        raise UsageError(message) from error


def _default_file(folder: Path) -> Path:
    own_file, project_file = (folder / name for name in POLICY_FILES)
    in_project = _tool_table(_content(project_file))
    if _has_rules(in_project) and _has_rules(_content(own_file)):
        message = f"{own_file} and [tool.fairfer] in {project_file} both have rules; keep one policy, or name one with --policy"
        raise UsageError(message)
    # A fairfer.toml may hold only [audit], with the rules in the project file.
    settings = _content(own_file)
    elsewhere = _has_rules(in_project) and isinstance(settings, dict) and settings.keys() == {_AUDIT}
    if own_file.is_file() and not elsewhere:
        return own_file
    if in_project is not None:
        return project_file
    message = "no fairfer.toml here and no [tool.fairfer] in pyproject.toml; name a policy file with --policy"
    raise UsageError(message)


def _content(file: Path) -> object:
    """Of a TOML file; ``None`` when it is missing or damaged, and so holds no policy."""
    try:
        return tomllib.loads(read_text(file, "utf-8-sig"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError, RecursionError):
        return None


def _has_rules(content: object) -> bool:
    return isinstance(content, dict) and bool(content.keys() - {_AUDIT})


def _tool_table(content: object) -> object:
    """``[tool.fairfer]`` of a project file; ``None`` where there is none."""
    tool = content.get("tool") if isinstance(content, dict) else None
    return tool.get("fairfer") if isinstance(tool, dict) else None


def _first_problem(error: ValidationError, content: Mapping[str, object]) -> str:
    """The first validation error, with the name of the rule and the key."""
    # A misspelled key is the reason why another is missing.
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    location = list(first["loc"])
    where, fields = "", Policy.model_fields
    if len(location) > 1 and location[0] in ("rules", "waivers") and isinstance(location[1], int):
        table, number = str(location[0]), location[1]
        where = f"{_table_name(table, number, content)}: "
        fields = Rule.model_fields if table == "rules" else Waiver.model_fields
        location = location[2:]
    elif len(location) > 1 and location[0] == "looks":
        where, fields, location = "looks: ", Looks.model_fields, location[1:]
    key = ".".join(map(str, location))
    if first["type"] == "extra_forbidden":
        return f"{where}unknown key {key!r}; {did_you_mean(key, fields)}"
    if first["type"] == "missing":
        return f"{where}{key!r} is missing; add it"
    if first["type"] == "list_type" and key in Policy.model_fields:
        return f"{key} must be a list of tables; write [[{key}]] above each of them"
    text = first["msg"].removeprefix("Value error, ")
    note = _value_note(key, first.get("input")) + _advice(first["type"])
    return f"{where}{key + ': ' if key else ''}{text[:1].lower()}{text[1:]}{note}"


def _table_name(table: str, number: int, content: Mapping[str, object]) -> str:
    """``rule 'smiles'``, or ``rule number 1`` where it has no name."""
    kind, name_key = ("rule", "name") if table == "rules" else ("waiver", "rule")
    entries = content[table]
    entry = entries[number] if isinstance(entries, list) else None
    name = entry.get(name_key) if isinstance(entry, dict) else None
    return f"{kind} {name!r}" if name else f"{kind} number {number + 1}"


def _advice(kind: str) -> str:
    """How to write a value of another type than is needed."""
    if kind.startswith("date"):
        return "; write a date as 2027-03-01, without quotes"
    return "; write a number, without quotes" if kind in ("float_type", "int_type") else ""


def _value_note(key: str, value: object) -> str:
    if isinstance(value, float) and math.isnan(value):
        return " (it is nan)"
    return f" (it is {value!r})" if key and isinstance(value, str | int | float) else ""
