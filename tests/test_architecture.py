"""The architecture: direction of imports, homes of heavy libraries, size of functions, public names, `ARCHITECTURE.md`."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import fairfer

PACKAGE = Path(fairfer.__file__).parent
PROJECT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
EXEMPT = {"fairfer", "fairfer.__main__"}
"""Modules above the order: they name everything that is public."""

HOMES = {
    "matplotlib": {"report/figures"},
    "seaborn": {"report/figures"},
    "jinja2": {"report/html"},
    "duckdb": {"metrics/counts"},
    "fairlearn": {"metrics/rates"},
    "sklearn": {"metrics/rates"},
    "deepface": {"models/adapters/deepface"},
    "cv2": {"models/adapters/deepface", "datasets/images"},
    "tensorflow": {"models/adapters/deepface"},
    "onnxruntime": {"models/adapters/onnx", "models/adapters/deepface", "models/baseline"},
    "torch": {
        "models/adapters/deepface",
        "models/adapters/pyfeat",
        "models/baseline",
        "models/pytorch",
        "explanations/methods/pytorch",
    },
    "zennit": {"explanations/methods/lrp", "explanations/methods/pytorch"},
    "captum": {"explanations/methods/pytorch"},
    "feat": {"models/adapters/pyfeat"},
    "datasets": {"datasets/loaders/huggingface_hub"},
    "huggingface_hub": {"datasets/loaders/huggingface_hub", "models/adapters/huggingface"},
    "polars": set(),
    "typer": {"cli"},
    "tqdm": {"cli"},
}
"""The modules or packages that may import each heavy library."""

# The limits only ever fall. `ruff check --fix --fixable RUF100`
# removes every comment that pyproject.toml makes redundant.
NOQA_LIMITS = {"BLE001": 1, "C901": 1, "FBT001": 1, "N815": 1, "PLR0912": 1, "PLW2901": 1}

MAXIMUM_LINES = 60
"""Lines of code in a function, without docstrings, comments and blank lines."""


def by_file(files: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", files, ids=lambda path: path.relative_to(PACKAGE).as_posix())


# ---- the module graph


def module_name(path: Path, root: Path = PROJECT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path) for path in FILES}


@dataclass(frozen=True)
class Import:
    """One imported module of fairfer, and whether only a type checker follows the import."""

    target: str
    for_types: bool


class ImportVisitor(ast.NodeVisitor):
    """Collects every import of a module, inside functions too."""

    def __init__(self, modules: set[str], public: dict[str, str]) -> None:
        self.modules = modules
        self.public = public
        self.imports: set[Import] = set()
        self.libraries: set[str] = set()
        self._for_types = False

    def _add(self, name: str) -> None:
        """Record the longest prefix of a dotted name that is a module; a public name of the root stands for its home."""
        parts = name.split(".")
        self.libraries.add(parts[0])
        if parts[0] != "fairfer":
            return
        if len(parts) > 1 and parts[1] in self.public:
            name = self.public[parts[1]]
        while name not in self.modules:
            name = name.rpartition(".")[0]
        self.imports.add(Import(name, self._for_types))

    def visit_If(self, node: ast.If) -> None:
        """Mark what stands under ``if TYPE_CHECKING``."""
        outer = self._for_types
        self._for_types = outer or ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for child in node.body:
            self.visit(child)
        self._for_types = outer
        for child in node.orelse:
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self._add(f"{node.module}.{alias.name}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """``fairfer.audit`` after ``import fairfer`` imports the home of ``audit``."""
        if isinstance(node.value, ast.Name) and node.value.id == "fairfer" and node.attr in self.public:
            self._add(f"fairfer.{node.attr}")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """``import_module("fairfer.x")`` is an import, too."""
        name = ast.unparse(node.func).rpartition(".")[2]
        if name == "import_module" and node.args and isinstance(node.args[0], ast.Constant):
            self._add(str(node.args[0].value))
        self.generic_visit(node)


@cache
def visited(path: Path) -> ImportVisitor:
    visitor = ImportVisitor(MODULES, fairfer._HOMES)
    visitor.visit(ast.parse(path.read_text(encoding="utf-8")))
    return visitor


def layers() -> list[str]:
    """Top-level modules and packages in the order of the table in ``ARCHITECTURE.md``."""
    page = (PROJECT / ".github" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = page.split("## Packages")[1].split("\n## ")[0]
    first_cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name.rstrip("/") for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)]


def upward(module: str, imports: set[Import], order: list[str]) -> set[str]:
    """Imports that point to a package below the module's own, or to the root, which stands for everything."""
    if module in EXEMPT:
        return set()
    own = order.index(module.split(".")[1])
    targets = {i.target for i in imports} - EXEMPT
    return {target for target in targets if order.index(target.split(".")[1]) > own}


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected components with more than one module (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    components = []

    def connect(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for neighbor in sorted(graph.get(node, ())):
            if neighbor not in index:
                connect(neighbor)
                low[node] = min(low[node], low[neighbor])
            elif neighbor in stack:
                low[node] = min(low[node], index[neighbor])
        if low[node] == index[node]:
            component = [stack.pop()]
            while component[-1] != node:
                component.append(stack.pop())
            if len(component) > 1:
                components.append(sorted(component))

    for node in sorted(graph):
        if node not in index:
            connect(node)
    return components


def run_time_graph() -> dict[str, set[str]]:
    """Which modules each module imports at run time; importing ``a.b`` from outside ``a`` runs ``a`` as well."""
    graph: dict[str, set[str]] = {}
    for path in FILES:
        module = module_name(path)
        if module in EXEMPT:
            continue
        targets = {i.target for i in visited(path).imports if not i.for_types} - EXEMPT
        packages = {target.rpartition(".")[0] for target in targets if target.count(".") > 1}
        graph[module] = (targets | {p for p in packages if not module.startswith(f"{p}.")}) - {module}
    return graph


@by_file(FILES)
def test_imports_follow_the_order(path: Path) -> None:
    """A module imports only from its own package or from packages above it in ``ARCHITECTURE.md``."""
    offending = upward(module_name(path), visited(path).imports, layers())
    assert not offending


def test_no_import_cycle() -> None:
    """No modules import one another at run time, directly or indirectly, within a package or across packages."""
    components = cycles(run_time_graph())
    assert not components


def test_the_architecture_page_lists_every_package() -> None:
    """The table in ``ARCHITECTURE.md`` and the package have the same modules and packages."""
    actual = {name.split(".")[1] for name in MODULES - EXEMPT}
    assert sorted(layers()) == sorted(actual)


def test_violations_are_detected() -> None:
    """The checks above find an upward import, also one in a function, for types or through the root, and a cycle."""
    modules = {"fairfer", "fairfer.labels", "fairfer.stats", "fairfer.stats.power", "fairfer.cli.main"}
    order = ["labels", "stats", "cli"]
    for source in (
        "from fairfer.cli.main import main",
        "def f():\n    import fairfer.cli.main",
        "if TYPE_CHECKING:\n    from fairfer.cli import main",
        "from fairfer import run",
        "import fairfer\nfairfer.run()",
        "importlib.import_module('fairfer.cli.main')",
    ):
        visitor = ImportVisitor(modules, {"run": "fairfer.cli.main"})
        visitor.visit(ast.parse(source))
        assert upward("fairfer.stats.power", visitor.imports, order) == {"fairfer.cli.main"}
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@by_file(FILES)
def test_heavy_libraries_have_one_home(path: Path) -> None:
    """Only the home of matplotlib, Fairlearn, a model library and the like imports it."""
    here = path.relative_to(PACKAGE).with_suffix("")
    misplaced = {
        library for library in visited(path).libraries & HOMES.keys() if not any(map(here.is_relative_to, HOMES[library]))
    }
    assert not misplaced


# ---- functions


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function | ast.ClassDef):
            name = f"{prefix}{node.name}"
            if isinstance(node, Function):
                yield name, node
            yield from functions(node, f"{name}.")
        else:
            yield from functions(node, prefix)


def lines_of_code(function: Function, source: list[str]) -> int:
    """Lines of a function that hold code."""
    numbers = set(range(function.lineno, (function.end_lineno or function.lineno) + 1))
    for node in ast.walk(function):
        if isinstance(node, Function | ast.ClassDef) and ast.get_docstring(node, clean=False) is not None:
            numbers -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return sum(bool(source[n - 1].strip()) and not source[n - 1].lstrip().startswith("#") for n in numbers)


def long_functions(path: Path) -> dict[str, int]:
    text = path.read_text(encoding="utf-8")
    sizes = {name: lines_of_code(node, text.splitlines()) for name, node in functions(ast.parse(text))}
    where = path.relative_to(PACKAGE).as_posix()
    return {f"{where}::{name}": size for name, size in sizes.items() if size > MAXIMUM_LINES}


def untyped_options(tree: ast.AST) -> set[str]:
    """Names annotated as a dictionary of anything that are passed on by ``**``."""
    annotated = {
        (node.arg if isinstance(node, ast.arg) else ast.unparse(node.target))
        for node in ast.walk(tree)
        if isinstance(node, ast.arg | ast.AnnAssign)
        and node.annotation is not None
        and re.search(r"\b(dict|Mapping|MutableMapping)\[str, Any\]", ast.unparse(node.annotation))
    }
    unpacked = {
        ast.unparse(keyword.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg is None
    }
    return annotated & unpacked


def untyped_options_of(path: Path) -> set[str]:
    where = path.relative_to(PACKAGE).as_posix()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {f"{where}::{name}({option})" for name, node in functions(tree) for option in untyped_options(node)}


@by_file(FILES)
def test_functions_are_short(path: Path) -> None:
    """No function has more than 60 lines of code."""
    assert long_functions(path) == {}


@by_file(FILES)
def test_options_are_typed(path: Path) -> None:
    """No ``dict[str, Any]`` is passed on by ``**``: named parameters or a dataclass say what a function takes."""
    assert untyped_options_of(path) == set()


def test_sizes_are_counted_without_docstrings_comments_and_blank_lines() -> None:
    """A function of two lines of code has two, whatever is written about it."""
    source = 'def f(x):\n    """Title.\n\n    More.\n    """\n    # A comment.\n\n    return x\n'
    (_, function), *_ = functions(ast.parse(source))
    assert lines_of_code(function, source.splitlines()) == 2
    passed = ast.parse("def f(a: dict[str, Any], b: dict[str, int]):\n    c: dict[str, Any] = {}\n    g(a, **b)\n    g(**c)")
    assert untyped_options(passed) == {"c"}


def test_noqa_comments_per_rule(record_property: pytest.RecordProperty) -> None:
    """A rule is switched off in ``pyproject.toml``, with a reason, and not line by line."""
    texts = [path.read_text(encoding="utf-8") for path in [*FILES, *(PROJECT / "datasets").rglob("*.py")]]
    rules = [
        rule
        for text in texts
        for rules in re.findall(r"#\s*noqa:\s*((?:[A-Z]+\d+(?:,\s*)?)+)", text)
        for rule in rules.split(",")
    ]
    counts = Counter(rule.strip() for rule in rules)
    record_property("noqa", dict(counts))
    assert {rule: n for rule, n in counts.items() if n > NOQA_LIMITS.get(rule, 0)} == {}


# ---- starting


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
    """The result object needs neither pandas nor Fairlearn, so the gate starts quickly."""
    heavy = ["pandas", "numpy", "fairlearn", "duckdb", "pyarrow"]
    code = f"import sys, fairfer.audits.result; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_runs_as_a_module() -> None:
    """``python -m fairfer`` is the ``fairfer`` command, with its exit codes."""
    run = [sys.executable, "-m", "fairfer"]
    assert (
        subprocess.run([*run, "--version"], capture_output=True, text=True, check=True).stdout
        == f"fairfer {fairfer.__version__}\n"
    )
    assert subprocess.run([*run, "no-such-command"], capture_output=True, check=False).returncode == 2


# ---- public names


def test_public_names_are_listed_and_available() -> None:
    """``fairfer.__all__`` is sorted, every name in it can be imported, and another name is an ``AttributeError``."""
    assert fairfer.__all__ == sorted(fairfer.__all__)
    for name in fairfer.__all__:
        assert getattr(fairfer, name) is not None
        assert name in dir(fairfer)
    assert callable(fairfer.audit)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = fairfer.nonsense


def test_public_names_have_docstrings() -> None:
    """Every public name is documented."""
    assert all((getattr(fairfer, name).__doc__ or "").strip() for name in fairfer.__all__)


def test_the_version_is_consistent() -> None:
    """The package and ``pyproject.toml`` have the same version."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["version"] == fairfer.__version__


@by_file(FILES)
def test_no_path_of_a_machine(path: Path) -> None:
    """No file of the package contains the path of a home directory."""
    text = path.read_text(encoding="utf-8")
    assert "/home/" not in text
    assert "/root/" not in text
