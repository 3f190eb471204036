"""How the report speaks of people and of their faces.

An audit knows groups by the data's own names (``female,black`` of ``gender,race``); a sentence speaks of Black women. Only
names whose meaning is certain from the attribute they belong to are put into words: ``white`` is a word for people when the
attribute is race, and not when it is hair. Every other group keeps its name, in quotation marks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.labels import fold
from fairfer.report.text.numbers import DASH, listed

if TYPE_CHECKING:
    from fairfer.audits.result import Audit

EVERYONE = "*"
"""How an audit names everyone together, as attribute and as group."""

UNANNOTATED = "unannotated"
"""The level of those for whom an attribute has no value; `fairfer.datasets.dataset` names it, a test holds the two together."""

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
    "happiness": ("smiles", "happy"),
    "surprise": ("surprised faces", "surprised"),
    "sadness": ("sad faces", "sad"),
    "anger": ("angry faces", "angry"),
    "disgust": ("disgusted faces", "disgusted"),
    "fear": ("frightened faces", "frightened"),
    "contempt": ("contemptuous faces", "contemptuous"),
}


@dataclass(frozen=True)
class People:
    """A group in words.

    Attributes
    ----------
    plural
        ``Black women``; ``people in group 'left' (hand)`` (in curly quotation marks) where the words are not known.
    again
        The same when it is named second in a sentence.
    possessive
        ``Black women's``; ``None`` where a sentence reads better with *of* (people aged 20 to 29).
    """

    plural: str
    again: str
    possessive: str | None


def people(attribute: str, group: str) -> People:
    """Words for a group of an attribute or intersection.

    >>> people("gender", "female").possessive, people("race,gender", "black,male").plural
    ("women's", 'Black men')
    >>> people("hand", "left").plural
    'people in group ‘left’ (hand)'
    """
    names, levels = attribute.split(","), group.split(",")
    if len(names) != len(levels):  # the level of a single attribute may hold a comma
        names, levels = [attribute], [group]
    found = [_word(name, level) for name, level in zip(names, levels, strict=True)]
    nouns = [w for kind, w in found if kind == "noun"]
    if any(kind == "" for kind, _ in found) or len(nouns) > 1:
        inner = ", ".join(levels)
        return People(f"people in group {quoted(inner)} ({', '.join(names)})", f"people in group {quoted(inner)}", None)
    before = [w for kind, w in found if kind == "before"]
    after = [w for kind, w in found if kind == "after"]
    # "older Black women", whatever the order of the attributes: age goes before race.
    before.sort(key=lambda w: w in _RACE.values())
    head = " ".join([*before, *(nouns or ["people"])])
    plural = " ".join([head, *after])
    possessive = None if after else head + ("'" if head.endswith("s") else "'s")
    return People(plural, plural, possessive)


def _word(name: str, level: str) -> tuple[str, str]:
    """Kind (``noun``, ``before`` or ``after`` the noun, or empty when unknown) and word of one level."""
    words, key = set(fold(name).split()), fold(level)
    if words & {"gender", "sex"} and key in _GENDER:
        return "noun", _GENDER[key]
    if words & {"race", "ethnicity"} and key in _RACE:
        return "before", _RACE[key]
    if words & {"race", "ethnicity"} and key in ("other", "others"):
        return "after", "of other races"
    return _age(key) if "age" in words else ("", level)


def _age(key: str) -> tuple[str, str]:
    """As `_word`, for a level of an age."""
    if key in _AGE:
        return "before", _AGE[key]
    if key in _CHILDREN:
        return "noun", _CHILDREN[key]
    if years := re.fullmatch(rf"(\d{{1,3}}) ?(?:[ {DASH}]|to) ?(\d{{1,3}})", key):
        return "after", f"aged {years[1]}{DASH}{years[2]}"
    if over := re.fullmatch(r"(\d{1,3}) ?\+|(?:over|more than|>) ?(\d{1,3})", key):
        return "after", f"aged {over[1]} and over" if over[1] else f"aged over {over[2]}"
    return "", key


def quoted(name: str) -> str:
    """A name that is no word of the sentence it stands in, in quotation marks."""
    return f"\N{LEFT SINGLE QUOTATION MARK}{name}\N{RIGHT SINGLE QUOTATION MARK}"


def faces(label: str) -> str:
    """Faces of a label, as a plural: ``smiles``.

    >>> faces("happiness"), faces("bored")
    ('smiles', 'faces labelled ‘bored’')
    """
    return _FACES[label][0] if label in _FACES else f"faces labelled {quoted(label)}"


def adjective(label: str) -> str:
    """What a face is read as: ``happy``.

    >>> adjective("happiness"), adjective("bored")
    ('happy', '‘bored’')
    """
    return _FACES[label][1] if label in _FACES else quoted(label)


def capital(text: str) -> str:
    """With a capital, as a sentence begins; other capitals stay."""
    return text[:1].upper() + text[1:]


def attribute_words(attribute: str, last: str = "and") -> str:
    """``gender and race`` for ``gender,race``."""
    return "everyone" if attribute == EVERYONE else listed(attribute.split(","), last)


def known_attribute(name: str) -> bool:
    """Whether an attribute's name is a word of a sentence: ``gender`` is, ``cohort_b`` is a name."""
    return fold(name) in ("gender", "sex", "race", "ethnicity", "age", "skin tone", "age group")


def group_words(group: str) -> str:
    """A group by the data's own name: ``female, black``."""
    return "everyone" if group == EVERYONE else re.sub(r",(?=\S)", ", ", group)


def sources(audit: Audit, attribute: str) -> dict[str, list[str]]:
    """The attributes of a grouping by their source, ``{"inferred": ["gender", "race"]}``."""
    known = {a.name: a.source for a in audit.data.attributes}
    found: dict[str, list[str]] = {}
    for name in _names(audit, attribute):
        found.setdefault(known.get(name, "unstated"), []).append(name)
    return found


def with_source(audit: Audit, attribute: str) -> str:
    """A grouping's heading, which always says where its attributes come from: ``gender and race (inferred)``."""
    if attribute == EVERYONE:
        return "everyone"
    by_source = sources(audit, attribute)
    if len(by_source) == 1:
        source, names = next(iter(by_source.items()))
        return f"{listed(names)} ({source_words(source)})"
    told = {n: source_words(s) for s, names in by_source.items() for n in names}
    return listed([f"{n} ({told[n]})" for n in _names(audit, attribute)])


def source_words(source: str) -> str:
    """``inferred``, and ``source not stated`` for what came without provenance."""
    return "source not stated" if source == "unstated" else source


def with_inferred(attribute: str, inferred: Sequence[str]) -> str:
    """A grouping's names, those that a model inferred marked so: ``gender (inferred) and race (inferred)``.

    >>> with_inferred("gender,cohort", ["gender"])
    'gender (inferred) and cohort'
    """
    return listed([f"{n} (inferred)" if n in inferred else n for n in attribute.split(",")])


def inferred_note(audit: Audit, attribute: str) -> str:
    """``(gender inferred)``, to end a sentence about inferred groups; nothing where people said or annotated it."""
    names: Sequence[str] = sources(audit, attribute).get("inferred", [])
    return f" ({listed(names)} inferred)" if names else ""


def _names(audit: Audit, attribute: str) -> list[str]:
    for by in audit.plan.by:
        if ",".join(by) == attribute:
            return by
    return [attribute]
