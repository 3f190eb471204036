"""What a model is to fairfer: a name, a version, a label space, and `predict`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from fairfer.errors import FairferError, ModelError, did_you_mean
from fairfer.labels import LabelSpace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Status = Literal["ok", "no_face", "unreadable", "error"]
STATUSES: tuple[Status, ...] = ("ok", "no_face", "unreadable", "error")

MODELS = "fairfer.models"
SCHEMES = "fairfer.model_schemes"
"""Entry-point groups: registered names (``deepface``) and schemes (``onnx:``). fairfer's own come through the same door."""


@dataclass(frozen=True)
class Prediction:
    """What a model said of one picture.

    Attributes
    ----------
    status
        ``ok``, or why there is no answer: ``no_face`` (the model looked and found none), ``unreadable`` (the picture could
        not be decoded), ``error`` (the model failed on it).
    scores
        One finite number per label of the model, in the model's own order; ``None`` unless the status is ``ok``.
    detail
        One sentence for the reader when the status is not ``ok``.
    """

    status: Status
    scores: NDArray[np.floating[Any]] | None = None
    detail: str = ""


@runtime_checkable
class Model(Protocol):
    """Anything with these four can be audited.

    Two more are used when present: ``options`` (a mapping of strings recorded in the run and part of its identity: back
    end, detector, ...) and ``batch_size`` (how many pictures ``predict`` likes at a time; 64 otherwise).
    """

    @property
    def name(self) -> str:
        """What the model is called in reports and folders."""
        ...

    @property
    def version(self) -> str:
        """What changes when the answers may change: a release, or a digest of the weights."""
        ...

    @property
    def labels(self) -> LabelSpace:
        """What the model can say, in the order of its scores."""
        ...

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> Sequence[Prediction]:
        """Answer for each (height, width, 3) RGB picture, in order."""
        ...


def load_model(spec: str, **options: str) -> Model:
    """Find and load a model.

    Parameters
    ----------
    spec
        A registered name (``baseline``, ``deepface``), a scheme with its target (``onnx:model.toml``), or the import path
        of a `Model` or of a function or class that makes one (``package.module:attribute``; the current folder is
        searched too).
    **options
        Passed to the model's factory; an option that it does not know is an error.

    Raises
    ------
    ModelError
        When nothing of that name exists or it cannot be loaded.
    """
    scheme, colon, target = spec.partition(":")
    named, schemes = _registered(MODELS), _registered(SCHEMES)
    if not colon and spec in named:
        made = _make(_load(named[spec]), spec, options=options)
    elif colon and scheme in schemes:
        if not target:
            message = f"model {spec!r}: nothing after the colon; write {scheme}:TARGET"
            raise ModelError(message)
        made = _make(_load(schemes[scheme]), spec, target, options=options)
    elif colon and "." not in target.removesuffix(".") and "/" not in spec and "\\" not in spec:
        made = _import(spec, scheme, target, options)
    elif Path(spec).suffix == ".toml":
        message = f"model {spec!r} looks like the description of an ONNX graph; write onnx:{spec}"
        raise ModelError(message)
    else:
        known = [*named, *(f"{s}:" for s in schemes)]
        message = f"no model {spec!r}; {did_you_mean(spec, known)} Your own is given as package.module:attribute"
        raise ModelError(message)
    return _checked(made, spec)


def registered_models() -> dict[str, str]:
    """Registered names and schemes (``onnx:``) with the import path of each."""
    named = {name: point.value for name, point in _registered(MODELS).items()}
    return named | {f"{name}:": point.value for name, point in _registered(SCHEMES).items()}


def describe_models() -> dict[str, str]:
    """Registered names and schemes, each with the first line of what its factory says of itself.

    Where the factory's module has a function ``readiness``, what it says of this machine follows in brackets.
    """
    found = {}
    for group, end in ((MODELS, ""), (SCHEMES, ":")):
        for name, point in _registered(group).items():
            try:
                factory = _load(point)
            except ModelError as error:  # one broken plugin must not hide the others
                found[name + end] = str(error)
                continue
            said = (factory.__doc__ or point.value).strip().partition("\n")[0]
            ready = getattr(sys.modules.get(getattr(factory, "__module__", "")), "readiness", None)
            found[name + end] = f"{said} ({ready()})" if callable(ready) else said
    return found


def _registered(group: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            message = f"two installed packages register the model {point.name!r}: {other.value} and {point.value}; remove one"
            raise ModelError(message)
    return dict(sorted(found.items()))


def _load(point: EntryPoint) -> Any:  # noqa: ANN401 - whatever the plugin points at
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        message = f"model {point.name!r} ({point.value}) cannot be imported: {error}; install what it needs"
        raise ModelError(message) from error


def _import(spec: str, module: str, attribute: str, options: Mapping[str, str]) -> Any:  # noqa: ANN401 - checked after
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # as `python -m` does, so that a model in the current folder is found
    if not module or module.startswith(".") or not attribute:
        message = f"model {spec!r}: write package.module:attribute"
        raise ModelError(message)
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(error.name + ".")):
            message = f"model {spec!r}: importing {module} needs the missing package {error.name!r}; install it"
        else:
            message = f"model {spec!r}: there is no module {module!r} here or installed; check the spelling, or install it"
        raise ModelError(message) from error
    if not hasattr(found, attribute):
        public = [n for n in vars(found) if not n.startswith("_")]
        message = f"model {spec!r}: module {module} has no {attribute!r}; {did_you_mean(attribute, public)}"
        raise ModelError(message)
    value = getattr(found, attribute)
    if isinstance(value, type) or not isinstance(value, Model):
        return _make(value, spec, options=options)
    if options:
        message = f"model {spec!r} is ready made and takes no options; remove {', '.join(options)}"
        raise ModelError(message)
    return value


def _make(factory: Any, spec: str, *arguments: str, options: Mapping[str, str]) -> Any:  # noqa: ANN401 - checked after
    import inspect  # noqa: PLC0415 - slow to import, needed only here

    if not callable(factory):
        message = f"model {spec!r} is a {type(factory).__name__}, neither a model nor something that makes one"
        raise ModelError(message)
    try:
        known = inspect.signature(factory).parameters
    except ValueError as error:  # some built-in types
        message = f"model {spec!r} is a {type(factory).__name__} that makes no model; see fairfer.Model"
        raise ModelError(message) from error
    takes = [n for n, p in list(known.items())[len(arguments) :] if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        for name in options:
            if name not in takes:
                message = f"model {spec!r} has no option {name!r}; {did_you_mean(name, takes)}"
                raise ModelError(message)
    needed = [
        n
        for n, p in list(known.items())[len(arguments) :]
        if p.default is p.empty and n not in options and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if needed:
        message = f"model {spec!r} needs the option {needed[0]!r}; give it as --option {needed[0]}=VALUE"
        raise ModelError(message)
    try:
        return factory(*arguments, **options)
    except FairferError:
        raise
    except ImportError as error:
        message = f"model {spec!r} needs a package that is not installed ({error}); install it"
        raise ModelError(message) from error


def _checked(made: Any, spec: str) -> Model:  # noqa: ANN401 - this is where it is checked
    missing = [n for n in ("name", "version", "labels", "predict") if not hasattr(made, n)]
    if missing:
        message = f"model {spec!r} is a {type(made).__name__} without {', '.join(missing)}; see fairfer.Model"
        raise ModelError(message)
    if not isinstance(made.labels, LabelSpace) or not callable(made.predict):
        message = f"model {spec!r}: labels must be a fairfer.LabelSpace and predict a method; see fairfer.Model"
        raise ModelError(message)
    wrong = [n for n in ("name", "version") if not isinstance(getattr(made, n), str) or not getattr(made, n)]
    if wrong:
        message = f"model {spec!r}: its {wrong[0]} must be text, not {getattr(made, wrong[0])!r}; see fairfer.Model"
        raise ModelError(message)
    model: Model = made
    return model
