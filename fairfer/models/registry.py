"""Find and load a model by registered name, scheme or import path."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import cast

from fairfer import plugins
from fairfer.errors import ModelError, did_you_mean
from fairfer.models.boundary import declaration
from fairfer.models.foreign_code import foreign_code
from fairfer.models.identity import Origin, remember_origin
from fairfer.models.imports import import_object
from fairfer.models.model import Model
from fairfer.models.requirements import Readiness

MODELS = "fairfer.models"
"""Entry-point group of registered names, such as ``deepface``."""

SCHEMES = "fairfer.model_schemes"
"""Entry-point group of schemes, such as ``onnx`` in ``onnx:model.toml``."""


def load_model(spec: str, **options: str) -> Model:
    """Find and load a model.

    Parameters
    ----------
    spec
        A registered name (``baseline``, ``deepface``), a scheme with its target (``onnx:model.toml``), or the import path
        of a `Model` or of a function or class that returns one (``package.module:attribute``; the current folder is
        searched too).
    **options
        Arguments of the model's factory. An option that the factory does not take is an error.

    Raises
    ------
    ModelError
        When no such model exists or it cannot be loaded.
    PluginError
        When the package that registered the model cannot be imported.

    Examples
    --------
    >>> load_model("baseline").labels.labels[:3]
    ('neutral', 'happiness', 'surprise')
    """
    scheme, colon, target = spec.partition(":")
    names, schemes = plugins.registered(MODELS), plugins.registered(SCHEMES)
    if not colon and spec in names:
        return _validated(_call(plugins.load(names[spec], "model"), spec, options=options), spec)
    if colon and scheme in schemes:
        if not target:
            message = f"model {spec!r}: nothing follows the colon; write {scheme}:TARGET"
            raise ModelError(message)
        return _validated(_call(plugins.load(schemes[scheme], "model scheme"), spec, target, options=options), spec)
    if colon and "." not in target.removesuffix(".") and "/" not in spec and "\\" not in spec:
        return _validated(_import(spec, scheme, target, options), spec, Origin(scheme, target, options))
    if Path(spec).suffix == ".toml":
        message = f"model {spec!r} looks like the description of an ONNX graph; write onnx:{spec}"
        raise ModelError(message)
    hint = did_you_mean(spec, [*names, *(f"{s}:" for s in schemes), "package.module:attribute"])
    message = f"no model {spec!r}; {hint}"
    raise ModelError(message)


@dataclass(frozen=True)
class ModelEntry:
    """A registered model or scheme.

    Attributes
    ----------
    name
        What ``--model`` takes: ``deepface``; ``onnx:`` for a scheme, which a target follows.
    summary
        First line of the docstring of its factory.
    readiness
        Whether it can run here.
    extra
        The extra of fairfer that installs what it needs: the constant ``EXTRA`` of its module; empty for none.
    """

    name: str
    summary: str
    readiness: Readiness
    extra: str = ""


def list_models() -> list[ModelEntry]:
    """Registered models and schemes, in alphabetical order, models first.

    The module of a factory says whether it is ready, with a function ``readiness`` that returns a
    `fairfer.models.requirements.Readiness`. A plug-in that cannot be imported is listed with its error.

    Raises
    ------
    PluginError
        When two packages register the same name.
    """
    return [
        _entry(name + suffix, point, kind)
        for group, kind, suffix in ((MODELS, "model", ""), (SCHEMES, "model scheme", ":"))
        for name, point in plugins.registered(group).items()
    ]


def _entry(name: str, point: EntryPoint, kind: str) -> ModelEntry:
    try:
        factory = plugins.load(point, kind)
    except plugins.PluginError as error:  # a broken plug-in must not hide the others
        return ModelEntry(name, "", Readiness("broken", str(error)))
    summary = (getattr(factory, "__doc__", "") or point.value).strip().partition("\n")[0]
    module = sys.modules.get(getattr(factory, "__module__", ""))
    extra = str(getattr(module, "EXTRA", ""))
    ask = getattr(module, "readiness", None)
    if not callable(ask):
        return ModelEntry(name, summary, Readiness("unknown"), extra)
    try:
        with foreign_code(f"{kind} {name}"):
            readiness = ask()
    except Exception as error:
        return ModelEntry(name, summary, Readiness("broken", f"its readiness() raises {type(error).__name__}: {error}"))
    if not isinstance(readiness, Readiness):
        message = f"its readiness() returns a {type(readiness).__name__} instead of a Readiness"
        return ModelEntry(name, summary, Readiness("broken", message))
    return ModelEntry(name, summary, readiness, extra)


def _import(spec: str, module: str, attribute: str, options: Mapping[str, str]) -> object:
    """The model that an import path names, or that its factory returns."""
    value = import_object(spec, module, attribute)
    if isinstance(value, type) or not isinstance(value, Model):
        return _call(value, spec, options=options)
    if options:
        message = f"model {spec!r} is already a model and takes no options; remove {', '.join(options)}"
        raise ModelError(message)
    return value


def _call(factory: object, spec: str, *arguments: str, options: Mapping[str, str]) -> object:
    """The return value of a model's factory."""
    if not callable(factory):
        message = (
            f"model {spec!r} is of type {type(factory).__name__}, neither a model nor a function or class that returns one"
        )
        raise ModelError(message)
    _check_options(factory, spec, len(arguments), options)
    try:
        with foreign_code(f"model {spec!r}"):
            made: object = factory(*arguments, **options)
            return made
    except ImportError as error:
        message = f"model {spec!r} needs a package that is not installed ({error}); install it"
        raise ModelError(message) from error


def _check_options(factory: Callable[..., object], spec: str, positional: int, options: Mapping[str, str]) -> None:
    """Compare the options with the parameters of the factory that follow its positional arguments."""
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except ValueError as error:  # some built-in types
        message = (
            f"model {spec!r} is the type {getattr(factory, '__name__', factory)}, which returns no model; see fairfer.Model"
        )
        raise ModelError(message) from error
    rest = parameters[positional:]
    names = [p.name for p in rest if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in options:
            if name not in names:
                message = f"model {spec!r} has no option {name!r}; {did_you_mean(name, names)}"
                raise ModelError(message)
    for parameter in rest:
        optional = parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        )
        if not optional and parameter.name not in options:
            message = f"model {spec!r} needs the option {parameter.name!r}; add --option {parameter.name}=VALUE"
            raise ModelError(message)


def _validated(candidate: object, spec: str, origin: Origin | None = None) -> Model:
    """The candidate, when it has all that a model needs."""
    if origin is not None:
        remember_origin(candidate, origin)
    declaration(candidate, spec)
    return cast("Model", candidate)
