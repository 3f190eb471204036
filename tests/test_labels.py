"""Labels travel by name, never by position, and faces that a model cannot name are dealt with as was asked."""

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

# Orders from each source's own documentation: domain facts, not fairfer's.
OFFICIAL = {
    "ferplus": "neutral happiness surprise sadness anger disgust fear contempt",
    "fer2013": "anger disgust fear happiness sadness surprise neutral",
    "deepface": "anger disgust fear happiness sadness surprise neutral",
    "affectnet": "neutral happiness sadness surprise fear disgust anger contempt",
}


@pytest.mark.parametrize("space", OFFICIAL)
def test_known_spaces_have_their_owners_order(space):
    """A code or a score column means what its owner says it means."""
    assert SPACES[space].labels == tuple(OFFICIAL[space].split())


def test_no_spelling_names_two_emotions():
    """Synonyms are disjoint, so that a spelling has one meaning."""
    every = [s for name, also in SYNONYMS.items() for s in (name, *also)]
    assert len(every) == len(set(every))


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("Angry", "anger"), (" HAPPY ", "happiness"), ("suprise", "surprise"), ("calm", "neutral"), ("bored", None), ("", None)],
)
def test_spellings_become_canonical_names(spelling, name):
    """Any library's spelling in any case is understood; anything else is not guessed at."""
    assert canonical(spelling) == name


def test_a_space_keeps_the_owners_spelling_beside_the_canonical_name():
    """`LabelSpace.of` translates emotions and leaves other labels as they are spelled."""
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
        (("a", "a"), (), "names a more than once"),
        (("A_x", "a-X"), (), "more than once"),
        (("(no_face)", "b"), (), r"'\(no_face\)'"),
        (("*", "b"), (), r"'\*'"),
        (("", "b"), (), "no label can be called ''"),
    ],
)
def test_a_space_in_which_labels_could_be_confused_is_refused(labels, spellings, complaint):
    """Doubles, and names that the counts use for answers not given and for everyone, are refused at the door."""
    with pytest.raises(LabelError, match=complaint):
        LabelSpace("own", labels, spellings)


@pytest.mark.parametrize("spelling", ["happy", "Happiness", "JOY", "happiness"])
def test_a_space_understands_every_spelling_of_its_labels(spelling):
    """DeepFace says ``happy``, FER+ ``happiness``: the same label."""
    assert DEEPFACE.canonical(spelling) == FERPLUS.canonical(spelling) == "happiness"


@pytest.mark.parametrize("spelling", ["contempt", "bored", ""])
def test_a_label_outside_of_the_space_is_refused_with_a_hint(spelling):
    """What a space lacks is an error that lists what it has, never a neighbour."""
    with pytest.raises(LabelError, match=r"not one of DeepFace 7; (there are|did you mean)"):
        DEEPFACE.canonical(spelling)


@given(st.permutations(FERPLUS_ORDER), st.integers(1, 8))
def test_labels_have_one_order_everywhere(labels, some):
    """The order does not depend on where the labels came from."""
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
def test_faces_that_the_model_cannot_name_are_dropped_kept_or_merged_as_asked(policy, audited, contempt):
    """DeepFace has no contempt; the choice decides what those faces are audited as."""
    found = reconcile(FERPLUS, DEEPFACE, policy)
    assert found.labels == tuple(audited)
    assert found.truth["contempt"] == contempt
    assert found.unsupported_labels == ("contempt",)
    assert {n: found.truth[n] for n in FERPLUS_ORDER[:-1]} == {n: n for n in FERPLUS_ORDER[:-1]}


@pytest.mark.parametrize("policy", ["drop", "keep", "merge=contempt:disgust", "merge=disgust"])
def test_every_policy_is_harmless_where_the_model_can_say_everything(policy):
    """With the same labels on both sides nothing is dropped or merged, whatever was asked."""
    found = reconcile(FERPLUS, AFFECTNET, policy)
    assert found.labels == FERPLUS_ORDER
    assert found.unsupported_labels == found.extra == ()
    assert all(found.truth[n] == n for n in FERPLUS_ORDER)


def test_a_label_that_only_the_model_has_is_no_label_of_the_audit():
    """A model that says contempt of FER2013 faces is always wrong then, and no rate of contempt exists."""
    found = reconcile(FER2013, FERPLUS)
    assert found.extra == ("contempt",)
    assert set(found.labels) == set(FER2013.labels)


@given(st.permutations(FERPLUS_ORDER), st.permutations(DEEPFACE.labels))
def test_the_order_of_either_space_changes_nothing(data, model):
    """Names decide, not positions."""
    found = reconcile(LabelSpace("d", tuple(data)), LabelSpace("m", tuple(model)))
    plain = reconcile(FERPLUS, DEEPFACE)
    assert (found.labels, found.truth, found.unsupported_labels) == (plain.labels, plain.truth, plain.unsupported_labels)


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        ("skip", "use drop, keep or merge=FROM:TO"),
        ("merge=fear:disgust", "the model can say 'fear'"),
        ("merge=contempt:contempt", "cannot say 'contempt' either"),
        ("merge=", "is not one of FER\\+ 8"),
        ("merge=contempt:bored", "'bored' is not one of FER\\+ 8"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(policy, complaint):
    """The message says what can be merged into what."""
    with pytest.raises((UsageError, LabelError), match=complaint):
        reconcile(FERPLUS, DEEPFACE, policy)


def test_with_several_labels_lacking_each_must_be_merged_by_name():
    """No face is left out silently because its label was not mentioned, and none is merged by guess."""
    model = LabelSpace("m", FERPLUS_ORDER[:6])
    found = reconcile(FERPLUS, model, "merge=contempt:disgust,fear:surprise")
    assert (found.truth["contempt"], found.truth["fear"]) == ("disgust", "surprise")
    with pytest.raises(UsageError, match="write FROM:TO for each"):
        reconcile(FERPLUS, model, "merge=disgust")
    with pytest.raises(UsageError, match="does not say what becomes of fear"):
        reconcile(FERPLUS, model, "merge=contempt:disgust")


def test_spaces_without_a_common_label_are_refused():
    """An audit in which every answer is wrong by its spelling is not an audit."""
    with pytest.raises(LabelError, match="share no label"):
        reconcile(FERPLUS, LabelSpace("codes", ("0", "1")))


def test_folding_makes_spellings_comparable():
    """Case, space, ``_`` and ``-`` do not tell labels apart."""
    assert {fold(s) for s in ("Very_Happy", " very-happy", "VERY HAPPY ")} == {"very happy"}


@given(st.sets(st.sampled_from(FERPLUS_ORDER), min_size=1), st.sets(st.sampled_from(FERPLUS_ORDER), min_size=1))
def test_every_label_of_the_data_is_accounted_for(data, model):
    """Under each policy each label of the data is audited, or named as one that the model cannot say."""
    if not data & model:
        return
    spaces = LabelSpace("d", order_labels(data)), LabelSpace("m", order_labels(model))
    for policy in ("drop", "keep"):
        found = reconcile(*spaces, policy)
        assert set(found.truth) == data
        assert set(found.unsupported_labels) == data - model
        assert set(found.extra) == model - data
        dropped = {n for n, to in found.truth.items() if to is None}
        assert dropped == (set(found.unsupported_labels) if policy == "drop" else set())
        assert set(found.labels) == data - dropped
