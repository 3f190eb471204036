"""Digest of the code and files on which a model's answers depend, so that answers of an earlier state are not reused.

The digest covers the file that defines the model's class, the module that the model was loaded from, the user's own modules
that they import, and the files that the model declares (`Model.files`).
"""

from __future__ import annotations

import ast
import functools
import hashlib
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fairfer.errors import ModelError

_OWN_PACKAGE = Path(__file__).resolve().parents[1]
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Origin:
    """Where a model was loaded from.

    Attributes
    ----------
    module, attribute
        Of the import path.
    options
        Options that its factory was given.
    """

    module: str = ""
    attribute: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


_ORIGINS: dict[int, tuple[object, Origin]] = {}
# The model is kept too, because the number of an object is given to another one later.


def remember_origin(model: object, origin: Origin) -> None:
    """Record where a model was loaded from."""
    _ORIGINS[id(model)] = (model, origin)


def origin_of(model: object) -> Origin:
    """Where a model was loaded from; empty for an object that was passed to a Python function."""
    return _ORIGINS.get(id(model), (model, Origin()))[1]


def code_digest(model: object, name: str, declared: Iterable[Path]) -> str:
    """Digest of code and files, as 16 hexadecimal digits; empty when no file is known.

    Parameters
    ----------
    model
        The model.
    name
        Its name, for the error message.
    declared
        Files, or folders of files, that the model declares.

    Raises
    ------
    ModelError
        When a declared file cannot be read.
    """
    origin = origin_of(model)
    modules = dict.fromkeys(filter(None, (type(model).__module__, origin.module)))
    sources = source_files(modules)
    given = [Path(value) for value in origin.options.values() if is_file(value)]
    sha = hashlib.sha256(f"{type(model).__qualname__}\n{origin.attribute}\n".encode())
    hashed = 0
    for path in [*sources, *_below(declared, name), *given]:
        try:
            sha.update(_file_digest(path).encode())
        except OSError as error:
            if path in sources:  # such as a module in a zip archive: the rest is left
                continue
            message = f"model {name} depends on {path}, which cannot be read ({error.strerror}); correct its files"
            raise ModelError(message) from error
        hashed += 1
    return sha.hexdigest()[:16] if hashed else ""


def is_file(value: str) -> bool:
    """Whether a text is the path of a file."""
    try:
        return Path(value).is_file()
    except OSError:  # no file can have such a name
        return False


def _file_digest(path: Path) -> str:
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha.update(chunk)
    return sha.hexdigest()


def _below(paths: Iterable[Path], name: str) -> Iterator[Path]:
    """The files, and every file of the folders in the order of their paths."""
    for path in paths:
        try:
            inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else []
        except OSError as error:
            message = f"model {name} depends on {path}, which cannot be read ({error.strerror}); correct its files"
            raise ModelError(message) from error
        yield from inside or [path]


def source_files(modules: Iterable[str]) -> list[Path]:
    """Files of the modules and of the user's own modules that they import, directly or not, in alphabetical order."""
    files: set[Path] = set()
    for module in modules:
        file = getattr(sys.modules.get(module), "__file__", None)
        if not isinstance(file, str):
            continue
        path = Path(file).absolute()
        files |= _imported_files(path, _root(path, module)) if _is_local(path) else {path}
    return sorted(files)


def _root(path: Path, module: str) -> Path:
    """The folder on Python's search path in which a module was found."""
    return path.parents[min(module.count(".") + (path.name == "__init__.py"), len(path.parents) - 1)]


def _is_local(path: Path) -> bool:
    """Whether a file is the user's own, neither installed nor a part of fairfer or Python."""
    resolved = path.resolve()
    return not any(resolved.is_relative_to(folder) for folder in _installed_folders())


@functools.cache
def _installed_folders() -> tuple[Path, ...]:
    standard = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    folders = [*site.getsitepackages(), site.getusersitepackages(), *standard]
    return (_OWN_PACKAGE, *(Path(folder).resolve() for folder in folders))


def _imported_files(start: Path, root: Path) -> set[Path]:
    """`start` and the user's own files that it imports, directly or not, inside functions too.

    They are looked for below `root` and in the user's other folders on Python's search path.
    """
    roots = [root, *(p for p in map(Path, filter(None, sys.path)) if p.is_dir() and _is_local(p))]
    files: set[Path] = set()
    waiting = [(start, root)]
    while waiting:
        path, below = waiting.pop()
        if path in files:
            continue
        files.add(path)
        names = {
            n for n in _imported_names(path, below) if n[:1] != (_OWN_PACKAGE.name,)
        }  # another checkout may be on the path
        waiting += [(p, r) for r in roots for n in names for p in _candidates(r, n) if p.is_file() and _is_local(p)]
    return files


def _imported_names(path: Path, root: Path) -> Iterator[tuple[str, ...]]:
    """Dotted names that a file imports, as tuples; a name imported from a module may itself be a module."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):  # not Python source: it imports nothing
        return
    package = path.relative_to(root).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            yield module
            yield from ((*module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
                yield tuple(node.args[0].value.lstrip(".").split("."))


def _candidates(root: Path, name: tuple[str, ...]) -> Iterator[Path]:
    """Files that importing a dotted name runs, whether they exist or not: the packages around a module, and itself."""
    for length in range(1, len(name) + 1):
        if not all(part.isidentifier() for part in name[:length]):
            return
        place = root.joinpath(*name[:length])
        yield place / "__init__.py"
        yield place.with_suffix(".py")
