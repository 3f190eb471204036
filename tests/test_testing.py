"""The checks for authors of adapters and loaders let good ones pass and name each fault of bad ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import RecordedPredictions, Step
from fairfer.datasets.images import PixelImages
from fairfer.labels import FERPLUS, LabelSpace
from fairfer.models.model import Prediction
from fairfer.testing import FakeModel, check_loader, check_model
from fairfer.vocabulary import UNANNOTATED


def picture(level: int) -> np.ndarray:
    """A picture whose top left pixel has this level."""
    found = np.full((4, 4, 3), 7, np.uint8)
    found[0, 0] = level
    return found


def test_the_fake_model_says_what_the_top_left_pixel_tells():
    """Tests choose its answers by their pictures, and it answers alike each time."""
    model = FakeModel(no_face=[250], error=[251], nan=[252])
    answers = model.predict([picture(level) for level in (0, 9, 250, 251, 252)])
    assert [a.status for a in answers] == ["ok", "ok", "no_face", "error", "ok"]
    assert [int(np.argmax(a.scores)) for a in answers[:2]] == [0, 1]
    assert np.isnan(answers[4].scores).all()
    assert all(a.detail for a in answers[2:4])
    assert np.array_equal(FakeModel().predict([picture(9)])[0].scores, answers[1].scores)
    assert model.calls == [5]


def test_good_models_pass():
    """A model that keeps its contract is not complained about, nor is one that finds no face in some pictures."""
    check_model(FakeModel())
    check_model(FakeModel(("happy", "sad"), no_face=[0]))
    check_model(FakeModel(), [picture(1), picture(2)])


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("fewer", "predict gave 5 answers for 6 pictures"),
        ("more", "predict gave 7 answers for 6 pictures"),
        ("short", r"picture 5: scores of shape \(7,\) for 8 labels"),
        ("flat", "must give a list of fairfer.Prediction, not ndarray"),
        ("unscored", r"picture 5: scores of shape \(\) for 8 labels"),
        ("status", "picture 5: status 'fine' is none of ok, no_face"),
        ("type", "must give a list of fairfer.Prediction"),
        ("text", "picture 5: scores must be finite numbers"),
    ],
)
def test_a_model_that_answers_wrongly_is_told_how(fault, complaint):
    """Each way to break the contract has its own sentence."""
    with pytest.raises(AssertionError, match=complaint):
        check_model(FakeModel(fault=fault))


def test_a_models_own_exception_is_its_authors_to_see():
    """A failing model shows its traceback, not a summary of it."""
    with pytest.raises(RuntimeError, match="told to fail"):
        check_model(FakeModel(fault="raise"))


class Wrong(FakeModel):
    """A model with these attributes set after it was made."""

    def __init__(self, **attributes) -> None:
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        ({"name": " "}, "name must be text"),
        ({"version": 3}, "version must be text, not 3"),
        ({"labels": ["happy"]}, "labels must be a fairfer.LabelSpace, not a list"),
        ({"predict": None}, "predict must be a method"),
        ({"options": {"a": 1}}, "options must map text to text"),
        ({"options": ["a"]}, "options must map text to text"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1, not 0"),
    ],
)
def test_a_model_without_an_identity_is_told_what_it_lacks(attributes, complaint):
    """Name, version, labels and options are what a run is known by."""
    with pytest.raises(AssertionError, match=complaint):
        check_model(Wrong(**attributes))


class Odd(FakeModel):
    """A model whose answers depend on what they must not depend on."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def predict(self, images):
        """Answer oddly."""
        if self.how == "never":
            return [Prediction("no_face", None, "nobody") for _ in images]
        if self.how == "silent":
            return [Prediction("no_face") for _ in images]
        if self.how == "scored":
            return [Prediction("no_face", np.ones(8), "nobody") for _ in images]
        if self.how == "painter":
            for image in images:
                image[:] = 0
        answers = super().predict(images)
        if self.how == "batch" and len(images) == 1:
            return [Prediction("error", None, "alone")]
        if self.how == "moody":
            return [dataclasses.replace(a, scores=np.roll(a.scores, len(self.calls))) for a in answers]
        return [*answers, *answers][: max(1, len(images))] if self.how == "nothing" and not images else answers


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ("never", r"no picture was answered \(the first: nobody\)"),
        ("silent", "picture 0: status no_face needs a detail"),
        ("scored", "picture 0: status no_face goes without scores"),
        ("painter", "predict must not change the pictures"),
        ("batch", "picture 0 is answered differently when asked one by one"),
        ("moody", "picture 0 is answered differently when asked again"),
    ],
)
def test_answers_depend_on_the_picture_alone(how, complaint):
    """Not on the batch, the order, or the time of day; and an answer not given says why."""
    with pytest.raises(AssertionError, match=complaint):
        check_model(Odd(how))


def test_no_picture_has_no_answer():
    """An empty batch is a batch."""

    class Eager(FakeModel):
        def predict(self, images):
            return super().predict(images or [picture(0)])

    with pytest.raises(AssertionError, match="no answer for no picture"):
        check_model(Eager())


def recorded(index, status="ok", predicted="anger") -> RecordedPredictions:
    """Answers that came with a data set."""
    frame = pd.DataFrame({"status": status, "predicted": predicted, "detail": ""}, index=index)
    return RecordedPredictions("table", FERPLUS, frame, "1")


def test_good_data_sets_pass(toy):
    """One with pictures and attributes, and one with recorded answers and no pictures."""
    data = toy(["anger", "fear"], {"gender": ["f", None]})
    check_loader(data)
    check_loader(data.replace(images=None, recorded=recorded(data.samples.index)))


def bad(toy, **changes):
    """A data set with these fields changed."""
    data = toy(["anger", "fear"], {"gender": ["f", None]})
    return data.replace(**{k: v(data) if callable(v) else v for k, v in changes.items()})


class Noisy(PixelImages):
    """Pictures that differ each time."""

    def decode(self, raw, sample_id):
        """A picture with another first pixel."""
        found = super().decode(raw, sample_id)
        found[0, 0] = np.random.default_rng().integers(0, 256, 3)
        return found


class Grey(PixelImages):
    """Pictures without colours."""

    def decode(self, raw, sample_id):
        """Two dimensions."""
        return super().decode(raw, sample_id)[:, :, 0]


GENDER = Attribute("gender", ("f", UNANNOTATED), "annotated")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"attributes": (dataclasses.replace(GENDER, levels=("f", "f", UNANNOTATED)),)}, "'gender' names a level twice"),
        ({"attributes": (dataclasses.replace(GENDER, levels=(UNANNOTATED, "f")),)}, "must name unannotated last"),
        ({"attributes": (dataclasses.replace(GENDER, source="guessed"),)}, "source 'guessed', which is none of"),
        ({"attributes": (dataclasses.replace(GENDER, probabilities={"f": "p_f"}),)}, "no column 'p_f', the probability of 'f'"),
        ({"attributes": (GENDER, GENDER)}, "names of their own, without commas, not gender, gender"),
        ({"samples": lambda d: d.samples.rename({"face0000.png": " "})}, "sample ids must be text without space"),
        ({"votes": lambda d: pd.DataFrame({"anger": [1, 2]})}, "votes must have the rows of samples"),  # noqa: ARG005
        ({"steps": (Step("", 1),)}, "every step must say"),
        ({"card": {"rows": 3}}, "card must map text to text"),
        ({"images": None}, "pictures or recorded answers"),
        ({"images": lambda d: Noisy(d.samples.index, d.images.pixels)}, "must be the same each time"),
        ({"images": lambda d: Grey(d.samples.index, d.images.pixels)}, r"must be \(height, width, 3\) uint8, not \(8, 8\)"),
        ({"recorded": lambda d: recorded(d.samples.index[::-1])}, "recorded answers must have the rows"),
        ({"recorded": lambda d: recorded(d.samples.index, status="fine")}, "recorded statuses must be of"),
        ({"recorded": lambda d: recorded(d.samples.index, predicted="rage")}, "recorded answers must be labels"),
        ({"recorded": lambda d: recorded(d.samples.index, status="error")}, "missing elsewhere"),
    ],
)
def test_a_loader_that_breaks_its_contract_is_told_how(toy, changes, complaint):
    """Each fault has its own sentence."""
    if "samples" in changes:
        changes = {**changes, "images": None, "recorded": lambda d: recorded(changes["samples"](d).index)}
    with pytest.raises(AssertionError, match=complaint):
        check_loader(bad(toy, **changes))


def test_a_data_set_of_which_no_picture_can_be_read_is_told_so(toy, tmp_path):
    """Paths that lead nowhere are the loader's fault."""
    from fairfer.datasets.images import FileImages

    data = toy(["anger"])
    with pytest.raises(AssertionError, match="no picture can be read"):
        check_loader(data.replace(images=FileImages(tmp_path, {data.samples.index[0]: "gone.png"})))


def test_every_fault_is_named_at_once():
    """An author mends them in one go."""
    with pytest.raises(AssertionError) as caught:
        check_model(Wrong(name="", batch_size=-1, labels=LabelSpace("x", ("a",)), version=""))
    assert str(caught.value).count("\n- ") == 3
