"""Label spaces, spellings, and the labels of a dataset against those of a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.errors import LabelError, UsageError
from fairfer.labels import (
    AFFECTNET,
    DEEPFACE,
    FER2013,
    FERPLUS,
    FERPLUS_ORDER,
    SPACES,
    SYNONYMS,
    LabelSpace,
    canonical,
    fold,
    order_labels,
    reconcile,
)

# Orders from the documentation of each source.
OFFICIAL = {
    "ferplus": "neutral happiness surprise sadness anger disgust fear contempt",
    "fer2013": "anger disgust fear happiness sadness surprise neutral",
    "deepface": "anger disgust fear happiness sadness surprise neutral",
    "affectnet": "neutral happiness sadness surprise fear disgust anger contempt",
}


@pytest.mark.parametrize("space", OFFICIAL)
def test_known_spaces_have_their_official_order(space):
    """Codes and score columns are read by this order."""
    assert SPACES[space].labels == tuple(OFFICIAL[space].split())


def test_synonyms_are_disjoint():
    """A spelling has one meaning."""
    every = [s for name, synonyms in SYNONYMS.items() for s in (name, *synonyms)]
    assert len(every) == len(set(every))


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("Angry", "anger"), (" HAPPY ", "happiness"), ("suprise", "surprise"), ("calm", "neutral"), ("bored", None), ("", None)],
)
def test_spellings_are_converted_to_canonical_names(spelling, name):
    """Known synonyms in any case; there is no fuzzy matching."""
    assert canonical(spelling) == name


def test_a_space_keeps_the_original_spelling():
    """`LabelSpace.of` translates emotions and keeps other labels as they are spelled."""
    space = LabelSpace.of("own", ["Happy", " AU12 "])
    assert space.labels == ("happiness", "AU12")
    assert space.spellings == ("Happy", " AU12 ")
    assert len(space) == 2
    assert "happiness" in space
    assert "Happy" not in space
    assert LabelSpace("plain", ("a", "b")).spellings == ("a", "b")


@pytest.mark.parametrize(
    ("labels", "spellings", "complaint"),
    [
        ((), (), "has no labels"),
        (("a", "b"), ("A",), "1 spellings for 2 labels"),
        (("a", "a"), (), "has a more than once"),
        (("A_x", "a-X"), (), "more than once"),
        (("no answer", "b"), (), "'no answer' cannot be a label"),
        (("*", "b"), (), r"'\*'"),
        (("", "b"), (), "'' cannot be a label"),
    ],
)
def test_repeated_and_reserved_labels_are_refused(labels, spellings, complaint):
    """Names that stand for missing predictions or for everyone are reserved."""
    with pytest.raises(LabelError, match=complaint):
        LabelSpace("own", labels, spellings)


@pytest.mark.parametrize("spelling", ["happy", "Happiness", "JOY", "happiness"])
def test_a_space_accepts_every_spelling_of_its_labels(spelling):
    """DeepFace writes ``happy``, FER+ ``happiness``."""
    assert DEEPFACE.canonical(spelling) == FERPLUS.canonical(spelling) == "happiness"


@pytest.mark.parametrize("spelling", ["contempt", "bored", ""])
def test_an_unknown_label_is_refused_with_a_hint(spelling):
    """The message lists the labels; the nearest one is never taken instead."""
    with pytest.raises(LabelError, match=r"not one of DeepFace 7; (available|did you mean)"):
        DEEPFACE.canonical(spelling)


@given(st.permutations(FERPLUS_ORDER), st.integers(1, 8))
def test_labels_have_one_order_everywhere(labels, some):
    """It does not depend on the order of the input."""
    assert order_labels([*labels[:some], "AU2", "AU1"]) == (*(n for n in FERPLUS_ORDER if n in labels[:some]), "AU1", "AU2")


@pytest.mark.parametrize(
    ("policy", "audited", "contempt"),
    [
        ("drop", FERPLUS_ORDER[:-1], None),
        ("keep", FERPLUS_ORDER, "contempt"),
        ("merge=contempt:disgust", FERPLUS_ORDER[:-1], "disgust"),
        ("merge=disgust", FERPLUS_ORDER[:-1], "disgust"),
        ("merge=Contemptuous:calm", FERPLUS_ORDER[:-1], "neutral"),
    ],
)
def test_unsupported_labels_are_dropped_kept_or_merged(policy, audited, contempt):
    """DeepFace has no contempt."""
    labels = reconcile(FERPLUS, DEEPFACE, policy)
    assert labels.labels == tuple(audited)
    assert labels.truth["contempt"] == contempt
    assert labels.unsupported_labels == ("contempt",)
    assert {n: labels.truth[n] for n in FERPLUS_ORDER[:-1]} == {n: n for n in FERPLUS_ORDER[:-1]}


@pytest.mark.parametrize("policy", ["drop", "keep", "merge=contempt:disgust", "merge=disgust"])
def test_policies_have_no_effect_without_unsupported_labels(policy):
    """Nothing is dropped or merged if both sides have the same labels."""
    labels = reconcile(FERPLUS, AFFECTNET, policy)
    assert labels.labels == FERPLUS_ORDER
    assert labels.unsupported_labels == labels.extra == ()
    assert all(labels.truth[n] == n for n in FERPLUS_ORDER)


def test_a_label_that_only_the_model_has_is_not_audited():
    """Contempt predicted for a FER2013 face is an error, but contempt has no rates."""
    labels = reconcile(FER2013, FERPLUS)
    assert labels.extra == ("contempt",)
    assert set(labels.labels) == set(FER2013.labels)


@given(st.permutations(FERPLUS_ORDER), st.permutations(DEEPFACE.labels))
def test_the_order_of_either_space_changes_nothing(data, model):
    """Labels are matched by name."""
    labels = reconcile(LabelSpace("d", tuple(data)), LabelSpace("m", tuple(model)))
    plain = reconcile(FERPLUS, DEEPFACE)
    assert (labels.labels, labels.truth, labels.unsupported_labels) == (plain.labels, plain.truth, plain.unsupported_labels)


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        ("skip", "use drop, keep or merge=FROM:TO"),
        ("merge=fear:disgust", "'fear' is an output class of the model; merge only contempt"),
        ("merge=contempt:contempt", "'contempt' is not an output class of the model"),
        ("merge=", "is not one of FER\\+ 8"),
        ("merge=contempt:bored", "'bored' is not one of FER\\+ 8"),
    ],
)
def test_an_invalid_policy_is_refused(policy, complaint):
    """The message says which labels can be merged."""
    with pytest.raises((UsageError, LabelError), match=complaint):
        reconcile(FERPLUS, DEEPFACE, policy)


def test_each_unsupported_label_must_be_merged_by_name():
    """A label that the policy does not mention is an error."""
    model = LabelSpace("m", FERPLUS_ORDER[:6])
    labels = reconcile(FERPLUS, model, "merge=contempt:disgust,fear:surprise")
    assert (labels.truth["contempt"], labels.truth["fear"]) == ("disgust", "surprise")
    with pytest.raises(UsageError, match="write FROM:TO for each"):
        reconcile(FERPLUS, model, "merge=disgust")
    with pytest.raises(UsageError, match="leaves fear unmerged"):
        reconcile(FERPLUS, model, "merge=contempt:disgust")


def test_spaces_without_common_labels_are_refused():
    """Every prediction would be wrong because of its spelling."""
    with pytest.raises(LabelError, match="have no label in common"):
        reconcile(FERPLUS, LabelSpace("codes", ("0", "1")))


def test_fold_ignores_case_and_separators():
    """Spellings that differ in case, space, ``_`` or ``-`` are equal."""
    assert {fold(s) for s in ("Very_Happy", " very-happy", "VERY HAPPY ")} == {"very happy"}


@given(st.sets(st.sampled_from(FERPLUS_ORDER), min_size=1), st.sets(st.sampled_from(FERPLUS_ORDER), min_size=1))
def test_every_label_of_the_data_is_audited_or_unsupported(data, model):
    """Also the labels that only the model has are listed."""
    if not data & model:
        return
    spaces = LabelSpace("d", order_labels(data)), LabelSpace("m", order_labels(model))
    for policy in ("drop", "keep"):
        labels = reconcile(*spaces, policy)
        assert set(labels.truth) == data
        assert set(labels.unsupported_labels) == data - model
        assert set(labels.extra) == model - data
        dropped = {n for n, to in labels.truth.items() if to is None}
        assert dropped == (set(labels.unsupported_labels) if policy == "drop" else set())
        assert set(labels.labels) == data - dropped


def test_a_misspelled_merge_is_an_error_even_if_nothing_is_to_merge():
    model = LabelSpace("all", FERPLUS.labels)
    assert reconcile(FERPLUS, model, "merge=contempt:disgust").labels == reconcile(FERPLUS, model).labels
    with pytest.raises(LabelError, match="'bored' is not one of"):
        reconcile(FERPLUS, model, "merge=contempt:bored")
