"""How reports write numbers, groups and faces."""

from __future__ import annotations

import pytest

from fairfer.datasets.dataset import SOURCES, UNANNOTATED
from fairfer.report.text import groups as people
from fairfer.report.text import numbers as numerals

EN = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, ".00"),
        (1.0, "1.00"),
        (0.004, "<.01"),
        (0.9951, ">.99"),
        (0.5, ".50"),
        (1e-12, "<.01"),
        (0.994, ".99"),
        (None, EN),
    ],
)
def test_a_rate_never_rounds_to_a_certainty(value, text):
    assert numerals.rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "q <.001"),
        (0.00049, "q <.001"),
        (0.0005, "q .001"),
        (0.0094, "q .009"),
        (0.03, "q .03"),
        (0.0451, "q .045"),
        (0.0499, "q .050"),
        (0.0546, "q .055"),
        (0.06, "q .06"),
        (0.999, "q >.99"),
        (1.0, "q 1"),
        (None, f"q {EN}"),
    ],
)
def test_a_q_keeps_its_side_of_the_line(value, text):
    assert numerals.probability("q", value) == text


def test_rates_that_differ_look_different():
    assert numerals.rates_apart([0.5, 0.5]) == [".50", ".50"]
    assert numerals.rates_apart([0.8441, 0.8449]) == [".844", ".845"]
    assert numerals.rates_apart([0.5, 0.500001]) == [".5000", ".5000"], "four decimals are enough for anyone"


def test_items_in_a_row():
    assert [numerals.listed(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("attribute", "group", "plural", "possessive"),
    [
        ("gender", "female", "women", "women's"),
        ("Gender", "Male", "men", "men's"),
        ("perceived_sex", "M", "men", "men's"),
        ("gender", "boys", "boys", "boys'"),
        ("gender", "non-binary", "non-binary people", "non-binary people's"),
        ("race", "black", "Black people", "Black people's"),
        ("race", "Latino_Hispanic", "Latino people", "Latino people's"),
        ("race", "other", "people of other races", None),
        ("gender,race", "female,black", "Black women", "Black women's"),
        ("race,gender", "other,male", "men of other races", None),
        ("gender,age,race", "female,old,black", "older Black women", "older Black women's"),
        ("age,gender", "20-29,female", f"women aged 20{EN}29", None),
        ("age", f"20{EN}29", f"people aged 20{EN}29", None),
        ("age", "70+", "people aged 70 and over", None),
        ("age", "more than 70", "people aged over 70", None),
        ("age", "child", "children", "children's"),
    ],
)
def test_known_groups_are_people(attribute, group, plural, possessive):
    assert people.people(attribute, group) == people.People(plural, plural, possessive)


@pytest.mark.parametrize(
    ("attribute", "group"),
    [
        ("hair", "white"),
        ("gender", "x"),
        ("age", "middle"),
        ("gender,hand", "female,left"),
        ("gender,age", "female,child"),
        ("note", "one, two"),
    ],
)
def test_unknown_groups_keep_their_names(attribute, group):
    found = people.people(attribute, group)
    levels = ", ".join(part.strip() for part in group.split(","))
    assert found.plural.startswith("people in group ")
    assert levels in found.plural
    assert levels in found.again
    assert attribute.split(",")[-1] in found.plural
    assert found.possessive is None


def test_names_of_faces():
    assert people.faces("happiness") == "smiles"
    assert "bored" in people.faces("bored")
    assert people.adjective("fear") == "frightened"
    assert "bored" in people.adjective("bored")


def test_words_taken_from_elsewhere_are_still_the_same():
    assert people.UNANNOTATED == UNANNOTATED
    assert [people.source_words(s) for s in SOURCES if s != "unstated"] == [s for s in SOURCES if s != "unstated"]
    assert people.source_words("unstated") == "source not stated"
