"""What a policy says of an audit: the one verdict that every face of the gate shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from fairfer.errors import RunError
from fairfer.files import write_text
from fairfer.policy import Kind  # noqa: TC001 - pydantic needs it at run time
from fairfer.records import LeftOut, More, Strict

Outcome = Literal["pass", "fail", "inconclusive"]
SCHEMA_VERSION: Literal[1] = 1
EXIT_CODES: dict[Outcome, int] = {"pass": 0, "fail": 1, "inconclusive": 3}
VERDICT = "verdict.json"


class Finding(Strict):
    """One limit checked on one rate, label and attribute.

    ``observed`` is what was seen, between ``low`` and ``high``, one-sided bounds of which each is wrong in at most
    ``1 - confidence``. ``worst`` and ``best`` are the groups at the ends. ``waived`` is the reason of a waiver that covers it.
    """

    rule: str
    kind: Kind
    limit: float
    rate: str
    label: str
    attribute: str
    outcome: Outcome
    why: str
    observed: float | None
    low: float | None
    high: float | None
    worst: str | None
    best: str | None
    groups: list[str]
    left_out: list[LeftOut]
    settle: list[More] | None
    waived: str | None = None


class Verdict(Strict):
    """The outcome of a policy, with everything it rests on."""

    schema_version: Literal[1] = SCHEMA_VERSION
    outcome: Outcome
    exit_code: int
    allow_inconclusive: bool
    findings: list[Finding] = Field(min_length=1)
    policy: dict[str, Any]
    data: str
    model: str
    model_version: str
    date: str
    audit_seal: str
    inferred: list[str]
    baseline: str | None
    paired: bool | None

    def to_json(self) -> str:
        """``verdict.json``."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Verdict:
        """Read ``verdict.json``.

        Raises
        ------
        RunError
            When it is missing or damaged.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeError) as error:
            message = f"{path} cannot be read ({error}); run fairfer gate again"
            raise RunError(message) from error
        except ValidationError as error:
            first = error.errors()[0]
            message = f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}; run fairfer gate again"
            raise RunError(message) from error

    def write(self, path: Path) -> None:
        """Write ``verdict.json`` in one step."""
        write_text(path, self.to_json())
