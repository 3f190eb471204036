"""Rules that an audit must keep: read from ``fairfer.toml``, every word of them checked.

::

    confidence = 0.95

    [[rules]]
    name = "smiles"              # how findings and waivers call it
    rate = "TPR"                 # any proportion that an audit has
    label = "happiness"          # or a list, or "*" for every label; left out for accuracy and coverage
    attribute = "gender"         # or a list; "gender,race" is the intersection
    max_gap = 0.10               # one of max_gap, min_ratio, min_worst, max_regression
    require = ["female", "male"] # groups that must be measurable
    minimum = 50                 # fewest faces behind a rate that is judged; the audit's own when left out

    [[waivers]]
    rule = "smiles"
    attribute = "gender"         # of the rule's checks, those with this attribute and label; all when left out
    reason = "new data is on its way, ticket 123"
    expires = 2027-03-01

In ``pyproject.toml`` the same stands under ``[tool.fairfer]``.
"""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from fairfer.errors import UsageError, did_you_mean
from fairfer.labels import canonical

POLICY_FILES = ("fairfer.toml", "pyproject.toml")
Kind = Literal["max_gap", "min_ratio", "min_worst", "max_regression"]
KINDS: tuple[Kind, ...] = ("max_gap", "min_ratio", "min_worst", "max_regression")
LOWER_IS_BETTER = frozenset({"FPR", "FNR"})
"""Rates of which less is better; of all other proportions more is, or neither."""

PROPORTIONS = ("TPR", "FPR", "TNR", "FNR", "PPV", "selection rate", "accuracy", "coverage")
OVER_LABELS = ("accuracy", "coverage")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_listed)]


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class Rule(_Checked):
    """One limit on one rate of some labels between the groups of some attributes."""

    name: str = Field(min_length=1)
    rate: str
    label: Names = Field(default_factory=lambda: ["*"], min_length=1)
    attribute: Names = Field(min_length=1)
    max_gap: float | None = Field(default=None, ge=0, le=1)
    min_ratio: float | None = Field(default=None, ge=0, le=1)
    min_worst: float | None = Field(default=None, ge=0, le=1)
    max_regression: float | None = Field(default=None, ge=0, le=1)
    require: Names = Field(default_factory=list)
    minimum: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_limit(self) -> Rule:
        given = [k for k in KINDS if getattr(self, k) is not None]
        if len(given) != 1:
            message = f"needs exactly one of {', '.join(KINDS)}, not {len(given)}"
            raise ValueError(message)
        if self.rate not in PROPORTIONS:
            message = f"rate {self.rate!r} cannot be judged; {did_you_mean(self.rate, PROPORTIONS)}"
            raise ValueError(message)
        if self.kind == "min_worst" and self.rate in LOWER_IS_BETTER:
            other = "TNR" if self.rate == "FPR" else "TPR"
            message = f"min_worst of {self.rate} would ask for errors; limit {other} instead"
            raise ValueError(message)
        if self.rate in OVER_LABELS and self.label != ["*"]:
            message = f"{self.rate} is over all labels; leave label out"
            raise ValueError(message)
        return self

    @property
    def kind(self) -> Kind:
        """Which limit it sets."""
        return next(k for k in KINDS if getattr(self, k) is not None)

    @property
    def limit(self) -> float:
        """The limit."""
        return float(getattr(self, self.kind))


class Waiver(_Checked):
    """A rule, or some checks of it, that may fail until a day, for a reason."""

    rule: str
    label: str | None = None
    attribute: str | None = None
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    expires: dt.date

    def covers(self, rule: str, label: str, attribute: str) -> bool:
        """Whether a check is waived by this."""
        labels = (label,) if self.label is None else (self.label, canonical(self.label))
        return self.rule == rule and label in labels and self.attribute in (None, attribute)


class Policy(_Checked):
    """All rules and waivers.

    Attributes
    ----------
    confidence
        Of every claim: a wrong pass, and any wrong failure in the whole policy, happens in at most ``1 - confidence``.
    rules, waivers
        At least one rule, each with a name of its own.
    """

    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    rules: list[Rule] = Field(min_length=1)
    waivers: list[Waiver] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names(self) -> Policy:
        names = [r.name for r in self.rules]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            message = f"two rules are called {twice!r}; give each a name of its own"
            raise ValueError(message)
        for waiver in self.waivers:
            if waiver.rule not in names:
                message = f"a waiver is for rule {waiver.rule!r}, which there is not; {did_you_mean(waiver.rule, names)}"
                raise ValueError(message)
        return self

    def check_waivers(self, today: dt.date) -> None:
        """Refuse waivers whose day has passed: someone must decide anew, and an old one must not linger.

        Raises
        ------
        UsageError
            Naming the rule.
        """
        for waiver in self.waivers:
            if waiver.expires < today:
                message = (
                    f"the waiver of rule {waiver.rule!r} expired on {waiver.expires.isoformat()} ({waiver.reason}); remove it, "
                    "or give it a new day and reason"
                )
                raise UsageError(message)


def read_policy(path: Path | None = None, folder: Path | None = None) -> Policy:
    """Read a policy.

    Parameters
    ----------
    path
        A TOML file; looked for when not given: ``fairfer.toml``, then ``[tool.fairfer]`` in ``pyproject.toml``.
    folder
        Where to look; the working directory when not given.

    Raises
    ------
    UsageError
        When there is none, it is empty, or anything in it is unknown or makes no sense; the message names the key.
    """
    if path is None:
        path = _found(folder or Path())
    try:
        text = path.read_text(encoding="utf-8")
        value: Any = tomllib.loads(text)
        if path.name == "pyproject.toml":
            tool = value.get("tool")
            value = tool.get("fairfer") if isinstance(tool, dict) else None
    except (OSError, UnicodeError) as error:
        message = f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); name a policy with --policy"
        raise UsageError(message) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message = f"{path} is no TOML: {error}"
        raise UsageError(message) from error
    if not isinstance(value, dict) or not value:
        message = f"{path} holds no rule, so nothing would be judged; write at least one [[rules]]"
        raise UsageError(message)
    try:
        return Policy.model_validate(value)
    except ValidationError as error:
        raise UsageError(f"{path}: {_said(error, value)}") from error  # noqa: EM102, TRY003 - made of what pydantic found


def _found(folder: Path) -> Path:
    for name in POLICY_FILES:
        path = folder / name
        if not path.is_file():
            continue
        if name == "fairfer.toml":
            return path
        try:
            tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool")
            if isinstance(tool, dict) and "fairfer" in tool:
                return path
        except (OSError, UnicodeError, tomllib.TOMLDecodeError, RecursionError):
            continue
    message = "there is no fairfer.toml here, nor [tool.fairfer] in pyproject.toml; name a policy with --policy"
    raise UsageError(message)


def _said(error: ValidationError, value: Any) -> str:  # noqa: ANN401 - whatever TOML holds
    """The first thing that is wrong, by the name of the rule and the key."""
    first = error.errors()[0]
    where, parts = "", list(first["loc"])
    if len(parts) > 1 and parts[0] in ("rules", "waivers") and isinstance(parts[1], int):
        entry = value[parts[0]][parts[1]]
        name = entry.get("name" if parts[0] == "rules" else "rule") if isinstance(entry, dict) else None
        where = f"{str(parts[0])[:-1]} {name!r}: " if name else f"{str(parts[0])[:-1]} number {parts[1] + 1}: "
        parts = parts[2:]
    key = ".".join(map(str, parts))
    if first["type"] == "extra_forbidden":
        known = {"rule": Rule.model_fields, "waiver": Waiver.model_fields}.get(where.partition(" ")[0], Policy.model_fields)
        return f"{where}unknown key {key!r}; {did_you_mean(key, known)}"
    if first["type"] == "missing":
        return f"{where}{key!r} is missing"
    text = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = f" (it is {given!r})" if key and isinstance(given, str | int | float) and not _nan(given) else ""
    shown = " (it is nan)" if _nan(given) else shown
    return f"{where}{key + ': ' if key else ''}{text[:1].lower()}{text[1:]}{shown}"


def _nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
