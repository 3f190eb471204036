"""Image classifiers of Hugging Face transformers: ``hf:org/name`` or ``hf:FOLDER``.

Images go through the model's own image processor, whose settings are stored with the predictions. All classes are read:
transformers' pipeline returns the five most likely ones only.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairfer.errors import LabelError, ModelError, did_you_mean
from fairfer.labels import LabelSpace
from fairfer.models.adapters.huggingface_gradients import differentiable
from fairfer.models.foreign_code import foreign_code
from fairfer.models.network import Network, NetworkModel, first_line
from fairfer.models.network_options import parse_labels
from fairfer.models.requirements import Readiness, packages_readiness, require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fairfer.vocabulary import Task

EXTRA = "hf"
BACKENDS = ("pil", "torchvision")
BATCH_SIZE = 16
"""Images per call: these networks are large."""

WEIGHTS = ("*.safetensors", "*.bin")
SETTINGS = ("crop_size", "do_", "image_mean", "image_std", "resample", "rescale_factor", "size")
"""Beginnings of the settings of an image processor that change its result."""


def load(
    target: str, *, revision: str = "", download: str = "no", labels: str = "", backend: str = "", device: str = "cpu"
) -> NetworkModel:
    """An image classifier of Hugging Face: hf:org/name from the local cache or the hub, or hf:FOLDER.

    Parameters
    ----------
    target
        Name on the hub, or a folder written by ``save_pretrained``.
    revision
        Branch, tag or commit on the hub.
    download
        ``yes`` downloads what is not in the local cache; by default nothing is downloaded.
    labels
        Output classes in their order, for a model that does not name them.
    backend
        Of the image processor: ``pil`` or ``torchvision``, which resample slightly differently. By default torchvision where it
        can be used, as in transformers.
    device
        ``cpu`` (default), ``cuda``, ``mps``.

    Raises
    ------
    ModelError
        If transformers or PyTorch is not installed, the model is not here, is no image classifier, or an option is wrong.
    """
    where = f"model hf:{target}"
    if download not in ("yes", "no"):
        message = f"{where}: option download={download!r} is not a choice; use yes or no"
        raise ModelError(message)
    if backend and backend not in BACKENDS:
        message = f"{where}: option backend={backend!r} is not a choice; {did_you_mean(backend, BACKENDS)}"
        raise ModelError(message)
    torch = require("torch", what=where, extra=EXTRA)
    transformers = require("transformers", what=where, extra=EXTRA)
    source = _Source(target, where, revision or None, only_local=download != "yes")
    backend = backend or ("torchvision" if _torchvision_works() else "pil")
    with _quiet(where, transformers):
        whole = functools.partial(transformers.AutoModelForImageClassification.from_pretrained, output_loading_info=True)
        network, loaded = source.load(whole, "image classifier")
        _check_weights(loaded, where)
        with_backend = functools.partial(transformers.AutoImageProcessor.from_pretrained, backend=backend)
        processor = source.load(with_backend, "image processor")
        network = _placed(network, where, device)
    folder = _folder(target, revision)
    task: Task = "multi-label" if network.config.problem_type == "multi_label_classification" else "single-label"
    model = NetworkModel(
        name=Path(target).name,
        version=_version(folder),
        labels=_labels(network.config, labels, where),
        task=task,
        network=_network(torch, network, processor, where, device),
        preprocessing=None,
        output="logits",
        options={
            "library": f"transformers {transformers.__version__}, torch {torch.__version__}",
            "device": device,
            **({} if Path(target).is_dir() else {"commit": folder.name}),
            "processor": f"{type(processor).__name__} ({backend})",
            **_settings(processor),
        },
        files=[Path(__file__), folder],
        batch_size=BATCH_SIZE,
        where=where,
    )
    model.gradients = functools.partial(differentiable, model, network, processor, where)
    model.check()
    return model


def readiness() -> Readiness:
    """Whether transformers and PyTorch are installed."""
    return packages_readiness(EXTRA, "transformers", "torch")


def _torchvision_works() -> bool:
    """Whether torchvision can be imported: its release has to fit that of PyTorch."""
    try:
        importlib.import_module("torchvision")
    except Exception:  # RuntimeError where its operators do not fit PyTorch
        return False
    return True


@contextmanager
def _quiet(where: str, transformers: Any) -> Iterator[None]:
    """Without the progress bars, log and warnings of transformers."""
    log = transformers.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        with foreign_code(where), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


@dataclass(frozen=True)
class _Source:
    """Where a model comes from: its name or folder, the start of error messages, the revision, and whether to stay offline."""

    target: str
    where: str
    revision: str | None
    only_local: bool

    def load(self, factory: Any, what: str) -> Any:
        """What a factory of transformers loads."""
        is_folder = Path(self.target).is_dir()
        if is_folder:
            advice = f"write the folder with save_pretrained of the model and of its image processor ({what} missing)"
        elif self.only_local:
            advice = "add --option download=yes to download it, or give a folder"
        else:
            advice = "check the name and the network"
        try:
            return factory(self.target, revision=self.revision, local_files_only=self.only_local, trust_remote_code=False)
        except Exception as error:
            state = f"cannot be loaded ({first_line(error)})"
            if self.only_local and not is_folder:  # the library's own text speaks of a connection, which was not tried
                state = "is not in the local cache"
            message = f"{self.where}: its {what} {state}; {advice}"
            raise ModelError(message) from error


def _check_weights(loaded: Mapping[str, Any], where: str) -> None:
    """Refuse a network without all of its weights: transformers fills the rest with random numbers and only warns."""
    missing = sorted({*map(str, loaded.get("missing_keys", ())), *(str(m) for m in loaded.get("mismatched_keys", ()))})
    if missing:
        message = (
            f"{where} has no weights for {len(missing)} parts of the network, such as {missing[0]}; it is not an image "
            "classifier that was trained for these classes; choose another"
        )
        raise ModelError(message)


def _placed(network: Any, where: str, device: str) -> Any:
    try:
        return network.to(device).eval()
    except Exception as error:
        message = f"{where}: option device={device!r} cannot be used here ({first_line(error)}); use cpu"
        raise ModelError(message) from error


def _labels(config: Any, stated: str, where: str) -> LabelSpace:
    """Output classes, from the model's configuration or as stated."""
    names = [str(config.id2label[i]) for i in sorted(config.id2label)]
    if stated:
        space = parse_labels(stated, "own labels")
        if len(space) != len(names):
            message = f"{where}: option labels names {len(space)} labels, but the model has {len(names)} ({', '.join(names)})"
            raise ModelError(message)
        return space
    if all(name == f"LABEL_{i}" for i, name in enumerate(names)):
        message = (
            f"{where} does not name its {len(names)} labels ({names[0]}, …); add --option labels=happy,sad,… in the order of "
            "the output, as on the model's page"
        )
        raise ModelError(message)
    try:
        return LabelSpace.of("own labels", names)
    except LabelError as error:
        message = f"{where}: {error}; name them with --option labels=…"
        raise ModelError(message) from error


def _folder(target: str, revision: str) -> Path:
    """The folder of the files that were loaded: the target, or its snapshot in the local cache."""
    if Path(target).is_dir():
        return Path(target)
    from huggingface_hub import try_to_load_from_cache

    return Path(str(try_to_load_from_cache(target, "config.json", revision=revision or None))).parent


def _version(folder: Path) -> str:
    """The digest of the weights."""
    sha = hashlib.sha256()
    for path in sorted(p for pattern in WEIGHTS for p in folder.glob(pattern)):
        sha.update(path.read_bytes())
    return f"weights sha256 {sha.hexdigest()[:16]}"


def _settings(processor: Any) -> dict[str, str]:
    """The settings that decide what happens to an image, as options."""
    return {
        f"processor.{key}": json.dumps(value, sort_keys=True, default=str)
        for key, value in sorted(processor.to_dict().items())
        if key.startswith(SETTINGS)
    }


def _network(torch: Any, network: Any, processor: Any, where: str, device: str) -> Network:
    def answer(images: Sequence[NDArray[np.uint8]]) -> Any:
        with foreign_code(where), warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            # Of an image that is 1 or 3 pixels high or wide, the library would have to guess which axis has the colors.
            inputs = processor(images=list(images), return_tensors="pt", input_data_format="channels_last")
            return network(**inputs.to(device)).logits.float().cpu().numpy()

    return answer
