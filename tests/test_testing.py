"""The checks for authors of adapters and loaders accept correct ones and name each fault of others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import RecordedPredictions, Step
from fairfer.datasets.images import PixelImages
from fairfer.datasets.loading import loaders
from fairfer.errors import DataError, ModelError
from fairfer.labels import FERPLUS, LabelSpace
from fairfer.models.model import Prediction
from fairfer.testing import FakeModel, check_layout, check_loader, check_loading, check_model
from fairfer.vocabulary import UNANNOTATED


def image(level: int) -> np.ndarray:
    """An image whose top left pixel has this gray level."""
    pixels = np.full((4, 4, 3), 7, np.uint8)
    pixels[0, 0] = level
    return pixels


def test_the_top_left_pixel_determines_the_fake_models_answer():
    """Tests choose its answers by their images, and the same image always has the same answer."""
    model = FakeModel(no_face=[250], error=[251], nan=[252])
    answers = model.predict([image(level) for level in (0, 9, 250, 251, 252)])
    assert [a.status for a in answers] == ["ok", "ok", "no_face", "error", "ok"]
    assert [int(np.argmax(a.scores)) for a in answers[:2]] == [0, 1]
    assert np.isnan(answers[4].scores).all()
    assert all(a.detail for a in answers[2:4])
    assert np.array_equal(FakeModel().predict([image(9)])[0].scores, answers[1].scores)
    assert model.calls == [5]


def test_the_bits_of_the_top_left_pixel_determine_the_labels_of_a_multi_label_fake():
    """Every combination of eight labels can be made; scores keep their distance from 0.5."""
    model = FakeModel(task="multi-label", no_face=[250], nan=[252])
    for level in range(250):
        [answer] = model.predict([image(level)])
        present = [bool(level & 1 << i) for i in range(8)]
        assert list(answer.scores > 0.5) == present
        assert np.abs(answer.scores - 0.5).min() >= 0.1 - 1e-9
        assert ((answer.scores >= 0) & (answer.scores <= 1)).all()
    assert [a.status for a in model.predict([image(250), image(252)])] == ["no_face", "ok"]
    [answer] = FakeModel(tuple("abcdefghij"), task="multi-label").predict([image(1)])
    assert list(np.flatnonzero(answer.scores > 0.5)) == [0, 8]  # the bits repeat


def test_correct_models_pass():
    """Also one that finds no face in some images, and a multi-label one."""
    check_model(FakeModel())
    check_model(FakeModel(task="multi-label"))
    check_model(FakeModel(("happy", "sad"), no_face=[0]))
    check_model(FakeModel(), [image(1), image(2)])


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("fewer", "predict returned 6 answers for 7 images"),
        ("more", "predict returned 8 answers for 7 images"),
        ("short", r"image 6: scores of shape \(7,\) for 8 labels"),
        ("flat", "must return a list of fairfer.Prediction, not a ndarray"),
        ("unscored", r"image 6: scores of shape \(\) for 8 labels"),
        ("status", "image 6: status 'fine' is not one of ok, no_face"),
        ("type", "must return a list of fairfer.Prediction"),
        ("text", "image 6: scores must be finite numbers"),
    ],
)
def test_each_fault_of_an_answer_is_named(fault, complaint):
    """Each way to break the contract has its own message."""
    with pytest.raises(AssertionError, match=complaint):
        check_model(FakeModel(fault=fault))


def test_a_models_own_exception_is_not_hidden():
    """A failing model shows its traceback, not a summary of it."""
    with pytest.raises(RuntimeError, match="fails on purpose"):
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
        ({"batch_size": 0}, "batch_size must be a positive integer, not 0"),
        ({"task": "regression"}, "task must be one of single-label, multi-label, not 'regression'"),
    ],
)
def test_each_fault_of_a_models_attributes_is_named(attributes, complaint):
    """Name, version, labels, options and task are the identity of a run."""
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
        ("never", r"no image has an answer \(the first: nobody\)"),
        ("silent", "image 0: status no_face needs a detail"),
        ("scored", "image 0: status no_face must have no scores"),
        ("painter", "predict must not change the images"),
        ("batch", "image 0 has a different answer when asked one by one"),
        ("moody", "image 0 has a different answer when asked again"),
    ],
)
def test_answers_may_depend_on_the_image_only(how, complaint):
    """Not on the batch, the order, or the number of calls; a missing answer has a reason."""
    with pytest.raises(AssertionError, match=complaint):
        check_model(Odd(how))


def test_no_images_have_no_answers():
    """An empty batch is allowed."""

    class Eager(FakeModel):
        def predict(self, images):
            return super().predict(images or [image(0)])

    with pytest.raises(AssertionError, match="an empty list for no images"):
        check_model(Eager())


def recorded(index, status="ok", predicted="anger") -> RecordedPredictions:
    """Predictions that a table recorded."""
    frame = pd.DataFrame({"status": status, "predicted": predicted, "detail": ""}, index=index)
    return RecordedPredictions("table", FERPLUS, frame, "1")


def test_correct_data_sets_pass(toy):
    """One with images and attributes, and one with recorded predictions and no images."""
    data = toy(["anger", "fear"], {"gender": ["f", None]})
    check_loader(data)
    check_loader(data.replace(images=None, recorded=recorded(data.samples.index)))


def modified(toy, **changes):
    """A dataset with these fields changed."""
    data = toy(["anger", "fear"], {"gender": ["f", None]})
    return data.replace(**{k: v(data) if callable(v) else v for k, v in changes.items()})


class Noisy(PixelImages):
    """Images that differ each time."""

    def decode(self, raw, sample_id):
        """An image with a random first pixel."""
        pixels = super().decode(raw, sample_id)
        pixels[0, 0] = np.random.default_rng().integers(0, 256, 3)
        return pixels


class Gray(PixelImages):
    """Images without a color axis."""

    def decode(self, raw, sample_id):
        """Two dimensions."""
        return super().decode(raw, sample_id)[:, :, 0]


GENDER = Attribute("gender", ("f", UNANNOTATED), "annotated")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"attributes": (dataclasses.replace(GENDER, levels=("f", "f", UNANNOTATED)),)}, "'gender' has a level twice"),
        ({"attributes": (dataclasses.replace(GENDER, levels=(UNANNOTATED, "f")),)}, "must have unannotated as its last level"),
        ({"attributes": (dataclasses.replace(GENDER, source="guessed"),)}, "source 'guessed', which is not one of"),
        (
            {"attributes": (dataclasses.replace(GENDER, probabilities={"f": "p_f"}),)},
            "no column 'p_f' with the probability of 'f'",
        ),
        ({"attributes": (GENDER, GENDER)}, "unique names without commas, not gender, gender"),
        ({"samples": lambda d: d.samples.rename({"face0000.png": " "})}, "sample ids must not be empty"),
        ({"votes": lambda d: pd.DataFrame({"anger": [1, 2]})}, "votes must have the rows of samples"),
        ({"steps": (Step("", 1),)}, "every step must have a text"),
        ({"card": {"rows": 3}}, "card must map text to text"),
        ({"images": None}, "images or recorded predictions"),
        ({"images": lambda d: Noisy(d.samples.index, d.images.pixels)}, "must be the same each time"),
        ({"images": lambda d: Gray(d.samples.index, d.images.pixels)}, r"must be \(height, width, 3\) uint8, not \(8, 8\)"),
        ({"recorded": lambda d: recorded(d.samples.index[::-1])}, "recorded predictions must have the rows"),
        ({"recorded": lambda d: recorded(d.samples.index, status="fine")}, "recorded statuses must be of"),
        ({"recorded": lambda d: recorded(d.samples.index, predicted="rage")}, "recorded labels must be labels"),
        ({"recorded": lambda d: recorded(d.samples.index, status="error")}, "missing elsewhere"),
    ],
)
def test_each_fault_of_a_data_set_is_named(toy, changes, complaint):
    """Each fault has its own message."""
    if "samples" in changes:
        changes = {**changes, "images": None, "recorded": lambda d: recorded(changes["samples"](d).index)}
    with pytest.raises(AssertionError, match=complaint):
        check_loader(modified(toy, **changes))


def recorded_decisions(index, **columns) -> RecordedPredictions:
    """Multi-label predictions of two action units that a table recorded; `columns` replaces columns, or removes them (None)."""
    decisions = {f"predicted:{label}": pd.array([1, 0], "Int8") for label in ("AU1", "AU2")}
    frame = pd.DataFrame({"status": "ok", "detail": "", **decisions}, index=index)
    for name, values in columns.items():
        column = name.replace("_", ":")
        frame = frame.drop(columns=column) if values is None else frame.assign(**{column: values})
    return RecordedPredictions("table", LabelSpace("AUs", ("AU1", "AU2")), frame, "1", task="multi-label")


def test_correct_multi_label_predictions_pass(toy):
    """Decisions, or scores, or both; missing where there is no answer."""
    data = toy(["anger", "fear"])
    index = data.samples.index
    check_loader(data.replace(recorded=recorded_decisions(index)))
    scores = {"score_AU1": [0.1, 0.2], "score_AU2": [0.1, np.nan]}
    check_loader(data.replace(recorded=recorded_decisions(index, predicted_AU1=None, predicted_AU2=None, **scores)))
    missing = pd.array([1, None], "Int8")
    check_loader(
        data.replace(recorded=recorded_decisions(index, status=["ok", "error"], predicted_AU1=missing, predicted_AU2=missing))
    )


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"predicted_AU2": None}, "must have a column predicted:LABEL or score:LABEL for every label"),
        ({"predicted": ["AU1", "AU2"]}, "must have no column 'predicted'"),
        ({"predicted_AU1": [1, 2]}, "recorded decisions must be 1 or 0 where the status is ok"),
        ({"predicted_AU1": pd.array([1, None], "Int8")}, "recorded decisions must be 1 or 0 where the status is ok"),
        ({"status": ["ok", "error"]}, "decisions must be 1 or 0 where the status is ok, and missing elsewhere"),
        (
            {"status": ["ok", "error"], "predicted_AU1": None, "predicted_AU2": None, "score_AU1": 0.5, "score_AU2": 0.5},
            "recorded scores must be missing where the status is not ok",
        ),
    ],
)
def test_each_fault_of_multi_label_predictions_is_named(toy, columns, complaint):
    """A table with one column per label has a contract of its own."""
    data = toy(["anger", "fear"])
    with pytest.raises(AssertionError, match=complaint):
        check_loader(data.replace(recorded=recorded_decisions(data.samples.index, **columns)))


def test_a_data_set_without_a_readable_image_is_a_fault(toy, tmp_path):
    """Wrong paths are the loader's fault."""
    from fairfer.datasets.images import FileImages

    data = toy(["anger"])
    with pytest.raises(AssertionError, match="no image can be read"):
        check_loader(data.replace(images=FileImages(tmp_path, {data.samples.index[0]: "gone.png"})))


def test_every_fault_is_named_at_once():
    """So that an author can fix them together."""
    with pytest.raises(AssertionError) as caught:
        check_model(Wrong(name="", batch_size=-1, labels=LabelSpace("x", ("a",)), version=""))
    assert str(caught.value).count("\n- ") == 3


# ---- what later checks find


class Scoring(FakeModel):
    """A model whose scores are changed by a function of the image."""

    def __init__(self, change, **options) -> None:
        super().__init__(**options)
        self.change = change

    def predict(self, images):
        """Changed scores."""
        answers = super().predict(images)
        return [dataclasses.replace(a, scores=self.change(a.scores, i)) for a, i in zip(answers, images, strict=True)]


@pytest.mark.parametrize(
    ("change", "options", "complaint"),
    [
        (lambda s, _: s * 5 - 1, {}, "image 0: scores must be probabilities, 0 to 1, not -0.877 to 0.596"),
        (lambda s, _: s / 2, {}, "image 0: scores of a single-label model must sum to 1, not 0.5"),
        (lambda s, _: s + 0.5, {"task": "multi-label"}, "image 0: scores must be probabilities, 0 to 1, not"),
    ],
)
def test_scores_are_probabilities(change, options, complaint):
    """Calibration and thresholds are computed from them."""
    with pytest.raises(AssertionError, match=complaint):
        check_model(Scoring(change, **options))


def test_labels_have_canonical_names():
    """A label ``Happy`` would never meet the truth ``happiness``."""
    with pytest.raises(AssertionError, match="label 'Happy' is a spelling of happiness; make the labels with"):
        check_model(FakeModel(LabelSpace("mine", ("Happy", "bored"))))


@pytest.mark.parametrize("side", [1, 8000])
def test_extreme_sizes_have_an_answer(side):
    """A status is one; an exception would end the run."""

    class Fragile(FakeModel):
        def predict(self, images):
            if any(len(image) == side for image in images):
                message = "cannot resize"
                raise ValueError(message)
            return super().predict(images)

    with pytest.raises(AssertionError, match=f"raises ValueError for an image of {side} x {side}: cannot resize"):
        check_model(Fragile())
    check_model(Fragile(), extreme=False)


def colors(path_or_image) -> np.ndarray:
    """Scores of two labels from the mean of red alone."""
    pixels = path_or_image if isinstance(path_or_image, np.ndarray) else np.asarray(Image.open(path_or_image))
    red = pixels[..., 0].mean() / 255
    return np.array([red, 1 - red])


class Colors(FakeModel):
    """A model that looks at one channel."""

    def __init__(self, channel: int, factor: float = 1) -> None:
        super().__init__(("happy", "sad"))
        self.channel, self.factor = channel, factor

    def predict(self, images):
        """From one channel."""
        reds = [np.roll(image, -self.channel, axis=2) for image in images]
        return [Prediction("ok", colors(red) * self.factor + (1 - self.factor) / 2) for red in reds]


def test_scores_are_compared_with_those_of_the_library_itself():
    """Only a reference shows that red and blue are exchanged, or that an image is scaled otherwise."""
    check_model(Colors(0), reference=colors)
    with pytest.raises(AssertionError, match="red and blue are exchanged, so the order of colors is wrong"):
        check_model(Colors(2), reference=colors)
    with pytest.raises(AssertionError, match=r"image 0: scores differ from the reference by [\d.]+$") as caught:
        check_model(Colors(0, 0.5), [np.full((9, 9, 3), 40, np.uint8)], reference=colors)
    assert "exchanged" not in str(caught.value)
    with pytest.raises(AssertionError, match=r"the reference returned scores of shape \(3,\), not \(2,\)"):
        check_model(Colors(0), reference=lambda path: [0.2, 0.3, 0.5])


def load_weights(target, fault="") -> FakeModel:
    """An adapter for files that start with ``weights``."""
    path = Path(target)
    if fault == "ascii" and not str(path).isascii():
        message = f"{path}: only ASCII"
        raise ModelError(message)
    if fault == "lenient":
        return FakeModel()
    if fault != "open" and not path.is_file():
        message = "no such file; correct the path" if fault == "nameless" else f"{path} does not exist\ncorrect the path"
        raise ModelError(message if fault in ("nameless", "long") else message.replace("\n", "; "))
    content = path.read_text(encoding="utf-8")
    if not content.startswith("weights"):
        message = f"{path} is not a file of weights; export it again"
        raise ModelError(message)
    blind = range(256) if fault == "answers" and not str(path).isascii() else ()
    return FakeModel(version=str(path) if fault == "version" else content, no_face=blind)


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("", None),
        ("ascii", "it cannot be loaded from a folder named"),
        ("version", "version or labels differ when it is loaded from another folder"),
        ("answers", "its answers differ when it is loaded from another folder"),
        ("open", "a file that is missing raises FileNotFoundError instead of a ModelError"),
        ("nameless", "the error for a file that is missing does not name it"),
        ("long", "the error for a file that is missing has more than one line"),
        ("lenient", "a file that is empty is loaded without an error"),
    ],
)
@pytest.mark.parametrize("folder", [False, True])
def test_an_adapter_loads_its_files(tmp_path, fault, complaint, folder):
    """From any folder, and with one line for what is no model."""
    target = tmp_path / "tiny" / "w.bin"
    target.parent.mkdir()
    target.write_text("weights 1", encoding="utf-8")

    def load(path):
        return load_weights(f"{path}/w.bin" if folder and Path(path).is_dir() else path, fault)

    chosen = target.parent if folder else target
    if complaint is None:
        check_loading(load, chosen)
    else:
        with pytest.raises(AssertionError, match=complaint):
            check_loading(load, chosen)


def write_layout(folder: Path) -> Path:
    """A folder of one image per label."""
    for label in ("happy", "sad"):
        (folder / "faces" / label).mkdir(parents=True)
        Image.fromarray(image(len(label))).save(folder / "faces" / label / "1.png")
    return folder / "faces"


def test_the_loaders_of_folders_and_tables_pass(tmp_path):
    """The kit is applied to fairfer's own."""
    check_layout(loaders()["folder"], write_layout(tmp_path))


EXAMPLE: list = []


def load_folder_or(path, error):
    """The dataset, or this error or the last dataset where there is none."""
    try:
        EXAMPLE[:] = [loaders()["folder"].load(path)]
    except DataError:
        if error is not None:
            raise error from None
    return EXAMPLE[0]


def load_named(path):
    """A dataset that depends on where it is."""
    dataset = loaders()["folder"].load(path)
    return dataset.replace(samples=dataset.samples.assign(where=str(path)))


def load_counted(path):
    """A dataset that depends on the number of calls."""
    EXAMPLE.append(None)
    dataset = loaders()["folder"].load(path)
    return dataset.replace(samples=dataset.samples.assign(calls=len(EXAMPLE)))


def load_ascii(path):
    """A loader that takes plain paths only."""
    if not str(path).isascii():
        message = f"{path}: only ASCII"
        raise DataError(message)
    return loaders()["folder"].load(path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"layout": " "}, "name and layout must be text"),
        ({"matches": lambda path: False}, "is false for the example"),
        ({"matches": lambda path: True}, "matches is true for a path that is empty"),
        ({"matches": lambda path: next(path.iterdir()).is_dir()}, "raises .*; it must return false"),
        ({"load": lambda path: load_folder_or(path, None)}, "a path that is missing is read without an error"),
        ({"load": lambda path: load_folder_or(path, ValueError("no"))}, "raises ValueError instead of a DataError"),
        ({"load": lambda path: load_folder_or(path, DataError("a\nb"))}, "has more than one line"),
        ({"load": load_named}, "the dataset differs when it is read from a folder named"),
        ({"load": load_counted}, "the dataset differs when it is read again"),
        ({"load": load_ascii}, "it cannot be read from a folder named"),
    ],
)
def test_each_fault_of_a_loader_is_named(tmp_path, change, complaint):
    """What a user would meet with another folder, another path, or a damaged file."""
    loader = dataclasses.replace(loaders()["folder"], **change)
    with pytest.raises(AssertionError, match=complaint):
        check_layout(loader, write_layout(tmp_path))
