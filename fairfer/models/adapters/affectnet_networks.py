"""Common code for EmotiEffLib and hsemotion: networks of the same authors, trained on AffectNet, with similar interfaces."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fairfer.errors import ModelError
from fairfer.labels import LabelSpace
from fairfer.models.isolation import isolated
from fairfer.models.library import LibraryModel, check_choice, weights_digest
from fairfer.models.model import Prediction
from fairfer.models.network import first_line
from fairfer.models.outputs import softmax
from fairfer.models.requirements import Readiness, packages_readiness

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH_SIZE = 16
"""The networks take images of 112 to 260 pixels a side."""

DIMENSIONS = 2
"""Valence and arousal, which the networks whose names end with ``_mtl`` append to the emotions."""

TRIAL_SIDE = 64
GRAY = 128
"""The trial image."""

Ask = Callable[["list[NDArray[np.uint8]]"], tuple[Sequence[str], Any]]
"""The library's method: RGB images to names and logits."""


class Library(NamedTuple):
    """One of the two libraries, with one engine.

    Attributes
    ----------
    name
        As its package is called.
    module
        Its imported module.
    locate
        Name of the module's function from the name of a network to the path of its weights; it downloads missing ones.
    cache
        Folder in the user's home in which that function looks.
    suffix
        Of the files of weights.
    hint
        End of the error message about weights that cannot be used.
    """

    name: str
    module: ModuleType
    locate: str
    cache: str
    suffix: str
    hint: str = "is it complete, and the file of this network?"


def obtain_weights(library: Library, network: str, *, local: str, download: str) -> Path:
    """The file of weights.

    Parameters
    ----------
    library
        The library.
    network
        Name of the network.
    local
        A file to use instead of the library's own; empty for none.
    download
        ``yes`` lets the library download its file if it is missing.

    Raises
    ------
    ModelError
        If the file is missing, or cannot be downloaded.
    """
    check_choice("download", download, ("yes", "no"))
    if local:
        path = Path(local).expanduser()
        if not path.is_file():
            message = f"option weights={local!r}: there is no such file; check the path"
            raise ModelError(message)
        return path
    path = cache_folder(library.cache) / f"{network}{library.suffix}"
    if path.is_file():
        return path
    if download != "yes":
        message = (
            f"{library.name}: the weights of {network} are missing; put {path.name} into {path.parent}, name a file with the "
            f"model option weights=FILE, or let {library.name} download it with download=yes"
        )
        raise ModelError(message)
    try:
        with isolated(library.name, network=True):
            getattr(library.module, library.locate)(network)
    except Exception as error:
        path.unlink(missing_ok=True)  # a part of a file would block the next attempt
        message = (
            f"{library.name} could not download {path.name} ({first_line(error)}); check the network, or put the file into "
            f"{path.parent}"
        )
        raise ModelError(message) from error
    return path


def cache_folder(name: str) -> Path:
    """A folder in the user's home."""
    return Path.home() / name


@contextlib.contextmanager
def using(library: Library, weights: Path) -> Iterator[None]:
    """Let the library read weights from a file of the user's choice; its classes take the name of a network, not a path."""
    original = getattr(library.module, library.locate)
    setattr(library.module, library.locate, lambda _: str(weights))
    try:
        yield
    finally:
        setattr(library.module, library.locate, original)


def recognizer(library: Library, make: Callable[[], Any], weights: Path) -> Any:
    """The library's object for a network.

    Parameters
    ----------
    library
        The library.
    make
        Calls the constructor of the library's class.
    weights
        File that it reads.

    Raises
    ------
    ModelError
        If the library cannot read the file.
    """
    try:
        with isolated(library.name), using(library, weights):
            return make()
    except Exception as error:
        message = f"{library.name} cannot read {weights} ({first_line(error)}); {library.hint}"
        raise ModelError(message) from error


def assemble(
    library: Library,
    network: str,
    ask: Ask,
    classes: Mapping[int, str],
    *,
    weights: Path,
    release: str,
    options: Mapping[str, str],
    files: Sequence[Path],
) -> LibraryModel:
    """The model, after a trial run.

    Parameters
    ----------
    library, network
        As before.
    ask
        The library's method.
    classes
        Names of the emotions by position.
    weights
        File of weights.
    release
        Version of the library.
    options, files
        As of `LibraryModel`.

    Raises
    ------
    ModelError
        If the network fails, or does not have one output per emotion.
    """
    labels = LabelSpace.of(f"AffectNet {len(classes)}", [classes[i] for i in sorted(classes)])
    columns = len(labels) + DIMENSIONS * ("_mtl" in network)

    def answer(images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        outputs = np.asarray(ask(list(images))[1], np.float64)
        if outputs.shape != (len(images), columns):
            message = (
                f"the network {network} should have {columns} outputs, but its output has the shape "
                f"{' x '.join(map(str, outputs.shape))} for {len(images)} images"
            )
            raise ModelError(message)
        return [Prediction("ok", row) for row in softmax(outputs[:, : len(labels)])]

    try:
        with isolated(library.name):
            answer([np.full((TRIAL_SIDE, TRIAL_SIDE, 3), GRAY, np.uint8)])
    except Exception as error:
        message = f"{library.name}: {weights} fails on a plain gray image ({first_line(error)}); {library.hint}"
        raise ModelError(message) from error
    return LibraryModel(
        name=f"{library.name}-{network}",
        version=f"{release} (weights sha256 {weights_digest([weights])})",
        labels=labels,
        library=library.name,
        answer=answer,
        options={"model_name": network, "output": "logits", **options},
        files=[Path(__file__), *files],
        batch_size=BATCH_SIZE,
    )


def weights_readiness(extra: str, packages: Sequence[str], cache: str, suffixes: Sequence[str]) -> Readiness:
    """Whether a library is installed and has weights of any network; nothing is imported."""
    state = packages_readiness(extra, *packages)
    if state.state != "ready":
        return state
    folder = cache_folder(cache)
    files = sorted(p.name for suffix in suffixes for p in folder.glob(f"*{suffix}"))
    if files:
        return Readiness("ready", ", ".join(files))
    return Readiness("needs weights", f"NAME{suffixes[0]} in {folder}, or --option download=yes")
