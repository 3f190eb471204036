"""Checks of maps: on models whose relevant pixels are known, and beside SciPy."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from scipy import stats

from fairfer.errors import ModelError, UsageError
from fairfer.explanations.attribution import Maps
from fairfer.explanations.faithfulness import Mean, agreement, perturbation, randomization, rank_correlations
from fairfer.explanations.methods import make_method
from fairfer.explanations.placing import on_grid, place
from fairfer.labels import LabelSpace
from fairfer.models.model import Prediction, PredictionBatch

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = [
    pytest.mark.adapters,
    pytest.mark.skipif(find_spec("captum") is None or find_spec("zennit") is None, reason="captum or zennit is not installed"),
]
nn = torch.nn
TARGETS = [0, 1, 2, 0, 1]


class Additive:
    """A black box whose scores are linear in the gray levels."""

    name = "additive"
    version = "1"
    labels = LabelSpace.of("tiny", ["happy", "sad", "angry"])

    def __init__(self) -> None:
        self.weights = np.random.default_rng(5).normal(size=(24, 24, 3))

    def predict(self, images):
        x = np.stack([image.mean(axis=2) for image in images]) / 255
        return PredictionBatch(np.einsum("nij,ijk->nk", x, self.weights))


def exact(model, faces, sign=1.0):
    """The method and maps of a linear model: weight times gray level."""
    method = make_method("occlusion", model, fill="black")
    values = np.stack([model.weights[..., t] * f[..., 0] / 255 for f, t in zip(faces, TARGETS, strict=True)])
    frames = np.array([[0.0, 0.0, 24.0, 24.0]] * 5)
    return method, Maps(np.float32(sign * values), frames, np.zeros(5), np.full(5, np.nan))


# ---- deletion and insertion


def test_curves_of_a_linear_model_are_cumulative_sums(faces) -> None:
    """Covering with black removes the largest terms first; uncovering adds them first."""
    model = Additive()
    method, maps = exact(model, faces)
    curves = perturbation(method, faces, TARGETS, maps=maps, steps=4, fill="black")
    for i, values in enumerate(maps.values.astype(float)):
        sums = np.concatenate([[0], np.cumsum(np.sort(values.ravel())[::-1])])[[0, 144, 288, 432, 576]]
        np.testing.assert_allclose(curves.deletion[i], values.sum() - sums, atol=1e-3)
        np.testing.assert_allclose(curves.insertion[i], sums, atol=1e-3)
    np.testing.assert_allclose(curves.area(curves.insertion), [np.trapezoid(c, dx=0.25) for c in curves.insertion])
    np.testing.assert_allclose(curves.random_deletion[:, [0, -1]], curves.deletion[:, [0, -1]], atol=1e-4)
    assert curves.deletion_gain.low > 0
    assert curves.insertion_gain.low > 0


def test_a_map_that_is_turned_around_is_worse_than_random(faces) -> None:
    method, maps = exact(Additive(), faces, sign=-1.0)
    curves = perturbation(method, faces, TARGETS, maps=maps, steps=5, fill="black", seed=2)
    assert curves.deletion_gain.high < 0
    assert curves.insertion_gain.high < 0


def test_a_map_of_noise_is_no_better_than_random(faces) -> None:
    """Over many faces, the interval of a map that knows nothing contains 0."""
    model = Additive()
    method, _ = exact(model, faces)
    rng = np.random.default_rng(8)
    many = [faces[i % 5] for i in range(60)]
    noise = Maps(np.float32(rng.normal(size=(60, 24, 24))), np.array([[0.0, 0, 24, 24]] * 60), np.zeros(60), np.zeros(60))
    curves = perturbation(method, many, [0] * 60, maps=noise, steps=3, fill="black")
    assert curves.deletion_gain.low < 0 < curves.deletion_gain.high
    assert curves.insertion_gain.low < 0 < curves.insertion_gain.high


def test_what_has_no_map_has_no_curve(faces) -> None:
    """An undefined map gives an undefined curve, and an image without an answer too."""
    method, maps = exact(Additive(), faces)
    maps.values[1] = np.nan
    curves = perturbation(method, faces, TARGETS, maps=maps, steps=2)
    assert np.isnan(curves.deletion).all(axis=1).tolist() == [False, True, False, False, False]
    assert curves.deletion_gain.n == 4
    assert perturbation(method, faces[:1], [0], steps=1).shares.tolist() == [0, 1]
    for wrong in ({"steps": 0}, {"maps": exact(Additive(), faces)[1]}):
        with pytest.raises(UsageError, match="give"):
            perturbation(method, faces[:2], [0, 1], **wrong)


# ---- random weights


def test_random_weights_change_a_gradient_map_and_not_one_of_edges(tiny, random_network, faces) -> None:
    """Gradients depend on the weights; a network whose maps are its input's edges whatever its weights does not."""
    result = randomization(make_method("integrated-gradients", tiny(random_network)), faces, TARGETS)
    assert result.stages == ("all",)
    assert result.final.value < 0.2
    assert result.final.value == pytest.approx(np.abs(result.signed[0]).mean())

    class Bright(nn.Module):
        """Its answer is the brightness times one weight, so that every map is the image itself."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Linear(1, 3, bias=False)

        def forward(self, x):
            return self.scale((x**2).sum((1, 2, 3))[:, None])

    blind = randomization(make_method("integrated-gradients", tiny(Bright()), baseline="black"), faces, TARGETS)
    np.testing.assert_allclose(blind.absolute, 1, atol=1e-6)
    assert blind.final.value == pytest.approx(1)
    assert blind.final_absolute.value == pytest.approx(1)
    assert (blind.signed < 0).any()  # a random weight may have the other sign


def test_layers_become_random_from_the_output_to_the_input(tiny, random_network, faces) -> None:
    """Each stage has the layers before it too; the last is the same as all at once; the model itself is not changed."""
    before = {name: weights.clone() for name, weights in random_network.state_dict().items()}
    method = make_method("grad-cam", tiny(random_network))
    steps = randomization(method, faces, TARGETS, cascading=True, seed=4)
    assert steps.stages == ("9", "7", "3", "0")
    whole = randomization(method, faces, TARGETS, seed=4)
    np.testing.assert_allclose(steps.absolute[-1], whole.absolute[0])
    assert not np.allclose(steps.absolute[-1], randomization(method, faces, TARGETS, seed=5).absolute[0])
    assert all(torch.equal(before[name], weights) for name, weights in random_network.state_dict().items())
    state = torch.random.get_rng_state()
    randomization(method, faces, TARGETS)
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_black_box_method_asks_the_random_network(tiny, random_network, faces) -> None:
    """Occlusion of a model that offers its network is checked too."""
    method = make_method("occlusion", tiny(random_network), side="24", patch="6", stride="6")
    maps = method.maps(faces, TARGETS)
    result = randomization(method, faces, TARGETS, maps=maps)
    assert result.absolute.shape == (1, 5)
    assert np.abs(result.signed).max() < 0.99


def test_weights_without_an_initialization_are_shuffled(tiny, faces) -> None:
    """A layer with weights of its own keeps their values in another order."""
    from fairfer.explanations.methods.pytorch.randomized import randomize, weight_layers

    class Weighted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.Parameter(torch.arange(24.0 * 24 * 3).reshape(3, 24, 24))

        def forward(self, x):
            return (x * self.weights).sum((2, 3))

    network = tiny(Weighted()).differentiable()
    assert weight_layers(network.module) == [""]
    changed = randomize(network, [""], 1)
    assert not torch.equal(changed.module.weights, network.module.weights)
    assert torch.equal(changed.module.weights.flatten().sort()[0], network.module.weights.flatten())
    assert changed.version != network.version


def test_what_cannot_be_made_random(tiny, random_network, faces) -> None:
    with pytest.raises(ModelError, match="the model additive does not offer its network"):
        randomization(make_method("occlusion", Additive()), faces, TARGETS)
    method = make_method("occlusion", tiny(random_network))
    method.name = "own"
    with pytest.raises(UsageError, match="the method own cannot be made for another network"):
        randomization(method, faces, TARGETS)


# ---- agreement


def test_rank_correlations_are_those_of_scipy() -> None:
    """With ties, too; a constant or undefined map has none."""
    rng = np.random.default_rng(3)
    one, other = rng.integers(0, 4, (2, 6, 5, 5)).astype(float)
    one[4], other[5, 0, 0] = 2, np.nan
    ours = rank_correlations(one, other)
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one[:4], other[:4], strict=True)]
    np.testing.assert_allclose(ours[:4], expected)
    assert np.isnan(ours[4:]).all()


def test_methods_agree_where_their_positive_parts_do(faces) -> None:
    """Maps of different resolutions are compared on one grid over the image; the negative parts do not count."""
    rng = np.random.default_rng(1)
    coarse = rng.normal(size=(5, 6, 6)).astype(np.float32)
    fine = np.kron(coarse, np.ones((1, 4, 4), np.float32))
    frames = np.array([[0.0, 0, 24, 24]] * 5)
    nothing = np.full(5, np.nan)
    maps = {
        "coarse": Maps(coarse, frames, nothing, nothing),
        "fine": Maps(
            np.where(fine < 0, -np.abs(rng.normal(size=fine.shape)), fine).astype(np.float32), frames, nothing, nothing
        ),
        "noise": Maps(rng.normal(size=(5, 24, 24)).astype(np.float32), frames, nothing, nothing),
    }
    maps["noise"].values[0] = np.nan
    results = {r.methods: r for r in agreement(maps, faces, side=6)}
    assert list(results) == [("coarse", "fine"), ("coarse", "noise"), ("fine", "noise")]
    assert (results["coarse", "fine"].correlations > 0.8).all()
    assert np.isnan(results["coarse", "noise"].correlations).tolist() == [True, False, False, False, False]
    assert results["coarse", "noise"].mean.n == 4
    assert abs(results["coarse", "noise"].mean.value) < 0.4


def test_the_interval_of_a_mean_is_that_of_scipy() -> None:
    values = np.array([0.1, 0.4, np.nan, 0.3, 0.9])
    mean = Mean.of(values)
    known = values[np.isfinite(values)]
    low, high = stats.t.interval(0.95, 3, known.mean(), stats.sem(known))
    assert (mean.value, mean.low, mean.high, mean.n) == (pytest.approx(0.425), pytest.approx(low), pytest.approx(high), 4)
    assert Mean.of(values[:1]) == Mean(0.1, None, None, 1)
    assert Mean.of(values[2:3]) == Mean(None, None, None, 0)


# ---- placing


def test_a_map_is_placed_over_its_image() -> None:
    """A map of the size of its frame keeps its values; outside of the frame there is nothing; enlarging is bilinear."""
    values = np.arange(12.0).reshape(3, 4)
    placed = place(values, np.array([2.0, 1.0, 4.0, 3.0]), (5, 7), (5, 7))
    expected = np.full((5, 7), np.nan)
    expected[1:4, 2:6] = values
    np.testing.assert_allclose(placed, expected)
    beyond = place(values, np.array([-1.0, -1.0, 4.0, 3.0]), (2, 2), (2, 2))
    np.testing.assert_allclose(beyond, values[1:3, 1:3])
    np.testing.assert_allclose(
        place(np.array([[0.0, 1.0]]), np.array([0.0, 0.0, 4.0, 1.0]), (1, 4), (1, 4)), [[0, 0.25, 0.75, 1]]
    )
    maps = Maps(values[None].astype(np.float32), np.array([[0.0, 0.0, 8.0, 6.0]]), np.zeros(1), np.zeros(1))
    np.testing.assert_allclose(on_grid(maps, [np.zeros((6, 8, 3), np.uint8)], 1), [[[5.5]]])


def test_a_model_without_answers_has_no_curves(faces) -> None:
    class Silent(Additive):
        def predict(self, images):
            return [Prediction("error")] * len(images)

    method, maps = exact(Additive(), faces)
    method = make_method("occlusion", Silent(), fill="black")
    assert perturbation(method, faces, TARGETS, maps=maps, steps=2).deletion_gain == Mean(None, None, None, 0)
