"""Entry points: found by name, imported on demand, and never ambiguous."""

from __future__ import annotations

from importlib.metadata import Distribution, EntryPoint

import pytest

from fairfer import plugins
from fairfer.errors import FairferError
from fairfer.plugins import PluginError

GROUP = "fairfer.models"


class Package(Distribution):
    """An installed package with this name."""

    def __init__(self, name):
        self._name = name

    def read_text(self, filename):
        return f"Name: {self._name}\n" if filename == "METADATA" else None

    def locate_file(self, path):
        return path


def point(name, value, package=None) -> EntryPoint:
    entry = EntryPoint(name, value, GROUP)
    return entry._for(Package(package)) if package else entry


@pytest.fixture
def install(monkeypatch):
    """Replace what is installed."""

    def install(*points):
        monkeypatch.setattr(plugins, "entry_points", lambda group: [p for p in points if p.group == group])

    return install


def test_names_are_in_alphabetical_order_and_nothing_is_imported(install):
    install(point("b", "not_installed_anywhere:x"), point("a", "json:loads"))
    assert list(plugins.registered(GROUP)) == ["a", "b"]
    assert plugins.registered("fairfer.loaders") == {}


def test_an_entry_point_is_imported_on_demand():
    import json

    assert plugins.load(point("a", "json:loads"), "model") is json.loads


def test_two_packages_cannot_register_the_same_name(install):
    """The message names both; which one answers must not depend on the order of installation."""
    install(point("m", "a:load", "first"), point("m", "b:load", "second"))
    with pytest.raises(PluginError) as caught:
        plugins.registered(GROUP)
    assert str(caught.value) == (
        "two installed packages register 'm' in fairfer.models: package first (a:load) and package second (b:load); "
        "uninstall one of them"
    )
    install(point("m", "a:load", "first"), point("m", "a:load", "second"))
    with pytest.raises(PluginError, match=r"package first .* and package second"):
        plugins.registered(GROUP)


def test_the_same_package_found_twice_is_no_conflict(install):
    """A folder may be on the path twice."""
    install(point("m", "a:load", "first"), point("m", "a:load", "first"))
    assert plugins.registered(GROUP)["m"].value == "a:load"


@pytest.mark.parametrize("value", ["not_installed_anywhere:load", "json:no_such_attribute"])
@pytest.mark.parametrize(("package", "name"), [("zoo", "package zoo"), (None, "an unnamed package")])
def test_a_broken_entry_point_is_one_line_with_its_package(value, package, name):
    with pytest.raises(
        PluginError, match=rf"^loader 'm' of {name} \({value}\) cannot be imported: .*; install what it"
    ) as caught:
        plugins.load(point("m", value, package), "loader")
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, FairferError)


def test_fairfers_own_models_and_loaders_are_registered():
    """Oracle: pyproject.toml."""
    assert {"baseline", "deepface"} <= set(plugins.registered("fairfer.models"))
    assert "onnx" in plugins.registered("fairfer.model_schemes")
    assert {"ferplus", "fer2013", "table", "folder"} <= set(plugins.registered("fairfer.loaders"))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no license')", "RuntimeError: no license"),
        ("def broken(:", "SyntaxError: "),
        ("import sys; sys.exit(4)", "SystemExit: 4"),
        ("raise ValueError", "ValueError: ValueError"),
    ],
)
def test_a_plugin_that_raises_anything_is_one_line_with_its_package(monkeypatch, tmp_path, source, reason):
    """Importing a plug-in runs its code; whatever that raises names the package and is no traceback of fairfer."""
    (tmp_path / "raises_on_import.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError) as caught:
        plugins.load(point("m", "raises_on_import:load", "zoo"), "model")
    assert f"model 'm' of package zoo (raises_on_import:load) cannot be imported: {reason}" in str(caught.value)
    assert "\n" not in str(caught.value)
