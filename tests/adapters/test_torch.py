"""``torch:``: modules, TorchScript, exported programs and files of weights."""

from __future__ import annotations

import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

from fairfer.errors import ModelError
from fairfer.models.registry import load_model
from fairfer.testing import check_loading, check_model

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

OPTIONS = {"labels": "happy,sad,angry", "size": "8x6", "color": "gray", "scaling": "0..1"}

SOURCE = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.drop = torch.nn.Dropout(0.9)
        self.linear = torch.nn.Linear(48, 3)

    def forward(self, x):
        return self.linear(self.drop(x.flatten(1)))

net = Net()
number = 3

def make():
    return Net()

def needy(size):
    return Net()

class Pair(Net):
    def forward(self, x):
        return super().forward(x), x
"""


@pytest.fixture
def module(monkeypatch, tmp_path):
    """A module ``own_net`` in the current folder."""
    (tmp_path / "own_net.py").write_text(textwrap.dedent(SOURCE), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_net", raising=False)
    yield tmp_path
    sys.modules.pop("own_net", None)


def by_hand(path):
    """The scores of an image by Pillow and NumPy alone."""
    net = sys.modules["own_net"].net
    image = Image.open(path)
    gray = np.asarray((image.resize((6, 8), Image.Resampling.BILINEAR) if image.size != (6, 8) else image).convert("L"))
    weights, bias = (p.detach().numpy().astype(float) for p in net.linear.parameters())
    logits = weights @ (gray.astype(float).ravel() / 255) + bias
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


@pytest.mark.parametrize("attribute", ["net", "Net", "make"])
@pytest.mark.usefixtures("module")
def test_a_module_is_a_model(attribute):
    """An instance, a class, or a function: one line, and the same scores as by hand. Dropout is off."""
    check_model(load_model(f"torch:own_net:{attribute}", **OPTIONS), reference=by_hand, extreme=attribute == "net")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"labels": "happy,sad"}, "labels: 2 labels, but the network's output has the shape 1 x 3"),
        ({"labels": ""}, "option labels='' is neither a list nor a label space"),
        ({"labels": "happy,happy,sad"}, "has happiness more than once"),
        ({"size": "9"}, "the network fails on a plain gray image (mat1 and mat2 shapes cannot be multiplied"),
        ({"size": "big"}, "option size='big' is not a size; write 64, or 48x64"),
        ({"colour": "gray"}, "has no option 'colour'; did you mean 'color'?"),
        ({"color": "grey"}, "color 'grey' is not a choice; did you mean 'gray'?"),
        ({"scaling": "0..2"}, "option scaling='0..2' is not a choice"),
        ({"scaling": None}, "does not say how pixels are scaled; add --option scaling="),
        ({"size": None}, "does not say which size images have; add --option size=64"),
        ({"labels": None}, "does not name its labels; add --option labels=happy,sad,…"),
        ({"mean": "0.5"}, "option scaling='0..1' sets scale, mean and std; remove it, or remove mean"),
        ({"output": "probabilities"}, 'is declared as "probabilities"'),
        ({"output": "odds"}, "option output='odds' is not a choice"),
        ({"task": "regression"}, "option task='regression' is not a choice"),
        ({"device": "tpu9"}, "option device='tpu9' cannot be used here"),
        ({"weights": "missing.pt"}, "option weights: missing.pt does not exist"),
    ],
)
@pytest.mark.usefixtures("module")
def test_a_wrong_option_is_one_line(change, complaint):
    """What is wrong, where, and what to write."""
    options = {k: v for k, v in {**OPTIONS, **change}.items() if v is not None}
    with pytest.raises(ModelError) as caught:
        load_model("torch:own_net:net", **options)
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("model torch:own_net:net")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("own_net:number", "is of type int, not an nn.Module"),
        ("own_net:needy", "calling needy without arguments fails"),
        ("own_net:Pair", "the network returns a tuple instead of a tensor"),
        ("own_net:absent", "module own_net has no 'absent'"),
        ("nowhere:net", "no module 'nowhere'"),
        ("own_net", "is neither a file (.pt, .pth, .ts, .pt2) nor an import path"),
        ("missing.pt", "missing.pt does not exist"),
        ("missing.pt2", "missing.pt2 does not exist"),
    ],
)
@pytest.mark.usefixtures("module")
def test_a_wrong_target_is_one_line(target, complaint):
    with pytest.raises(ModelError) as caught:
        load_model(f"torch:{target}", **OPTIONS)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def saved(folder, kind, name="net"):
    """The network in a file."""
    import own_net

    folder.mkdir(exist_ok=True)
    net = own_net.net.eval()
    example = torch.zeros(2, 1, 8, 6)
    if kind == "script":
        path = folder / f"{name}.pt"
        torch.jit.save(torch.jit.script(net), str(path))
    elif kind == "exported":
        path = folder / f"{name}.pt2"
        torch.export.save(torch.export.export(net, (example,), dynamic_shapes=({0: torch.export.Dim.AUTO},)), path)
    elif kind == "static":
        path = folder / f"{name}.pt2"
        torch.export.save(torch.export.export(net, (example,)), path)
    elif kind == "weights":
        path = folder / f"{name}.pt"
        torch.save(net.state_dict(), path)
    elif kind == "checkpoint":
        path = folder / f"{name}.pt"
        torch.save({"state_dict": net.state_dict(), "epoch": 3}, path)
    else:
        path = folder / f"{name}.pt"
        torch.save(net, path)
    return path


@pytest.mark.filterwarnings("ignore")  # TorchScript is deprecated
@pytest.mark.parametrize("kind", ["script", "exported", "static"])
def test_files_of_networks_give_the_scores_of_the_module(module, images, kind):
    """An exported program for exactly two images answers any number."""
    import own_net

    assert own_net
    path = saved(module / "file", kind)
    model = load_model(f"torch:{path}", **OPTIONS)
    check_model(model, images, reference=by_hand)
    check_loading(lambda target: load_model(f"torch:{target}", **OPTIONS), path)


@pytest.mark.parametrize("kind", ["weights", "checkpoint"])
def test_weights_belong_to_a_module(module, images, kind):
    """With ``weights_only``; other weights are another version."""
    import own_net

    path = saved(module, kind)
    with torch.no_grad():
        own_net.net.linear.weight[0] += 1
    before = load_model("torch:own_net:make", **OPTIONS)
    model = load_model("torch:own_net:make", weights=str(path), **OPTIONS)
    assert model.version != before.version
    assert np.allclose(model.predict(images)[0].scores, before.predict(images)[0].scores, atol=1e-6)
    other = saved(module, kind, "other")
    moved = load_model("torch:own_net:make", weights=str(other), **OPTIONS)
    assert moved.version not in (model.version, before.version)
    assert not np.allclose(moved.predict(images)[0].scores, model.predict(images)[0].scores, atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("pickle", "holds pickled Python objects, and loading them can run any code"),
        ("weights", "holds weights without a network; name the network too: torch:package.module:attribute --option weights="),
    ],
)
def test_a_file_of_something_else_says_what_to_do(module, kind, complaint):
    import own_net

    assert own_net
    path = saved(module, kind)
    with pytest.raises(ModelError, match=complaint):
        load_model(f"torch:{path}", **OPTIONS)


def test_weights_of_another_network_do_not_fit(module):
    torch.save(torch.nn.Linear(2, 2).state_dict(), module / "other.pt")
    (module / "page.pt").write_text("<html>", encoding="utf-8")
    for name, complaint in (("other.pt", "does not fit the network"), ("page.pt", "is not a file of weights")):
        with pytest.raises(ModelError, match=complaint) as caught:
            load_model("torch:own_net:net", weights=name, **OPTIONS)
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="belongs to an import path"):
        load_model("torch:net.pt", weights="other.pt", **OPTIONS)


@pytest.mark.usefixtures("module")
def test_every_choice_of_preprocessing_is_part_of_the_identity():
    """Runs with different preprocessing are never mixed."""
    base = load_model("torch:own_net:net", **OPTIONS).options
    assert base["size"] == "8x6"
    assert base["library"].startswith("torch ")
    for change in ({"size": "6x8"}, {"resample": "bicubic"}, {"antialias": "no"}, {"crop": "center"}, {"scaling": "-1..1"}):
        assert load_model("torch:own_net:net", **{**OPTIONS, **change}).options != base


@pytest.mark.usefixtures("module")
def test_a_multi_label_network_has_a_score_per_label(images):
    model = load_model("torch:own_net:net", task="multi-label", **OPTIONS)
    check_model(model, images)
    assert model.task == "multi-label"
