"""Rules of the house: which way imports run, where heavy ones live, what is public, what the pages promise."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fairfer

PACKAGE = Path(fairfer.__file__).parent
PROJECT = PACKAGE.parent

FLOORS = [
    {"errors"},
    {"labels", "files", "images"},
    {"dataset", "model"},
    {"loaders", "adapters", "baseline", "runs", "predictions"},
    {"samples", "counts", "uncertainty", "records", "policy"},
    {"cells", "stored"},
    {"rates", "result", "subjects", "comparison", "verdict"},
    {"gaps", "weighted", "limits"},
    {"votes", "gate"},
    {"standardise", "inferred", "composition"},
    {"rows"},
    {"measure"},
    {"pairing"},
    {"report"},
    {"deciding", "pytest_plugin"},
    {"testing"},
    {"cli"},
]
"""Top-level modules from the ground up: one may import only from its own floor or from below."""

HOMES = {
    "matplotlib": {"report/figures/"},
    "seaborn": {"report/figures/"},
    "jinja2": {"report/html.py"},
    "duckdb": {"counts.py"},
    "fairlearn": {"rates.py"},
    "sklearn": {"rates.py"},
    "deepface": {"adapters/deepface.py"},
    "cv2": {"adapters/deepface.py", "adapters/onnx.py"},
    "tensorflow": {"adapters/deepface.py"},
    "onnxruntime": {"adapters/onnx.py", "adapters/deepface.py", "baseline/export.py"},
    "torch": {"adapters/deepface.py", "baseline/train.py", "baseline/export.py"},
    "typer": {"cli.py"},
    "tqdm": {"cli.py"},
}
"""The only modules that may import each heavy library; a folder stands for all in it."""


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(path: Path) -> None:
    """A module imports from its own floor or from below, never upward."""
    level = {name: i for i, floor in enumerate(FLOORS) for name in floor}
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        pytest.skip("the package's door names everything, and imports none of it until asked")
    upward = {
        name
        for name in _imports(path)
        if name.startswith("fairfer.") and name.split(".")[1] in level and level[name.split(".")[1]] > level[own]
    }
    assert not upward


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_heavy_libraries_have_one_home(path: Path) -> None:
    """matplotlib, Fairlearn, the model libraries and the like are imported by the module that is their home."""
    here = path.relative_to(PACKAGE).as_posix()
    strangers = {
        name
        for name in _imports(path)
        for library, homes in HOMES.items()
        if name.split(".")[0] == library and not any(here == h or (h.endswith("/") and here.startswith(h)) for h in homes)
    }
    assert not strangers


@pytest.mark.parametrize(
    "command", ["import fairfer", "import fairfer.cli.main; fairfer.cli.main.app(['--help'], standalone_mode=False)"]
)
def test_starting_imports_nothing_heavy(command: str) -> None:
    """``import fairfer`` and ``fairfer --help`` load no table, plotting, fairness or model library."""
    heavy = [
        "pandas",
        "numpy",
        "matplotlib",
        "seaborn",
        "fairlearn",
        "sklearn",
        "scipy",
        "deepface",
        "duckdb",
        "pyarrow",
        "PIL",
        "jinja2",
    ]
    code = f"import sys; {command}; print([m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_reading_an_audit_imports_no_table_library() -> None:
    """The result object needs neither pandas nor Fairlearn, so that a gate starts in a blink."""
    heavy = ["pandas", "numpy", "fairlearn", "duckdb", "pyarrow"]
    code = f"import sys, fairfer.result; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_listed_and_there() -> None:
    """``fairfer.__all__`` is sorted, complete, and every name in it can be had; an unknown one is an AttributeError."""
    assert fairfer.__all__ == sorted(fairfer.__all__)
    for name in fairfer.__all__:
        assert getattr(fairfer, name) is not None
        assert name in dir(fairfer)
    assert callable(fairfer.audit)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = fairfer.nonsense


def test_public_names_have_docstrings() -> None:
    """Whatever is public says what it is."""
    assert all((getattr(fairfer, name).__doc__ or "").strip() for name in fairfer.__all__)


def test_version_is_stated_once() -> None:
    """The package and pyproject.toml agree on the version."""
    about = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    assert about["project"]["version"] == fairfer.__version__


def test_no_machine_is_named() -> None:
    """No file of the package names a path of somebody's machine."""
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert "/home/" not in text
        assert "/root/" not in text
