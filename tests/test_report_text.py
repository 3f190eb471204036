"""Text of reports: numbers, groups, faces and glossary terms."""

from __future__ import annotations

import pytest

from fairfer.datasets.attributes import SOURCES
from fairfer.report.text import groups, numbers
from fairfer.report.text.glossary import GLOSSARY, mentions
from fairfer.vocabulary import UNANNOTATED, is_annotated

EN = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (1.0, "1.00"),
        (0.004, "<0.01"),
        (0.9951, ">0.99"),
        (0.5, "0.50"),
        (1e-12, "<0.01"),
        (0.994, "0.99"),
        (None, EN),
    ],
)
def test_a_rate_is_not_rounded_to_0_or_1(value, text):
    assert numbers.rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "q < 0.001"),
        (0.00049, "q < 0.001"),
        (0.0005, "q = 0.001"),
        (0.0094, "q = 0.009"),
        (0.03, "q = 0.03"),
        (0.0451, "q = 0.045"),
        (0.0499, "q = 0.0499"),
        (0.04999, "q < 0.05"),
        (0.05, "q = 0.050"),
        (0.0546, "q = 0.055"),
        (0.06, "q = 0.06"),
        (0.999, "q > 0.99"),
        (1.0, "q = 1"),
        (None, f"q {EN}"),
    ],
)
def test_a_q_value_is_not_rounded_across_the_significance_level(value, text):
    assert numbers.probability("q", value) == text


def test_different_rates_look_different():
    assert numbers.distinct_rates([0.5, 0.5]) == ["0.50", "0.50"]
    assert numbers.distinct_rates([0.8441, 0.8449]) == ["0.844", "0.845"]
    assert numbers.distinct_rates([0.5, 0.500001]) == ["0.5000", "0.5000"], "at most four decimals"


def test_lists_have_a_serial_comma():
    assert [numbers.listed(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b, and c"]


@pytest.mark.parametrize(
    ("grouping", "group", "plural", "possessive"),
    [
        (("gender",), ("female",), "women", "women's"),
        (("Gender",), ("Male",), "men", "men's"),
        (("perceived_sex",), ("M",), "men", "men's"),
        (("gender",), ("boys",), "boys", "boys'"),
        (("gender",), ("non-binary",), "non-binary people", "non-binary people's"),
        (("race",), ("black",), "Black people", "Black people's"),
        (("race",), ("Latino_Hispanic",), "Latino people", "Latino people's"),
        (("gender", "race"), ("female", "black"), "Black women", "Black women's"),
        (("gender", "age", "race"), ("female", "old", "black"), "older Black women", "older Black women's"),
        (("age", "gender"), ("20-29", "female"), f"women aged 20{EN}29", None),
        (("age",), (f"20{EN}29",), f"people aged 20{EN}29", None),
        (("age",), ("70+",), "people aged 70 and over", None),
        (("age",), ("more than 70",), "people aged over 70", None),
        (("age",), ("child",), "children", "children's"),
    ],
)
def test_common_groups_are_named_as_people(grouping, group, plural, possessive):
    assert groups.people(grouping, group) == groups.People(plural, plural, possessive)


@pytest.mark.parametrize(
    ("grouping", "group"),
    [
        (("hair",), ("white",)),
        (("race",), ("other",)),
        (("gender",), ("x",)),
        (("age",), ("middle",)),
        (("gender", "hand"), ("female", "left")),
        (("gender", "age"), ("female", "child")),
        (("note",), ("one, two",)),
    ],
)
def test_other_groups_keep_their_names(grouping, group):
    words = groups.people(grouping, group)
    assert words.plural.startswith("people in group ")
    assert ", ".join(group) in words.plural
    assert ", ".join(group) in words.short
    assert grouping[-1] in words.plural
    assert words.possessive is None


@pytest.mark.parametrize(
    ("grouping", "group", "words", "written"),
    [
        (("gender", "race"), ("female", "black"), ("gender and race", "female, black"), ("gender,race", "female,black")),
        (("gender",), ("female",), ("gender", "female"), ("gender", "female")),
        ((), (), ("everyone", "everyone"), ("*", "*")),
    ],
)
def test_groups_are_written_as_words_and_for_csv_files(grouping, group, words, written):
    assert (groups.grouping_words(grouping), groups.group_words(group)) == words
    assert (groups.csv_grouping(grouping), groups.csv_group(group)) == written


def test_a_group_without_a_level_is_not_annotated():
    assert is_annotated(())
    assert is_annotated(("female", "black"))
    assert not is_annotated(("female", UNANNOTATED))


def test_terms_are_recognized_whole_and_longest_first():
    text = "TPR and the minimum detectable difference; q = 0.03, not TPRs"
    assert [(text[a:b], anchor) for a, b, anchor in mentions(text)] == [
        ("TPR", "tpr"),
        ("minimum detectable difference", "minimum-detectable"),
        ("q", "q"),
    ]
    words = [w for entry in GLOSSARY.values() for w in entry.mentions]
    assert len(set(words)) == len(words), "a word leads to one definition"


def test_names_of_faces():
    assert groups.faces("happiness") == "happy faces"
    assert "bored" in groups.faces("bored")
    assert groups.adjective("fear") == "fearful"
    assert "bored" in groups.adjective("bored")


def test_every_source_has_words():
    assert [groups.source_words(s) for s in SOURCES if s != "unstated"] == [s for s in SOURCES if s != "unstated"]
    assert groups.source_words("unstated") == "source not stated"
