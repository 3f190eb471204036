"""Tests of attribution methods: tiny networks, and zennit where torchvision does not load."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
import pytest

from fairfer.labels import LabelSpace
from fairfer.models.differentiable import Differentiable
from fairfer.models.model import PredictionBatch
from fairfer.models.outputs import to_scores

LABELS = LabelSpace.of("tiny", ["happy", "sad", "angry"])
SIDE = 24


@pytest.fixture(scope="session", autouse=True)
def zennit_without_torchvision() -> None:
    """Import zennit, which imports two classes of torchvision that nothing here uses.

    The package index's torchvision does not load beside the CPU build of PyTorch ("operator torchvision::nms does not exist").
    Only there, a stand-in of these classes is present while zennit is imported, and removed afterward.
    """
    if find_spec("torch") is None or find_spec("zennit") is None:
        return
    try:
        importlib.import_module("torchvision.models.resnet")
    except (ImportError, RuntimeError):  # RuntimeError: its operators do not fit PyTorch
        import torch

        for name in [n for n in sys.modules if n.partition(".")[0] in ("torchvision", "zennit")]:
            del sys.modules[name]
        resnet = types.ModuleType("torchvision.models.resnet")
        resnet.Bottleneck = type("Bottleneck", (torch.nn.Module,), {})
        resnet.BasicBlock = type("BasicBlock", (torch.nn.Module,), {})
        stand_ins = {
            "torchvision": types.ModuleType("torchvision"),
            "torchvision.models": types.ModuleType("torchvision.models"),
        }
        stand_ins["torchvision.models.resnet"] = resnet
        sys.modules.update(stand_ins)
        importlib.import_module("zennit.composites")
        for name in stand_ins:
            del sys.modules[name]


class TinyModel:
    """A model around a PyTorch network that takes gray levels from 0 to 1 of images of one size."""

    name = "tiny"
    version = "1"
    batch_size = 16

    def __init__(self, module, *, task="single-label", labels=LABELS, limits=(0.0, 1.0), mirrored=False, scores=None) -> None:
        self.module = module.eval()
        self.labels = labels
        self.task = task
        self.limits = limits
        self.mirrored = mirrored
        self._scores = scores or (lambda logits: np.asarray(to_scores(logits.astype(np.float64), "logits", task), np.float32))

    def inputs(self, images):
        x = np.stack([image.mean(axis=2) for image in images])[:, None].astype(np.float32) / 255
        return x, np.array([(0.0, 0.0, image.shape[1], image.shape[0]) for image in images])

    def differentiable(self) -> Differentiable:
        return Differentiable(self.module, self.labels, self.inputs, self._scores, self.limits, self.version, self.mirrored)

    def predict(self, images):
        from fairfer.explanations.methods.pytorch.network import answers

        return PredictionBatch(answers(self.differentiable(), images))


@pytest.fixture
def tiny() -> Callable[..., TinyModel]:
    """`TinyModel`."""
    return TinyModel


@pytest.fixture
def random_network():
    """A small convolutional network with random weights."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    nn = torch.nn
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(6 * 5 * 5, 8),
            nn.ReLU(),
            nn.Linear(8, len(LABELS)),
        )


@pytest.fixture
def faces() -> list[np.ndarray]:
    """Gray images of noise."""
    rng = np.random.default_rng(2)
    return [np.repeat(rng.integers(0, 256, (SIDE, SIDE, 1), np.uint8), 3, axis=2) for _ in range(5)]


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Exception], None]]:
    """Make the import of a package fail."""

    def block(name: str, error: Exception) -> None:
        real = importlib.import_module

        def importing(wanted: str, package: str | None = None) -> types.ModuleType:
            if wanted.partition(".")[0] == name:
                raise error
            return real(wanted, package)

        monkeypatch.setattr(importlib, "import_module", importing)

    return block
