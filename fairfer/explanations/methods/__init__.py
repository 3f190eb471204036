"""Attribution methods by name; one module per library.

========================  ============================================================  ==========================
``lrp``                   layer-wise relevance propagation, by zennit                   needs the model's network
``integrated-gradients``  integrated gradients, by captum                               needs the model's network
``grad-cam``              Grad-CAM, by captum                                           needs the model's network
``occlusion``             fall of the score when a patch or a region is covered         any model
``rise``                  score of randomly masked images                               any model
========================  ============================================================  ==========================
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.errors import UsageError, did_you_mean
from fairfer.explanations.methods.gradients import GradCAM, IntegratedGradients
from fairfer.explanations.methods.lrp import LRP
from fairfer.explanations.methods.occlusion import Occlusion
from fairfer.explanations.methods.rise import RISE

if TYPE_CHECKING:
    from fairfer.explanations.attribution import Method
    from fairfer.models.model import Model

FACTORIES: Mapping[str, Callable[..., Method]] = {c.name: c for c in (LRP, IntegratedGradients, GradCAM, Occlusion, RISE)}
"""Methods by name."""


@dataclass(frozen=True)
class MethodEntry:
    """A method.

    Attributes
    ----------
    name
        What `make_method` takes.
    summary
        One line.
    needs_gradients
        Whether it needs a model that offers its network.
    options
        Its options and their defaults, as text.
    """

    name: str
    summary: str
    needs_gradients: bool
    options: Mapping[str, str]


def methods() -> list[MethodEntry]:
    """Every method, gradient methods first."""
    return [
        MethodEntry(
            name,
            (inspect.getdoc(factory) or "").partition("\n")[0].rstrip("."),
            bool(getattr(factory, "needs_gradients", False)),
            {p.name: str(p.default) for p in inspect.signature(factory).parameters.values() if p.kind is p.KEYWORD_ONLY},
        )
        for name, factory in FACTORIES.items()
    ]


def make_method(name: str, model: Model, **options: str) -> Method:
    """Prepare a method for a model.

    Parameters
    ----------
    name
        One of `methods`.
    model
        The model.
    **options
        As `methods` lists them.

    Raises
    ------
    UsageError
        When there is no such method or option, or a value is not valid.
    ModelError
        When a package is missing, or the model does not offer what the method needs.
    """
    if name not in FACTORIES:
        message = f"there is no method {name!r}; {did_you_mean(name, FACTORIES)}"
        raise UsageError(message)
    entry = next(e for e in methods() if e.name == name)
    for option in options:
        if option not in entry.options:
            message = f"method {name} has no option {option!r}; {did_you_mean(option, entry.options)}"
            raise UsageError(message)
    return FACTORIES[name](model, **options)
