"""PyTorch networks: ``torch:package.module:attribute``, or a file written by TorchScript or ``torch.export``.

The attribute is an ``nn.Module``, or a function or class that returns one without arguments; ``weights=FILE`` loads a
dictionary of its weights, with ``weights_only``. A file of pickled Python objects is refused, because loading one can run any
code.
"""

from __future__ import annotations

import functools
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import ModelError
from fairfer.models.foreign_code import foreign_code
from fairfer.models.identity import source_files
from fairfer.models.imports import import_object
from fairfer.models.network import Network, NetworkModel, first_line, fixed_batch
from fairfer.models.network_options import read_options
from fairfer.models.requirements import Readiness, packages_readiness, require

if TYPE_CHECKING:
    from fairfer.models.differentiable import Differentiable
    from fairfer.models.preprocessing import Preprocessing

EXTRA = "torch"

EXPORTED = ".pt2"
"""Suffix of programs written by ``torch.export.save``."""

SUFFIXES = (".pt", ".pth", ".ts", EXPORTED)
"""Suffixes of files of networks."""


def load(target: str, *, weights: str = "", device: str = "cpu", **options: str) -> NetworkModel:
    """A PyTorch network: torch:package.module:attribute, or a file of TorchScript (.pt) or torch.export (.pt2).

    Parameters
    ----------
    target
        Import path of an ``nn.Module`` or of what returns one, or a file.
    weights
        A file with the weights of the module (its ``state_dict``); only with an import path.
    device
        ``cpu`` (default), ``cuda``, ``cuda:1``, ``mps``.
    **options
        ``labels`` (required), ``size``, ``color``, ``output`` (``logits`` by default) and the others of
        `fairfer.models.network_options`.

    Raises
    ------
    ModelError
        If PyTorch is not installed, there is no such network, or an option is wrong.
    """
    where = f"model torch:{target}"
    torch = require("torch", what=where, extra=EXTRA)
    path = Path(target)
    is_file = path.suffix in SUFFIXES
    name = path.stem if is_file else target.rpartition(":")[2] or target
    stated = read_options(options, where, name=name)
    with foreign_code(where), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated; its files are read all the same
        if not is_file:
            module, batch, files = _imported(torch, where, target, weights)
        elif weights:
            message = f"{where}: option weights={weights!r} belongs to an import path; a file has its own weights; remove it"
            raise ModelError(message)
        else:
            module, batch = _from_file(torch, where, path)
            files = [path]
        module = _placed(module, where, device)
    network = _network(torch, module, device)
    version = hashlib.sha256(b"".join(hashlib.sha256(f.read_bytes()).digest() for f in files)).hexdigest()[:16]
    model = NetworkModel(
        **stated.arguments,
        version=f"sha256 {version}",
        network=network if batch is None else fixed_batch(network, batch),
        options={"library": f"torch {torch.__version__}", "device": device},
        files=[Path(__file__), *files],
        where=where,
    )
    model.gradients = functools.partial(_differentiable, model, module, stated.preprocessing, where, batch)
    model.check()
    return model


def _differentiable(
    model: NetworkModel, module: Any, preprocessing: Preprocessing, where: str, batch: int | None
) -> Differentiable:
    from fairfer.models.pytorch.offered import offered

    return offered(model, module, preprocessing, where, batch=batch)


def readiness() -> Readiness:
    """Whether PyTorch is installed."""
    return packages_readiness(EXTRA, "torch")


def _imported(torch: Any, where: str, target: str, weights: str) -> tuple[Any, int | None, list[Path]]:
    """The module of an import path, and the files on which its answers depend."""
    module, colon, attribute = target.rpartition(":")
    if not colon:
        message = f"{where} is neither a file ({', '.join(SUFFIXES)}) nor an import path; write torch:package.module:attribute"
        raise ModelError(message)
    value = import_object(where.removeprefix("model "), module, attribute)
    if not isinstance(value, torch.nn.Module) and callable(value):
        try:
            value = value()
        except Exception as error:
            message = (
                f"{where}: calling {attribute} without arguments fails ({first_line(error)}); name a function that returns the "
                "network"
            )
            raise ModelError(message) from error
    if not isinstance(value, torch.nn.Module):
        message = f"{where} is of type {type(value).__name__}, not an nn.Module or a function that returns one"
        raise ModelError(message)
    files = source_files([module, type(value).__module__])
    if weights:
        files = [*files, _load_weights(torch, where, value, Path(weights))]
    return value, None, files


def _load_weights(torch: Any, where: str, module: Any, path: Path) -> Path:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        message = f"{where}: option weights: {path} does not exist; correct the path"
        raise ModelError(message) from error
    except Exception as error:
        message = f"{where}: option weights: {path} is not a file of weights ({first_line(error)}); {_SAVE_WEIGHTS}"
        raise ModelError(message) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    try:
        module.load_state_dict(state)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        message = f"{where}: option weights: {path} does not fit the network ({reason}); give its own weights"
        raise ModelError(message) from error
    return path


_SAVE_WEIGHTS = "write it with torch.save(net.state_dict(), FILE)"


def _from_file(torch: Any, where: str, path: Path) -> tuple[Any, int | None]:
    """The module of a file, and the number of images that it takes at a time if that is fixed."""
    if not path.is_file():
        message = f"{path} does not exist; give a file of TorchScript or torch.export, or torch:package.module:attribute"
        raise ModelError(message)
    if path.suffix == EXPORTED:
        try:
            program = torch.export.load(path)
        except Exception as error:
            message = f"{path} is not a program of torch.export ({first_line(error)}); write it with torch.export.save"
            raise ModelError(message) from error
        return program.module(), _static_batch(program)
    try:
        return torch.jit.load(str(path), map_location="cpu"), None
    except Exception as error:
        raise _no_script(torch, where, path, error) from error


def _no_script(torch: Any, where: str, path: Path, error: Exception) -> ModelError:
    """Why a file is no TorchScript: weights only, pickled objects, or something else."""
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception as second:
        if "weights_only" in str(second) or "Unsupported" in str(second):
            return ModelError(
                f"{path} holds pickled Python objects, and loading them can run any code; write the network with "
                "torch.export.save, or its weights with torch.save(net.state_dict(), FILE)"
            )
        return ModelError(f"{path} is not TorchScript ({first_line(error)}); write it with torch.jit.save or torch.export.save")
    return ModelError(
        f"{path} holds weights without a network; name the network too: {where.removeprefix('model ').partition(':')[0]}:"
        f"package.module:attribute --option weights={path}"
    )


def _static_batch(program: Any) -> int | None:
    """The number of images of an exported program, ``None`` if it takes any number."""
    inputs = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in inputs:
            first = node.meta["val"].shape[0] if node.meta["val"].dim() else None
            return first if isinstance(first, int) else None
    return None


def _placed(module: Any, where: str, device: str) -> Any:
    """The module on a device, ready to answer."""
    try:
        moved = module.to(device)
    except Exception as error:
        message = f"{where}: option device={device!r} cannot be used here ({first_line(error)}); use cpu"
        raise ModelError(message) from error
    if type(module).__name__ != "GraphModule":  # an exported program is in the mode in which it was exported
        moved.eval()
    return moved


def _network(torch: Any, module: Callable[..., Any], device: str) -> Network:
    def answer(batch: Any) -> Any:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs = module(torch.from_numpy(np.ascontiguousarray(batch)).to(device))
        outputs = getattr(outputs, "logits", outputs)
        if not isinstance(outputs, torch.Tensor):
            message = f"the network returns a {type(outputs).__name__} instead of a tensor (images, labels)"
            raise TypeError(message)
        return outputs.float().cpu().numpy()

    return answer
