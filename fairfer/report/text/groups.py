"""Words for groups, groupings and faces.

All text about groups is made here. An audit identifies a group by the data's own level names, such as ``("female", "black")``;
a sentence says *Black women*. A level is translated only when its meaning is clear from its attribute: ``white`` is a word for
people when the attribute is race, not when it is hair color. Other groups keep their names, in quotation marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.labels import fold
from fairfer.report.text.numbers import DASH, listed
from fairfer.vocabulary import EVERYONE, UNANNOTATED, Group, Grouping, grouping_name
from fairfer.vocabulary import group_name as written_group

if TYPE_CHECKING:
    from fairfer.audits.result import Audit

__all__ = [
    "EVERYONE",
    "UNANNOTATED",
    "Group",
    "Grouping",
    "People",
    "adjective",
    "capital",
    "csv_group",
    "csv_grouping",
    "csv_groups",
    "faces",
    "group_words",
    "grouping_words",
    "inferred_note",
    "is_common_attribute",
    "people",
    "quoted",
    "source_words",
    "with_inferred",
    "with_source",
]

_GENDER: Mapping[str, str] = {
    **dict.fromkeys(("female", "woman", "women", "f", "females"), "women"),
    **dict.fromkeys(("male", "man", "men", "m", "males"), "men"),
    **dict.fromkeys(("girl", "girls"), "girls"),
    **dict.fromkeys(("boy", "boys"), "boys"),
    **dict.fromkeys(("non binary", "nonbinary", "nb"), "non-binary people"),
}
_RACE: Mapping[str, str] = {
    "white": "white",
    "black": "Black",
    "asian": "Asian",
    "east asian": "East Asian",
    "southeast asian": "Southeast Asian",
    "south asian": "South Asian",
    "indian": "Indian",
    "middle eastern": "Middle Eastern",
    "african american": "African American",
    "caucasian": "Caucasian",
    "native american": "Native American",
    "indigenous": "Indigenous",
    "pacific islander": "Pacific Islander",
    **dict.fromkeys(("latino hispanic", "hispanic latino", "latino", "latinx", "hispanic"), "Latino"),
    **dict.fromkeys(("mixed", "multiracial", "mixed race"), "mixed-race"),
}
_AGE: Mapping[str, str] = {
    "young": "young",
    "adult": "adult",
    **dict.fromkeys(("middle aged", "middle age"), "middle-aged"),
    **dict.fromkeys(("old", "older", "elderly", "senior"), "older"),
}
_CHILDREN: Mapping[str, str] = {
    **dict.fromkeys(("child", "children", "kid", "kids"), "children"),
    **dict.fromkeys(("infant", "infants"), "infants"),
    **dict.fromkeys(("baby", "babies"), "babies"),
    **dict.fromkeys(("teenager", "teenagers", "teen", "teens"), "teenagers"),
}
_FACES: Mapping[str, tuple[str, str]] = {
    "neutral": ("neutral faces", "neutral"),
    "happiness": ("happy faces", "happy"),
    "surprise": ("surprised faces", "surprised"),
    "sadness": ("sad faces", "sad"),
    "anger": ("angry faces", "angry"),
    "disgust": ("disgusted faces", "disgusted"),
    "fear": ("fearful faces", "fearful"),
    "contempt": ("contemptuous faces", "contemptuous"),
}


@dataclass(frozen=True)
class People:
    """A group in words.

    Attributes
    ----------
    plural
        ``Black women``; ``people in group ‘left’ (hand)`` where there are no words for the levels.
    short
        The same for the second group of a sentence, without the names of the attributes.
    possessive
        ``Black women's``; ``None`` where *of* reads better (people aged 20 to 29).
    """

    plural: str
    short: str
    possessive: str | None


def people(grouping: Grouping, group: Group) -> People:
    """Words for the people in a group.

    >>> people(("gender",), ("female",)).possessive, people(("race", "gender"), ("black", "male")).plural
    ("women's", 'Black men')
    >>> people(("hand",), ("left",)).plural
    'people in group ‘left’ (hand)'
    """
    names, levels = grouping, group
    words = [_word(name, level) for name, level in zip(names, levels, strict=True)]
    nouns = [w for kind, w in words if kind == "noun"]
    if any(kind == "" for kind, _ in words) or len(nouns) > 1:
        text = f"people in group {quoted(', '.join(levels))}"
        return People(f"{text} ({', '.join(names)})", text, None)
    before = [w for kind, w in words if kind == "before"]
    after = [w for kind, w in words if kind == "after"]
    before.sort(key=lambda w: w in _RACE.values())  # age before race: "older Black women"
    head = " ".join([*before, *(nouns or ["people"])])
    plural = " ".join([head, *after])
    possessive = None if after else head + ("'" if head.endswith("s") else "'s")
    return People(plural, plural, possessive)


def _word(name: str, level: str) -> tuple[str, str]:
    """Kind of word (``noun``, ``before`` or ``after`` the noun, or empty without one) and the word for one level."""
    words, key = set(fold(name).split()), fold(level)
    if words & {"gender", "sex"} and key in _GENDER:
        return "noun", _GENDER[key]
    if words & {"race", "ethnicity"} and key in _RACE:
        return "before", _RACE[key]
    return _age(key) if "age" in words else ("", level)


def _age(key: str) -> tuple[str, str]:
    """As `_word`, for a level of an age."""
    if key in _AGE:
        return "before", _AGE[key]
    if key in _CHILDREN:
        return "noun", _CHILDREN[key]
    if years := re.fullmatch(rf"(\d{{1,3}}) ?(?:[ {DASH}]|to) ?(\d{{1,3}})", key):
        return "after", f"aged {years[1]}{DASH}{years[2]}"
    if minimum := re.fullmatch(r"(\d{1,3}) ?\+|(?:over|more than|>) ?(\d{1,3})", key):
        return "after", f"aged {minimum[1]} and over" if minimum[1] else f"aged over {minimum[2]}"
    return "", key


def quoted(name: str) -> str:
    """A name in quotation marks."""
    return f"\N{LEFT SINGLE QUOTATION MARK}{name}\N{RIGHT SINGLE QUOTATION MARK}"


def faces(label: str) -> str:
    """Faces with a label.

    >>> faces("happiness"), faces("bored")
    ('happy faces', 'faces labeled ‘bored’')
    """
    return _FACES[label][0] if label in _FACES else f"faces labeled {quoted(label)}"


def adjective(label: str) -> str:
    """A label after *misclassified as*.

    >>> adjective("happiness"), adjective("bored")
    ('happy', '‘bored’')
    """
    return _FACES[label][1] if label in _FACES else quoted(label)


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def grouping_words(grouping: Grouping, last: str = "and") -> str:
    """A grouping in words: ``gender and race``, ``everyone``."""
    return listed(grouping, last) or "everyone"


def group_words(group: Group) -> str:
    """A group by the data's level names: ``female, black``, ``everyone``."""
    return ", ".join(group) or "everyone"


def csv_grouping(grouping: Grouping) -> str:
    """A grouping as CSV files write it: ``gender,race``; ``*`` for everyone."""
    return grouping_name(grouping)


def csv_group(group: Group) -> str:
    """A group as CSV files write it: ``female,black``; ``*`` for everyone."""
    return written_group(group)


def csv_groups(texts: Iterable[str]) -> str:
    """A list of groups in one cell of a CSV file, separated by semicolons; a text with a semicolon is quoted."""
    return "; ".join('"{}"'.format(t.replace('"', '""')) if ";" in t else t for t in texts)


def is_common_attribute(name: str) -> bool:
    """Whether an attribute's name is an ordinary word (``gender``), so that it needs no quotation marks."""
    return fold(name) in ("gender", "sex", "race", "ethnicity", "age", "skin tone", "age group")


def _sources(audit: Audit, grouping: Grouping) -> dict[str, list[str]]:
    """The attributes of a grouping by their source: ``{"inferred": ["gender", "race"]}``."""
    source = {a.name: a.source for a in audit.data.attributes}
    names: dict[str, list[str]] = {}
    for name in grouping:
        names.setdefault(source.get(name, "unstated"), []).append(name)
    return names


def with_source(audit: Audit, grouping: Grouping) -> str:
    """A grouping with the source of its attributes: ``gender and race (inferred)``."""
    by_source = _sources(audit, grouping)
    if not by_source:
        return "everyone"
    if len(by_source) == 1:
        source, names = next(iter(by_source.items()))
        return f"{listed(names)} ({source_words(source)})"
    words = {n: source_words(s) for s, names in by_source.items() for n in names}
    return listed([f"{n} ({words[n]})" for n in grouping])


def source_words(source: str) -> str:
    """A source in words: ``inferred``; ``source not stated`` without provenance."""
    return "source not stated" if source == "unstated" else source


def with_inferred(grouping: Grouping, inferred: Sequence[str]) -> str:
    """A grouping in words, with inferred attributes marked.

    >>> with_inferred(("gender", "cohort"), ["gender"])
    'gender (inferred) and cohort'
    """
    return listed([f"{n} (inferred)" if n in inferred else n for n in grouping]) or "everyone"


def inferred_note(audit: Audit, grouping: Grouping) -> str:
    """`` (gender inferred)``, for the end of a sentence; empty when no attribute is inferred."""
    names = _sources(audit, grouping).get("inferred", [])
    return f" ({listed(names)} inferred)" if names else ""
