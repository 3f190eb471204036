"""Layer-wise relevance propagation beside one written by hand in NumPy."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from fairfer.errors import ModelError, UsageError
from fairfer.explanations.methods import make_method

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = [
    pytest.mark.adapters,
    pytest.mark.skipif(find_spec("zennit") is None, reason="zennit is not installed"),  # importing it may need a stand-in
]
nn = torch.nn

TINY = 1e-6


# ---- an implementation by hand, in double precision, one image at a time


def stabilized(z):
    return z + np.where(z >= 0, TINY, -TINY)


def by_rms(z, epsilon):
    return z + np.where(z >= 0, 1, -1) * epsilon * np.sqrt((z**2).mean())


def patches(x, kernel):
    """Rows of the matrix of a valid convolution: (channels, rows, columns) to a list of (row, column, slices)."""
    height, width = x.shape[1] - kernel + 1, x.shape[2] - kernel + 1
    return [(r, c, np.s_[:, r : r + kernel, c : c + kernel]) for r in range(height) for c in range(width)]


def convolve(x, weight):
    kernel = weight.shape[2]
    out = np.zeros((len(weight), x.shape[1] - kernel + 1, x.shape[2] - kernel + 1))
    for r, c, area in patches(x, kernel):
        out[:, r, c] = (weight * x[area]).sum(axis=(1, 2, 3))
    return out


def pull_back(relevance, x, weight):
    """Relevance of the input of a convolution whose parts of the output are proportional to x * weight."""
    z = stabilized(convolve(x, weight))
    back = np.zeros_like(x)
    for r, c, area in patches(x, weight.shape[2]):
        share = (relevance[:, r, c] / z[:, r, c])[:, None, None, None]
        back[area] += (share * weight * x[area]).sum(axis=0)
    return back


def convolution(relevance, x, weight, rule):
    """z-plus or alpha-beta (2, 1), for inputs of either sign."""
    # Positive contributions come from positive weights of positive inputs and negative weights of negative inputs.
    both = np.concatenate([x.clip(min=0), x.clip(max=0)])
    plus = np.concatenate([weight.clip(min=0), weight.clip(max=0)], axis=1)
    minus = np.concatenate([weight.clip(max=0), weight.clip(min=0)], axis=1)
    positive = pull_back(relevance, both, plus)
    total = positive if rule == "epsilon-plus" else 2 * positive - pull_back(relevance, both, minus)
    n = len(x)
    return total[:n] + total[n:]


def linear(relevance, x, weight, epsilon):
    z = weight @ x
    return x * (weight.T @ (relevance / by_rms(z, epsilon)))


def max_pool(relevance, x):
    back = np.zeros_like(x)
    for k, r, c in np.ndindex(relevance.shape):
        area = x[k, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2]
        i, j = np.unravel_index(area.argmax(), (2, 2))
        back[k, 2 * r + i, 2 * c + j] += relevance[k, r, c]
    return back


def mean_pool(relevance, x):
    back = np.zeros_like(x)
    for k, r, c in np.ndindex(relevance.shape):
        area = np.s_[k, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2]
        back[area] = x[area] / 4 / stabilized(x[area].mean()) * relevance[k, r, c]
    return back


def by_hand(network, x, target, rule, epsilon):
    """(24, 24) relevance of one (1, 24, 24) input of the fixture `random_network`."""
    weights = [p.double().numpy() for p in network.state_dict().values()]
    w1, b1, w2, b2, w3, b3, w4, b4 = weights
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    a1 = (convolve(padded, w1) + b1[:, None, None]).clip(min=0)
    p1 = a1.reshape(4, 12, 2, 12, 2).max(axis=(2, 4))
    a2 = (convolve(p1, w2) + b2[:, None, None]).clip(min=0)
    p2 = a2.reshape(6, 5, 2, 5, 2).mean(axis=(2, 4))
    a3 = (w3 @ p2.ravel() + b3).clip(min=0)
    logits = w4 @ a3 + b4
    relevance = np.zeros(3)
    relevance[target] = logits[target]
    relevance = linear(linear(relevance, a3, w4, epsilon), p2.ravel(), w3, epsilon).reshape(p2.shape)
    relevance = convolution(mean_pool(relevance, a2), p1, w2, rule)
    relevance = convolution(max_pool(relevance, a1), padded, w1, rule)[0, 1:-1, 1:-1]
    return relevance, logits[target]


@pytest.mark.parametrize("rule", ["epsilon-plus", "epsilon-alpha2-beta1"])
@pytest.mark.parametrize("epsilon", ["0.05", "1e-6"])
def test_relevance_is_that_of_an_implementation_by_hand(tiny, random_network, faces, rule, epsilon) -> None:
    """Maps, logits and sums agree with NumPy in double precision."""
    model = tiny(random_network)
    targets = [0, 1, 2, 0, 1]
    maps = make_method("lrp", model, rule=rule, epsilon=epsilon).maps(faces, targets)
    inputs, frames = model.inputs(faces)
    np.testing.assert_array_equal(maps.frames, frames)
    for i, (x, target) in enumerate(zip(inputs.astype(float), targets, strict=True)):
        expected, logit = by_hand(random_network, x, target, rule, float(epsilon))
        scale = np.abs(expected).max()
        np.testing.assert_allclose(maps.values[i] / scale, expected / scale, atol=2e-3)
        assert maps.outputs[i] == pytest.approx(logit, abs=1e-5)
        assert maps.conserved[i] == pytest.approx(expected.sum() / logit, rel=5e-3, abs=5e-3)


def test_negative_inputs_have_both_halves_of_a_rule(tiny, random_network, faces) -> None:
    """A standardized input, which has negative values, goes through zennit's whole rule."""

    class Centered(tiny):
        def inputs(self, images):
            x, frames = super().inputs(images)
            return x - 0.5, frames

    for rule in ("epsilon-plus", "epsilon-alpha2-beta1"):
        model = Centered(random_network, limits=(-0.5, 0.5))
        maps = make_method("lrp", model, rule=rule).maps(faces[:2], [0, 2])
        for i, target in enumerate([0, 2]):
            expected, _ = by_hand(random_network, model.inputs(faces)[0][i].astype(float), target, rule, 0.05)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(maps.values[i] / scale, expected / scale, atol=2e-3)


@pytest.mark.parametrize("rule", ["epsilon-plus", "epsilon-gamma-box"])
def test_relevance_is_conserved(tiny, random_network, faces, rule) -> None:
    """With a negligible epsilon and without biases, a map sums to the logit.

    Alpha-beta promises this only where each unit has contributions of both signs; it is compared with the one by hand.
    """
    for layer in random_network:
        if hasattr(layer, "bias"):
            nn.init.zeros_(layer.bias)
    maps = make_method("lrp", tiny(random_network), rule=rule, epsilon="1e-6").maps(faces, [0, 1, 2, 0, 1])
    np.testing.assert_allclose(maps.conserved, 1, atol=2e-3)
    np.testing.assert_allclose(maps.values.sum(axis=(1, 2)), maps.outputs, rtol=2e-3)


def test_batches_do_not_matter(tiny, random_network, faces) -> None:
    """Each map depends on its own image only."""
    model = tiny(random_network)
    whole = make_method("lrp", model).maps(faces, [0, 1, 2, 0, 1])
    parts = make_method("lrp", model, batch_size="2").maps(faces, [0, 1, 2, 0, 1])
    np.testing.assert_allclose(whole.values, parts.values, atol=1e-6)
    assert len(whole) == len(parts) == 5
    assert [p.shape for p in (parts.frames, parts.outputs, parts.conserved)] == [(5, 4), (5,), (5,)]


def test_batch_norm_is_folded(tiny, faces) -> None:
    """A network with batch norm has the map of the same network with the norm folded into the convolution."""
    torch.manual_seed(1)
    conv, norm, head = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Linear(3 * 22 * 22, 3)
    norm.running_mean.uniform_(-0.2, 0.2)
    norm.running_var.uniform_(0.5, 2)
    nn.init.uniform_(norm.weight, 0.5, 2)
    nn.init.uniform_(norm.bias, -0.2, 0.2)
    folded = nn.Conv2d(1, 3, 3)
    with torch.no_grad():
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        folded.weight.copy_(conv.weight * gain[:, None, None, None])
        folded.bias.copy_((conv.bias - norm.running_mean) * gain + norm.bias)
    one = make_method("lrp", tiny(nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), head))).maps(faces, [0] * 5)
    other = make_method("lrp", tiny(nn.Sequential(folded, nn.ReLU(), nn.Flatten(), head))).maps(faces, [0] * 5)
    np.testing.assert_allclose(one.outputs, other.outputs, atol=1e-5)
    np.testing.assert_allclose(one.values, other.values, atol=1e-5)
    assert norm.running_mean.abs().sum() > 0  # the model's own network is as it was


def test_a_residual_sum_shares_relevance(tiny, faces) -> None:
    """A sum that is a module divides relevance among its branches instead of doubling it."""
    from fairfer.models.pytorch.layers import Residual

    torch.manual_seed(2)
    branch = nn.Conv2d(4, 4, 3, padding=1, bias=False)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),
        nn.ReLU(),
        Residual(branch),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 22 * 22, 3, bias=False),
    )
    maps = make_method("lrp", tiny(network), epsilon="1e-6").maps(faces, [0, 1, 2, 0, 1])
    np.testing.assert_allclose(maps.conserved, 1, atol=0.02)


def test_mirrored_models_have_the_mean_of_two_maps(tiny, random_network, faces) -> None:
    """The map of the mirror image is mirrored back."""
    targets = [0, 1, 2, 0, 1]
    single = make_method("lrp", tiny(random_network))
    straight, turned = single.maps(faces, targets), single.maps([f[:, ::-1] for f in faces], targets)
    both = make_method("lrp", tiny(random_network, mirrored=True)).maps(faces, targets)
    np.testing.assert_allclose(both.values, (straight.values + turned.values[:, :, ::-1]) / 2, atol=1e-6)
    np.testing.assert_allclose(both.outputs, (straight.outputs + turned.outputs) / 2, atol=1e-5)


def test_known_weaknesses_are_stated(tiny, random_network) -> None:
    """z-plus and alpha-beta carry a warning; the options are written out."""
    plus = make_method("lrp", tiny(random_network))
    assert not plus.trusted
    assert "z-plus" in plus.warning
    assert "Sixt" in plus.warning
    assert plus.options == {"rule": "epsilon-plus", "epsilon": "0.05", "device": "cpu"}
    assert (plus.name, plus.needs_gradients, plus.explains) == ("lrp", True, "logit")
    other = make_method("lrp", tiny(random_network), rule="epsilon-alpha2-beta1")
    assert "alpha-beta" in other.warning


def test_what_has_no_rule_is_refused(tiny, random_network, faces) -> None:
    """Networks for which relevance is not defined give one sentence."""
    normed = nn.Sequential(nn.Flatten(), nn.LayerNorm(576), nn.Linear(576, 3))
    with pytest.raises(ModelError, match=r"no rule for the layer 1 \(LayerNorm\) of the model tiny; use integrated-gradients"):
        make_method("lrp", tiny(normed))
    with pytest.raises(ModelError, match="epsilon-gamma-box needs the lowest and highest value"):
        make_method("lrp", tiny(random_network, limits=None), rule="epsilon-gamma-box")
    again = nn.Linear(576, 576)
    with pytest.raises(ModelError, match="the layer 1 is used more than once"):
        make_method("lrp", tiny(nn.Sequential(nn.Flatten(), again, nn.ReLU(), again, nn.Linear(576, 3)))).maps(faces, [0] * 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "epsilon-pluss"}, "option rule='epsilon-pluss' is not a choice; did you mean 'epsilon-plus'"),
        ({"epsilon": "0"}, "option epsilon='0' is not a number above 0"),
        ({"epsilon": "much"}, "option epsilon='much' is not a number above 0"),
        ({"batch_size": "0"}, "option batch_size='0' must be a whole number of at least 1"),
        ({"rules": "x"}, "method lrp has no option 'rules'; did you mean 'rule'"),
    ],
)
def test_wrong_options(tiny, random_network, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        make_method("lrp", tiny(random_network), **options)


def test_a_device_that_is_not_there(tiny, random_network) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ModelError, match=r"option device='cuda' cannot be used here .*; use cpu"):
        make_method("lrp", tiny(random_network), device="cuda")


@pytest.mark.parametrize(
    ("package", "error", "message"),
    [
        ("torch", ModuleNotFoundError("No module named 'torch'", name="torch"), r"'torch', which is not .*fairfer\[explain\]"),
        ("zennit", ModuleNotFoundError("No", name="torchvision"), r"'torchvision', which is not .*fairfer\[explain\]"),
        (
            "zennit",
            RuntimeError("operator torchvision::nms does not exist"),
            "nms does not exist.*a torchvision that fits PyTorch",
        ),
    ],
)
def test_missing_packages(tiny, random_network, no_package, package, error, message) -> None:
    """A missing or broken package is one sentence."""
    no_package(package, error)
    with pytest.raises(ModelError, match=message):
        make_method("lrp", tiny(random_network))
