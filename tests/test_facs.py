"""Action units as data, prototypes, similarity and words."""

from __future__ import annotations

import doctest
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfer.errors import LabelError, UsageError
from fairfer.facs import ACTION_UNITS, REGIONS, SOURCES, describe, jaccard, parse, prescriptions, prototype
from fairfer.facs.action_units import in_order
from fairfer.facs.geometry import CHANGES, ESTIMATED, THRESHOLDS
from fairfer.facs.prototypes import _parse
from fairfer.facs.words import IMPORTANCE
from fairfer.labels import FERPLUS_ORDER, action_unit

NUMBERS = [1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 26, 27, 28, 34, 43, 45]
PY_FEAT = [1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43]
OPENFACE = [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45]
DISFA = [1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26]
BP4D = [1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24]
SETS = st.frozensets(st.sampled_from(list(ACTION_UNITS)), max_size=7)


# ---- the table


def test_all_units_of_the_table_are_there() -> None:
    """The table has the units of FACS's main codes that detectors and data sets use, in order, each under its own code."""
    assert [unit.number for unit in ACTION_UNITS.values()] == NUMBERS
    assert all(unit.code == code == f"AU{unit.number}" for code, unit in ACTION_UNITS.items())
    assert set(NUMBERS) >= {*PY_FEAT, *OPENFACE, *DISFA, *BP4D}
    assert len({unit.name for unit in ACTION_UNITS.values()}) == len(NUMBERS)


@pytest.mark.parametrize("unit", ACTION_UNITS.values(), ids=list(ACTION_UNITS))
def test_each_unit_has_regions_and_sentences(unit) -> None:
    assert unit.regions
    assert list(unit.regions) == [r for r in REGIONS if r in unit.regions]
    assert unit.muscle
    assert unit.name == unit.name.lower()
    assert re.fullmatch(r"[A-Z][a-z ]+\.", unit.description)
    assert re.fullmatch(r"try not to [a-z ]+", unit.restraint)
    assert unit.subject.count("{the}") == 1
    assert re.match(r"(is|are) [a-z ]+$", unit.state)
    assert ("your" in unit.instruction.split()) == (unit.number != 45)


def test_regions_of_some_units() -> None:
    """Regions that other modules rely on."""
    expected = {1: "forehead brows", 2: "forehead brows", 4: "brows", 5: "eyes", 6: "eyes cheeks", 7: "eyes", 9: "nose",
                12: "cheeks mouth", 17: "chin", 43: "eyes", 45: "eyes"}  # fmt: skip
    assert {n: " ".join(ACTION_UNITS[f"AU{n}"].regions) for n in expected} == expected


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        ACTION_UNITS["AU99"] = ACTION_UNITS["AU1"]  # type: ignore[index]


@given(
    st.sampled_from(NUMBERS), st.sampled_from(["AU{}", "au{}", "AU{:02d}", "Au {}", "AU_{}", "au-{}", "{}", "{:02d}", " AU{} "])
)
def test_spellings_of_a_code(number, form) -> None:
    text = form.format(number)
    assert parse(text) == f"AU{number}"
    assert parse(f"{text.strip()}_r") == parse(f"{text.strip()}_C") == f"AU{number}"
    assert parse(number) == f"AU{number}"
    if text.strip().lower().startswith("au"):
        assert action_unit(text) == parse(text)


@pytest.mark.parametrize("text", ["AU3", "AU99", "AU", "", "12AU", "AU12_x", "AU1.5", "happy", "AU120", "0", -1])
def test_what_is_no_action_unit_is_refused(text) -> None:
    with pytest.raises(LabelError, match=r"is not an action unit that fairfer knows; (did you mean|available)") as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_codes_are_put_in_the_order_of_their_numbers() -> None:
    assert in_order(["au12", "AU06", "AU2", "AU6"]) == ("AU2", "AU6", "AU12")


def test_the_package_is_light() -> None:
    """Neither numpy nor pandas is imported by the package; only geometry needs numpy."""
    code = "import sys, fairfer.facs; print([m for m in ('numpy', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- prototypes


EMFACS = {
    "neutral": [[]], "happiness": [[6, 12]], "sadness": [[1, 4, 15]], "surprise": [[1, 2, 5, 26]],
    "fear": [[1, 2, 4, 5, 7, 20, 26]], "anger": [[4, 5, 7, 23]], "disgust": [[9, 15, 16], [9, 15, 17]], "contempt": [[12, 14]],
}  # fmt: skip
MANUAL = {
    "neutral": [[]], "happiness": [[6, 12], [6, 12, 25]], "sadness": [[1, 4, 15]], "surprise": [[1, 2, 5, 26]],
    "fear": [[1, 2, 4, 5, 20, 25]], "anger": [[4, 5, 7, 24]], "disgust": [[4, 10, 17]], "contempt": [[14]],
}  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), [("EMFACS", EMFACS), ("FACS manual", MANUAL)])
def test_prototypes_of_each_source(source, expected) -> None:
    """Typed in a second time, from the notes on the sources."""
    assert set(SOURCES[source].prototypes) == set(FERPLUS_ORDER)
    for emotion, sets in expected.items():
        assert prototype(emotion, source) == tuple(frozenset(f"AU{n}" for n in units) for units in sets)


def test_marks_of_the_sources_are_kept() -> None:
    """Intensities, sides and optional units are not lost, though sets ignore them."""
    surprise, contempt = SOURCES["EMFACS"].prototypes["surprise"][0], SOURCES["EMFACS"].prototypes["contempt"][0]
    assert [(c.unit, c.intensity) for c in surprise.components] == [("AU1", ""), ("AU2", ""), ("AU5", "B"), ("AU26", "")]
    assert [(c.unit, c.side, c.intensity) for c in contempt.components] == [("AU12", "right", "A"), ("AU14", "right", "A")]
    happiness, contempt = (SOURCES["FACS manual"].prototypes[e][0] for e in ("happiness", "contempt"))
    assert [(c.unit, c.intensity, c.optional) for c in happiness.components] == [
        ("AU6", "", False), ("AU12", "y", False), ("AU25", "", True)
    ]  # fmt: skip
    assert happiness.units == {"AU6", "AU12"}
    assert contempt.components[0].side == "one side"
    assert (happiness.notation, contempt.notation) == ("6+12(y)+(25)", "U14")


def test_emotions_in_any_spelling() -> None:
    assert prototype("Happy") == prototype("happiness") == prototype("joy")


@pytest.mark.parametrize("notation", ["x12", "(12", "12)", "1++x", "99"])
def test_a_notation_that_is_wrong_is_refused(notation) -> None:
    with pytest.raises(LabelError, match="is not an action unit"):
        _parse(notation)


def test_unknown_emotions_and_sources_are_refused() -> None:
    with pytest.raises(LabelError, match="EMFACS has no prototype of 'boredom'"):
        prototype("boredom")
    with pytest.raises(UsageError, match="no source of prototypes 'emfacs'; did you mean 'EMFACS'"):
        prototype("fear", "emfacs")


# ---- similarity


def test_jaccard_by_hand() -> None:
    assert jaccard([], []) == 1
    assert jaccard(["AU1"], []) == jaccard([], ["AU1"]) == 0
    assert jaccard(["AU1", "AU2", "AU4"], ["AU01", 2, "AU5"]) == pytest.approx(2 / 4)
    assert jaccard(["AU1", "AU13"], ["AU1"], known=["AU01", "AU2"]) == 1
    assert jaccard(["AU13"], ["AU11"], known=["AU1"]) == 1  # nothing was observable: both sets are empty


@given(SETS, SETS, st.none() | SETS)
def test_jaccard_counts_units(player, target, known) -> None:
    """The oracle counts unit by unit; the index is symmetric, 0 to 1, and 1 only for equal sets."""
    units = [u for u in ACTION_UNITS if known is None or u in known]
    both = sum(u in player and u in target for u in units)
    any_ = sum(u in player or u in target for u in units)
    index = jaccard(player, target, known)
    assert index == (both / any_ if any_ else 1)
    assert index == jaccard(target, player, known)
    assert (index == 1) == all((u in player) == (u in target) for u in units)


# ---- words


def check_sentence(text: str) -> None:
    """Plain grammar: a capital, a period, no doubled word, single spaces, no slot left."""
    assert re.fullmatch(r"[A-Z][a-zA-Z ,:]+\.", text), text
    assert "  " not in text
    assert not re.search(r"\b(\w+) \1\b", text, re.IGNORECASE), text
    assert not re.search(r",,| ,|, \.|and \.|and,|,$", text), text


@pytest.mark.parametrize("units", [*itertools.combinations(ACTION_UNITS, 1), *itertools.combinations(ACTION_UNITS, 2)])
def test_every_unit_and_pair_is_a_sentence(units) -> None:
    """In descriptions, praise, instructions and restraints."""
    texts = [describe(units)]
    for player, target in ((units, units), ((), units), (units, ()), (units[:1], units[1:])):
        texts += [p.text for p in prescriptions(player, target)]
    for text in texts:
        check_sentence(text)
    assert len(texts) >= 4


@given(SETS)
@settings(max_examples=300)
def test_descriptions_name_every_unit(units) -> None:
    """The last words of each state are in the sentence, with the verb that its subject has."""
    text = describe(units)
    check_sentence(text)
    for code in units:
        state = ACTION_UNITS[code].state
        word = "drawn together" if code == "AU4" and units & {"AU1", "AU2"} else state.partition(" ")[2]
        assert word in text
    assert describe(sorted(units)) == describe(sorted(units, reverse=True)) == text


@pytest.mark.parametrize(
    ("units", "text"),
    [
        ("", "No action unit is seen."),
        ("12", "The lip corners are pulled up."),
        ("6 12", "The cheeks are raised and the lip corners are pulled up."),
        ("1 2", "The eyebrows are raised."),
        ("1 2 4", "The eyebrows are raised and drawn together."),
        ("1 4", "The inner ends of the eyebrows are raised and the eyebrows are drawn together."),
        (
            "4 5 7 23",
            "The eyebrows are lowered, the upper eyelids are raised, the eyelids are tightened and the lips are tightened.",
        ),
        ("23 24 25", "The lips are tightened, pressed together and parted."),
        ("12 23 25", "The lip corners are pulled up, and the lips are tightened and parted."),
        ("43 45", "The eyes are closed and blinking."),
    ],
)
def test_descriptions(units, text) -> None:
    assert describe(units.split()) == text


@pytest.mark.parametrize(
    ("player", "target", "texts"),
    [
        ("", "", ["Well done: your face is relaxed."]),
        ("6 12", "6 12", ["Well done: your cheeks are raised and your lip corners are pulled up."]),
        ("1", "1", ["Well done: the inner ends of your eyebrows are raised."]),
        ("1 2", "", ["Try not to raise your eyebrows."]),
        ("", "1 2", ["Raise your eyebrows."]),
        ("1", "1 2", ["Well done: the inner ends of your eyebrows are raised.", "Raise the outer ends of your eyebrows."]),
        ("2", "1", ["Raise the inner ends of your eyebrows.", "Try not to raise the outer ends of your eyebrows."]),
        ("4", "12", ["Pull up your lip corners.", "Try not to lower your eyebrows."]),
        ("", "1 2 4", ["Draw your eyebrows together.", "Raise your eyebrows."]),
        ("45", "", ["Try not to blink."]),
        ("6 12", "1 2 5 26", ["Try not to pull up your lip corners.", "Drop your jaw.", "Raise your eyebrows."]),
    ],
)
def test_prescriptions(player, target, texts) -> None:
    assert [p.text for p in prescriptions(player.split(), target.split())] == texts


@given(SETS, SETS, st.integers(0, 8), st.none() | SETS)
def test_prescriptions_are_the_differences_of_the_sets(player, target, limit, known) -> None:
    """Praise is what both have, "avoid" what only the player has, "do" what only the target has; nothing twice."""
    kept = set(ACTION_UNITS) if known is None else known
    player_known, target_known = player & kept, target & kept
    every = prescriptions(player, target, 99, known=known)
    said = {kind: [u for p in every if p.kind == kind for u in p.units] for kind in ("praise", "avoid", "do")}
    assert all(len(units) == len(set(units)) for units in said.values())
    assert set(said["praise"]) == player_known & target_known
    assert set(said["avoid"]) == player_known - target_known
    assert set(said["do"]) == target_known - player_known
    assert sum(p.kind == "praise" for p in every) == bool(player_known & target_known or not player_known | target_known)
    corrections = [p for p in every if p.kind != "praise"]
    ranks = [min(IMPORTANCE.index(u) for u in p.units) for p in corrections]
    assert ranks == sorted(ranks)
    limited = [p for p in prescriptions(player, target, limit, known=known) if p.kind != "praise"]
    assert limited == corrections[:limit]
    for p in every:
        check_sentence(p.text)
        assert p.text.startswith({"praise": "Well done", "avoid": "Try not to "}.get(p.kind, p.text))
        assert p.kind == "avoid" or "Try not" not in p.text


def test_at_most_three_by_default_and_importance_can_be_given() -> None:
    first = prescriptions([], ["AU12", "AU5", "AU9", "AU17"])
    assert [p.units for p in first] == [("AU12",), ("AU5",), ("AU9",)]
    own = prescriptions([], ["AU12", "AU5", "AU9", "AU17"], importance={"AU17": 1.0, "au09": 2.0})
    assert [p.units for p in own] == [("AU9",), ("AU17",), ("AU12",)]


def test_importance_ranks_every_unit_once() -> None:
    assert sorted(IMPORTANCE) == sorted(ACTION_UNITS)


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(UsageError, match="limit of corrections is -1; give 0 or more"):
        prescriptions([], ["AU1"], limit=-1)


# ---- action-units.md


PAGE = Path(__file__).parent.parent / ".github" / "docs" / "action-units.md"


def rows_under(heading: str) -> dict[str, list[str]]:
    """Cells of the first table below a heading, by their first cell."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = section.split("\n\n| ", 1)[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


def test_the_page_has_the_table_of_units() -> None:
    units = {u.code: [u.name, u.description, u.muscle, ", ".join(u.regions), u.reliability] for u in ACTION_UNITS.values()}
    assert rows_under("Units") == units


def test_the_page_has_the_prototypes_and_their_sources() -> None:
    emotions = [e for e in FERPLUS_ORDER if e != "neutral"]
    expected = {e: [" or ".join(p.notation for p in s.prototypes[e]) for s in SOURCES.values()] for e in emotions}
    assert rows_under("Prototypes") == expected
    assert all(f"* **{s.name}**: {s.citation}." in PAGE.read_text(encoding="utf-8") for s in SOURCES.values())


def test_the_page_has_the_estimates() -> None:
    expected = {code: [what, f"{THRESHOLDS[code]:.3f}", f"{CHANGES[code]:.3f}"] for code, what in ESTIMATED.items()}
    assert rows_under("Estimates from landmarks") == expected


def test_the_example_of_the_page_is_right() -> None:
    """It prints what the page shows."""
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert (failed, attempted) == (0, 4)
