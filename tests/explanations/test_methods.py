"""Integrated gradients, Grad-CAM, occlusion and RISE beside their definitions, and on planted networks."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from fairfer.errors import ModelError, UsageError
from fairfer.explanations.attribution import check_targets
from fairfer.explanations.methods import FACTORIES, make_method, methods
from fairfer.explanations.methods.black_box import blended, enlarged, filled
from fairfer.explanations.methods.rise import random_masks
from fairfer.labels import LabelSpace
from fairfer.models.model import Prediction, PredictionBatch

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = [
    pytest.mark.adapters,
    pytest.mark.skipif(find_spec("captum") is None or find_spec("zennit") is None, reason="captum or zennit is not installed"),
]
nn = torch.nn

SIDE = 24
MOUTH = np.s_[14:20, 6:18]
TARGETS = [0, 1, 2, 0, 1]


class Linear:
    """A black box whose scores are linear in the gray levels."""

    name = "linear"
    version = "1"
    labels = LabelSpace.of("tiny", ["happy", "sad", "angry"])
    batch_size = 7

    def __init__(self, side: int = SIDE) -> None:
        self.weights = np.random.default_rng(5).normal(size=(side, side, 3))

    def predict(self, images):
        x = np.stack([image.mean(axis=2) for image in images]) / 255
        return PredictionBatch(np.einsum("nij,ijk->nk", x, self.weights))


class Mask(nn.Module):
    """Lets only the mouth through."""

    def __init__(self, area=MOUTH, side=SIDE) -> None:
        super().__init__()
        mask = torch.zeros(1, 1, side, side)
        mask[(slice(None), slice(None), *area)] = 1
        self.register_buffer("mask", mask)

    def forward(self, x):
        return x * self.mask


def planted() -> nn.Module:
    """A network that looks only at the mouth: label 0 at its brightness, label 1 at its darkness."""
    network = nn.Sequential(
        Mask(), nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(2 * SIDE**2, 3, bias=False)
    )
    with torch.no_grad():
        network[1].weight[:] = torch.tensor([1.0, 0.5]).reshape(2, 1, 1, 1)
        network[4].weight[:] = 0.01
        network[4].weight[1] = -0.01
        network[4].weight[2] = 0.0
    return network


def mass_in_mouth(values):
    """Share of the absolute relevance of each map that lies on the mouth, at the maps' own resolution."""
    absolute = np.abs(values)
    return absolute[(slice(None), *MOUTH)].sum(axis=(1, 2)) / absolute.sum(axis=(1, 2))


# ---- integrated gradients


def test_integrated_gradients_sum_to_the_difference_of_logits(tiny, random_network, faces) -> None:
    """Completeness: a map sums to the logit of the image less that of its baseline, computed here by the network itself."""
    for baseline in ("mean", "black"):
        method = make_method("integrated-gradients", tiny(random_network), baseline=baseline, steps="200")
        maps = method.maps(faces, TARGETS)
        x = torch.from_numpy(tiny(random_network).inputs(faces)[0])
        plain = x.mean((2, 3), keepdim=True).expand_as(x) if baseline == "mean" else torch.zeros_like(x)
        with torch.inference_mode():
            logits, start = random_network(x).numpy(), random_network(plain).numpy()
        rows = np.arange(5)
        np.testing.assert_allclose(maps.outputs, logits[rows, TARGETS], atol=1e-5)
        np.testing.assert_allclose(maps.values.sum(axis=(1, 2)), (logits - start)[rows, TARGETS], atol=0.01)
        difference = (logits - start)[rows, TARGETS]
        np.testing.assert_allclose(maps.conserved, maps.values.sum(axis=(1, 2)) / difference, rtol=1e-4)


def test_integrated_gradients_of_a_linear_network_are_exact(tiny, faces) -> None:
    """Weight times the difference from the baseline, pixel by pixel."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 3))
    maps = make_method("integrated-gradients", tiny(network), batch_size="64").maps(faces, TARGETS)
    x = tiny(network).inputs(faces)[0][:, 0]
    weights = network[1].weight.detach().numpy().reshape(3, SIDE, SIDE)
    np.testing.assert_allclose(maps.values, weights[TARGETS] * (x - x.mean((1, 2), keepdims=True)), atol=1e-6)


def test_black_needs_limits(tiny, random_network) -> None:
    with pytest.raises(ModelError, match="baseline=black needs the lowest value"):
        make_method("integrated-gradients", tiny(random_network, limits=None), baseline="black")


# ---- Grad-CAM


def test_grad_cam_is_its_formula(tiny, random_network, faces) -> None:
    """Mean gradients times activations, summed over the channels, computed here with PyTorch alone."""
    maps = make_method("grad-cam", tiny(random_network)).maps(faces, TARGETS)
    x = torch.from_numpy(tiny(random_network).inputs(faces)[0])
    activations = random_network[:5](x).detach().requires_grad_()
    random_network[5:](activations)[range(5), TARGETS].sum().backward()
    coarse = (activations.grad.mean((2, 3), keepdim=True) * activations).sum(1, keepdim=True).detach()
    expected = nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear", align_corners=False)[:, 0]
    np.testing.assert_allclose(maps.values, expected.numpy(), atol=1e-6)
    assert np.isnan(maps.conserved).all()


def test_the_layer_of_grad_cam(tiny, random_network, faces) -> None:
    """By default the last convolution with its activation; by name any other; without a map of the image, an error."""
    from fairfer.explanations.methods.pytorch.gradients import find_layer

    assert make_method("grad-cam", tiny(random_network)).options["layer"] == "4"
    assert make_method("grad-cam", tiny(random_network), layer="0").options["layer"] == "0"
    bare = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 22 * 22, 3))
    assert make_method("grad-cam", tiny(bare)).options["layer"] == "0"
    normed = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    assert find_layer(normed, "", "tiny")[0] == "0"
    assert find_layer(nn.Sequential(*normed, nn.ReLU(), nn.Flatten()), "", "tiny")[0] == "2"
    with pytest.raises(ModelError, match="has no layer '11'; "):
        make_method("grad-cam", tiny(random_network), layer="11")
    dense = nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 3))
    cutting = nn.Sequential(nn.Conv2d(1, 4, 8, stride=8), nn.Flatten(2), nn.Flatten(), nn.Linear(36, 3))
    for network in (dense, cutting):
        with pytest.raises(ModelError, match="has no convolution with a map of the image; name a layer"):
            make_method("grad-cam", tiny(network))
    with pytest.raises(ModelError, match="activations of the layer 7 have no height and width"):
        make_method("grad-cam", tiny(random_network), layer="7").maps(faces, TARGETS)


# ---- occlusion


@pytest.mark.parametrize("fill", ["mean", "black", "blur"])
def test_occlusion_of_a_linear_model_is_exact(faces, fill) -> None:
    """With patches of one pixel, each pixel has its weight times its difference from the cover."""
    model = Linear()
    method = make_method("occlusion", model, side="24", patch="1", stride="1", fill=fill)
    maps = method.maps(faces[:2], [0, 2])
    for image, values, target in zip(faces, maps.values, [0, 2], strict=False):
        change = (image[..., 0].astype(float) - filled(image, fill)[..., 0]) / 255
        np.testing.assert_allclose(values, model.weights[..., target] * change, atol=1e-5)
    np.testing.assert_allclose(maps.frames, [[0, 0, 24, 24]] * 2)
    assert np.isnan(maps.conserved).all()


def test_patches_that_do_not_overlap_sum_to_the_falls(faces) -> None:
    """A patch spreads its fall over its pixels; a larger image is covered by the same grid."""
    model = Linear(48)
    large = [np.kron(face, np.ones((2, 2, 1), np.uint8)) for face in faces[:2]]
    maps = make_method("occlusion", model, side="24", patch="6", stride="6").maps(large, [1, 1])
    for image, values in zip(large, maps.values, strict=True):
        change = model.weights[..., 1] * (image[..., 0].astype(float) - np.rint(image[..., 0].mean())) / 255
        falls = change.reshape(4, 12, 4, 12).sum(axis=(1, 3))
        np.testing.assert_allclose(values, np.kron(falls / 36, np.ones((6, 6))), atol=1e-5)
        assert values.sum() == pytest.approx(falls.sum(), abs=1e-3)


def test_overlapping_patches_are_averaged_and_reach_the_edge() -> None:
    """Where patches do not end at the edge, one more does."""
    model = Linear(10)
    image = np.full((10, 10, 3), 100, np.uint8)
    image[9, 9] = 200
    maps = make_method("occlusion", model, side="10", patch="4", stride="4", fill="black").maps([image], [0])
    falls = {
        (t, s): (model.weights[t : t + 4, s : s + 4, 0] * image[t : t + 4, s : s + 4, 0] / 255).sum()
        for t in (0, 4, 6)
        for s in (0, 4, 6)
    }
    assert maps.values[0, 9, 9] == pytest.approx(falls[6, 6] / 16, abs=1e-5)
    assert maps.values[0, 6, 6] == pytest.approx(np.mean([falls[t, s] for t in (4, 6) for s in (4, 6)]) / 16, abs=1e-5)
    assert np.isfinite(maps.values).all()


def test_regions_that_are_covered(faces) -> None:
    """The fall of the score per region is that of a linear model; an empty region has none."""
    model = Linear()
    masks = np.zeros((5, 3, SIDE, SIDE), bool)
    masks[:, 0][(slice(None), *MOUTH)] = True
    masks[:, 1, :8] = True
    falls = make_method("occlusion", model, fill="black").regions(faces, TARGETS, list(masks))
    for i, (image, target) in enumerate(zip(faces, TARGETS, strict=True)):
        change = model.weights[..., target] * image[..., 0] / 255
        assert falls[i, 0] == pytest.approx(change[MOUTH].sum(), abs=1e-4)
        assert falls[i, 1] == pytest.approx(change[:8].sum(), abs=1e-4)
    assert np.isnan(falls[:, 2]).all()
    for wrong in (masks[:4], masks[:, :, 1:], masks[:, 0], [*masks[:4], masks[4, :2]]):
        with pytest.raises(UsageError, match="masks must be one array per image"):
            make_method("occlusion", model).regions(faces, TARGETS, list(wrong))


def test_a_model_without_an_answer(faces) -> None:
    """What is not defined stays undefined: an image without an answer, and pixels whose patches have none."""

    class Shy(Linear):
        """Finds no face where the top left corner is dark."""

        def predict(self, images):
            answers = super().predict(images)
            return [a if i[0, 0, 0] else Prediction("no_face") for a, i in zip(answers, images, strict=True)]

    seen, unseen = faces[0].copy(), faces[1].copy()
    seen[0, 0], unseen[0, 0] = 255, 0
    maps = make_method("occlusion", Shy(), side="24", patch="4", stride="4", fill="black").maps([seen, unseen], [0, 0])
    assert np.isnan(maps.values[0, :4, :4]).all()
    assert np.isfinite(maps.values[0, 4:, 4:]).all()
    assert np.isnan(maps.values[1]).all()
    assert np.isnan(maps.outputs).tolist() == [False, True]
    random = make_method("rise", Shy(), masks="20", side="24", fill="black").maps([seen, unseen], [0, 0])
    assert np.isfinite(random.values[0]).all()
    assert np.isnan(random.values[1]).all()


# ---- RISE


def test_rise_is_its_formula(faces) -> None:
    """The mean of masks weighted by scores, less what a pixel without effect has."""
    model = Linear()
    maps = make_method("rise", model, masks="40", side="24", fill="black", seed="3").maps(faces[:1], [1])
    masks = random_masks(40, 7, 0.5, 24, 3)
    masked = [np.rint(faces[0] * m[..., None]).astype(np.uint8) for m in masks]
    scores = model.predict(masked).scores[:, 1]
    paper = np.mean([s * m for s, m in zip(scores, masks, strict=True)], axis=0) / 0.5
    np.testing.assert_allclose(maps.values[0], paper - scores.mean() * masks.mean(axis=0) / 0.5, atol=1e-4)


def test_rise_follows_a_smooth_linear_model() -> None:
    """On a smooth linear model the map correlates with weight times gray level."""
    model = Linear()
    rows, columns = np.mgrid[:SIDE, :SIDE]
    model.weights = np.stack([np.sin(rows / 6) * np.cos(columns / 7)] * 3, axis=-1)
    image = np.full((SIDE, SIDE, 3), 200, np.uint8)
    values = make_method("rise", model, masks="4000", cells="8", side="24", fill="black").maps([image], [0]).values[0]
    assert np.corrcoef(values.ravel(), model.weights[..., 0].ravel())[0, 1] > 0.9


def test_masks_have_their_share_and_their_seed() -> None:
    """A pixel is visible with the stated probability; the seed decides."""
    masks = random_masks(3000, 5, 0.3, 17, 1)
    assert masks.shape == (3000, 17, 17)
    np.testing.assert_allclose(masks.mean(axis=0), 0.3, atol=0.03)
    assert (masks.min(), masks.max()) == (0, 1)
    np.testing.assert_array_equal(masks, random_masks(3000, 5, 0.3, 17, 1))
    assert not np.array_equal(masks[:9], random_masks(9, 5, 0.3, 17, 2))


# ---- every method


@pytest.mark.parametrize(
    ("name", "options", "least"),
    [
        ("lrp", {}, 0.95),
        ("lrp", {"rule": "epsilon-alpha2-beta1"}, 0.95),
        ("lrp", {"rule": "epsilon-gamma-box"}, 0.95),
        ("integrated-gradients", {}, 0.95),
        ("grad-cam", {}, 0.95),
        ("occlusion", {"side": "24", "patch": "2", "stride": "2"}, 0.95),
        # The masks of RISE are wider than a mouth and random: its map is a blurred one with noise around it.
        ("rise", {"side": "24", "masks": "3000", "cells": "12", "fill": "black"}, 0.5),
    ],
)
def test_a_network_that_looks_at_the_mouth_is_exposed(tiny, faces, name, options, least) -> None:
    """The relevance of a network that sees only the mouth lies there; the mouth is 12.5 % of the area."""
    model = tiny(planted(), scores=lambda logits: logits)
    values = make_method(name, model, **options).maps(faces[:2], [0, 0]).values
    assert (mass_in_mouth(values) > least).all()


@pytest.mark.parametrize("name", FACTORIES)
def test_darkness_speaks_for_the_opposite_label(tiny, faces, name) -> None:
    """The sign of a map: what speaks for one label speaks against the opposite one."""
    options = {"rise": {"side": "24", "masks": "100"}, "occlusion": {"side": "24"}}.get(name, {})
    model = tiny(planted(), scores=lambda logits: logits)
    method = make_method(name, model, **options)
    bright, dark = method.maps(faces[:2], [0, 0]), method.maps(faces[:2], [1, 1])
    np.testing.assert_allclose(bright.values, -dark.values, atol=1e-5)
    np.testing.assert_allclose(bright.outputs, -dark.outputs, atol=1e-5)


@pytest.mark.parametrize("name", FACTORIES)
def test_multi_label_models_are_explained_label_by_label(tiny, random_network, faces, name) -> None:
    """A gradient method explains the logit of the label, the others its own score."""
    model = tiny(random_network, task="multi-label")
    options = {"rise": {"masks": "5"}, "occlusion": {"patch": "24", "stride": "24"}}.get(name, {})
    method = make_method(name, model, **options)
    maps = method.maps(faces, TARGETS)
    with torch.inference_mode():
        logits = random_network(torch.from_numpy(model.inputs(faces)[0])).numpy()[range(5), TARGETS]
    expected = logits if method.explains == "logit" else 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(maps.outputs, expected, atol=1e-5)


def test_methods_are_listed() -> None:
    """Name, one line, needs and options of each method; a wrong name or target is one sentence."""
    listed = {entry.name: entry for entry in methods()}
    assert list(listed) == ["lrp", "integrated-gradients", "grad-cam", "occlusion", "rise"]
    assert [entry.needs_gradients for entry in listed.values()] == [True, True, True, False, False]
    assert listed["lrp"].options["rule"] == "epsilon-plus"
    assert all(entry.summary and not entry.summary.endswith(".") for entry in listed.values())
    with pytest.raises(UsageError, match="there is no method 'ocllusion'; did you mean 'occlusion'"):
        make_method("ocllusion", Linear())
    with pytest.raises(ModelError, match="method lrp needs gradients, which the model linear does not offer"):
        make_method("lrp", Linear())


@pytest.mark.parametrize(
    ("targets", "message"),
    [([0], "2 images have targets"), ([0, 3], "from 0 to 2"), ([-1, 0], "from 0 to 2"), ([0.0, 1.0], "whole numbers")],
)
def test_wrong_targets(faces, targets, message) -> None:
    with pytest.raises(UsageError, match=message):
        make_method("occlusion", Linear()).maps(faces[:2], targets)
    with pytest.raises(UsageError, match="there is no image"):
        check_targets([], [], 3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("occlusion", {"stride": "9"}, "stride \\(9\\) must be at most patch"),
        ("occlusion", {"fill": "white"}, "option fill='white' is not a choice"),
        ("rise", {"masks": "1"}, "option masks='1' must be a whole number of at least 2"),
        ("rise", {"visible": "1"}, "option visible='1' is not a number above 0 and of at most 0.99"),
    ],
)
def test_wrong_options(name, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        make_method(name, Linear(), **options)


def test_covers() -> None:
    """The covers of a part of an image, and a grid over an image whose size is no multiple of it."""
    image = np.zeros((10, 12, 3), np.uint8)
    image[:, 6:] = (200, 100, 50)
    np.testing.assert_array_equal(filled(image, "mean")[0, 0], [100, 50, 25])
    assert not filled(image, "black").any()
    blurred = filled(image, "blur")
    assert 0 < blurred[5, 5, 0] < 200
    grid = np.arange(6.0).reshape(2, 3)
    assert enlarged(grid, (5, 7)).tolist() == [[0, 0, 0, 1, 1, 2, 2]] * 3 + [[3, 3, 3, 4, 4, 5, 5]] * 2
    half = blended(image, np.full_like(image, 255), np.full((10, 12), 0.5))
    np.testing.assert_array_equal(half[0, 11], np.rint([227.5, 177.5, 152.5]))


def test_a_missing_captum(tiny, random_network, no_package) -> None:
    no_package("captum", ModuleNotFoundError("No module named 'captum'", name="captum"))
    for name in ("integrated-gradients", "grad-cam"):
        with pytest.raises(ModelError, match=rf"method {name} needs the package 'captum'.*fairfer\[explain\]"):
            make_method(name, tiny(random_network))
