"""The provenance file of inferred attributes, as `fairfer.datasets.demographics` reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Section:
    """What the provenance file says about one inferred attribute.

    Attributes
    ----------
    column
        Name of the attribute in the table.
    by
        The model that inferred it.
    note
        What a reader has to know.
    levels
        In display order; none for an attribute in years.
    probabilities
        Column with the probability of each level.
    confusion
        Numbers of checked faces by true level and level as inferred.
    """

    column: str
    by: str
    note: str
    levels: tuple[str, ...] = ()
    probabilities: Mapping[str, str] = field(default_factory=dict)
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def to_toml(self) -> str:
        """The section as TOML."""
        lines = [f"[{_key(self.column)}]", 'source = "inferred"', f"by = {_text(self.by)}", f"note = {_text(self.note)}"]
        if self.levels:
            lines.append(f"levels = [{', '.join(map(_text, self.levels))}]")
        if self.probabilities:
            lines.append(f"probabilities = {_table({n: _text(c) for n, c in self.probabilities.items()})}")
        if self.confusion:
            lines += ["", f"[{_key(self.column)}.confusion]", "# checked faces: true level = { level as inferred = number }"]
            lines += [f"{_key(t)} = {_table({i: str(n) for i, n in row.items()})}" for t, row in self.confusion.items()]
        return "\n".join(lines) + "\n"


def to_toml(sections: Sequence[Section]) -> str:
    """All sections as TOML."""
    return "\n".join(section.to_toml() for section in sections)


def _text(value: str) -> str:
    """A TOML string, which is written like one of JSON except for one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _table(values: Mapping[str, str]) -> str:
    return "{ " + ", ".join(f"{_key(key)} = {value}" for key, value in values.items()) + " }"
