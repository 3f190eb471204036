"""Libraries without side effects (`isolation`), and `LibraryModel`."""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import re
import socket
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from fairfer.errors import ModelError
from fairfer.labels import FERPLUS
from fairfer.models.isolation import check_torchvision, hidden, isolated
from fairfer.models.library import LibraryModel, check_choice, weights_digest
from fairfer.models.model import Prediction
from fairfer.testing import check_model


def test_side_effects_are_undone(capsys, monkeypatch) -> None:
    """Prints, warnings, environment variables and the root logger."""
    monkeypatch.setenv("KEPT", "before")
    monkeypatch.setenv("REMOVED", "before")
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    with isolated("a library"):
        sys.stdout.write("progress")
        warnings.warn("deprecated", DeprecationWarning, stacklevel=1)
        os.environ.update(KEPT="after", NEW="1")
        del os.environ["REMOVED"]
        root.addHandler(logging.NullHandler())
        root.setLevel(logging.DEBUG)
    assert capsys.readouterr() == ("", "")
    assert (os.environ["KEPT"], os.environ["REMOVED"], "NEW" in os.environ) == ("before", "before", False)
    assert (root.handlers, root.level) == (handlers, level)


def test_network_only_when_asked() -> None:
    """Connecting to a host name fails with a message that names the option, and works again afterwards."""
    resolve = socket.getaddrinfo
    with isolated("a library") as refused, pytest.raises(OSError, match=r"a library connect to example.org .*download=yes"):
        socket.create_connection(("example.org", 80))
    assert refused == ["example.org"]
    with isolated("a library", network=True):
        assert socket.getaddrinfo is resolve
    assert socket.getaddrinfo is resolve


def test_hidden_packages_look_uninstalled() -> None:
    import json

    with hidden("json", "no_such_package"):
        for name in ("json", "no_such_package"):
            with pytest.raises(ModuleNotFoundError):
                importlib.import_module(name)
    assert sys.modules["json"] is json
    assert "no_such_package" not in sys.modules


def library_model(answer) -> LibraryModel:
    return LibraryModel(name="m", version="1", labels=FERPLUS, library="lib", answer=answer, options={"a": "b"})


def test_failures_cost_only_their_image() -> None:
    """Images that fail, or whose scores are not finite, have the status error; the library may write into its images."""

    def answer(images):
        for image in images:
            if image[0, 0, 0] == 7:
                message = "seven\nis too much."
                raise RuntimeError(message)
            image[0, 0, 0] = 99
        return [Prediction("ok", np.full(8, np.nan if image[0, 0, 1] == 9 else 0.125)) for image in images]

    model = library_model(answer)
    images = [np.full((4, 4, 3), level, np.uint8) for level in (1, 7, 9, 2)]
    answers = model.predict(images)
    assert [a.status for a in answers] == ["ok", "error", "error", "ok"]
    assert answers[1].detail == "lib failed (seven)"
    assert answers[2].detail == "the output of lib is not finite"
    check_model(model)


def test_digest_of_weights(tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    assert weights_digest([tmp_path / "a", tmp_path / "b"]) == "fb8e20fc2e4c3f24"  # of "ab"
    with pytest.raises(ModelError, match="cannot be read"):
        weights_digest([tmp_path / "absent"])


def test_choices() -> None:
    check_choice("engine", "onnx", ("onnx", "torch"))
    with pytest.raises(ModelError, match=r"option engine='onx' is not a choice; did you mean 'onnx'\?"):
        check_choice("engine", "onx", ("onnx", "torch"))


def test_torchvision_after_tensorflow(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", object())
    monkeypatch.setitem(sys.modules, "torchvision", object())
    check_torchvision("a model")
    monkeypatch.delitem(sys.modules, "torchvision")
    with pytest.raises(ModelError, match=r"a model needs torchvision.*start a new process"):
        check_torchvision("a model")


@pytest.mark.parametrize(
    ("heading", "loads"),
    [
        ("emotiefflib", ("emotiefflib:load",)),
        ("hsemotion", ("hsemotion:load",)),
        ("fer", ("fer:load",)),
        ("py-feat` and `py-feat-aus", ("pyfeat:load", "pyfeat:load_aus")),
    ],
)
def test_options_are_documented(heading, loads) -> None:
    """models.md has every option of these models, and no other."""
    page = (Path(__file__).parents[1] / ".github" / "docs" / "models.md").read_text(encoding="utf-8")
    section = page.split(f"\n## `{heading}`\n")[1].split("\n## ")[0]
    options = set()
    for load in loads:
        module, _, function = load.partition(":")
        factory = getattr(importlib.import_module(f"fairfer.models.adapters.{module}"), function)
        options |= set(inspect.signature(factory).parameters)
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == options
