"""Which datasets fairfer knows, and which of them are on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer.datasets.layout_files import has_metadata, subfolders
from fairfer.datasets.loading import loaders
from fairfer.datasets.public_files import DOWNLOADS
from fairfer.errors import DataError, FairferError, UsageError, did_you_mean

if TYPE_CHECKING:
    from fairfer.datasets.cards import DatasetCard
    from fairfer.datasets.loaders import Loader

FOLDER = "datasets"
"""The folder of the working directory in which datasets are looked for."""
_ANY_IMAGES = "folder"


@dataclass(frozen=True)
class KnownDataset:
    """A dataset or layout that a loader reads.

    Attributes
    ----------
    name
        Name of the loader.
    layout
        Its description in one line.
    options
        Its options as flags.
    card
        What the dataset is; ``None`` for a layout that many datasets have.
    downloadable
        Whether its license allows ``fairfer download``.
    """

    name: str
    layout: str
    options: tuple[str, ...]
    card: DatasetCard | None
    downloadable: bool


@dataclass(frozen=True)
class PresentDataset:
    """A dataset on this machine.

    Attributes
    ----------
    path
        Where it is.
    loader
        Name of the loader that reads it.
    title
        Its usual name; the folder's name for a folder of images.
    sizes
        Number of rows by split; empty where counting takes long.
    problem
        Why the rows could not be counted: the dataset is damaged.
    """

    path: Path
    loader: str
    title: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


def known_datasets() -> list[KnownDataset]:
    """Every installed loader: datasets with a card by name, then layouts that many datasets have.

    Raises
    ------
    PluginError
        If an installed package registers a loader that cannot be imported, or two packages register the same name.
    """
    known = [
        KnownDataset(n, one.layout, tuple("--" + o.replace("_", "-") for o in one.options), one.card, n in DOWNLOADS)
        for n, one in loaders().items()
    ]
    return sorted(known, key=lambda one: (one.card is None, one.name))


def find_known(name: str) -> KnownDataset:
    """The dataset of that name.

    Raises
    ------
    UsageError
        If there is none; the message has the most similar names.
    """
    by_name = {one.name: one for one in known_datasets()}
    if name not in by_name:
        message = f"{name!r} is neither a dataset that fairfer knows nor a folder; {did_you_mean(name, by_name)}"
        raise UsageError(message)
    return by_name[name]


def present_datasets(folders: Iterable[Path] = ()) -> list[PresentDataset]:
    """Datasets in ``./datasets`` and in other folders: the folder itself, or what is in it and one level below.

    A folder of images counts if it has metadata. Tables of predictions are not listed: any CSV file may be one.

    Parameters
    ----------
    folders
        Further folders.

    Raises
    ------
    DataError
        If one of them does not exist.
    """
    installed = loaders()
    present: dict[Path, PresentDataset] = {}
    for folder in folders:
        if not folder.exists():
            message = f"{folder} does not exist; give a folder that holds datasets"
            raise DataError(message)
    for folder in [Path(FOLDER), *folders]:
        for one in _search(folder, installed, depth=2):
            present.setdefault(one.path.resolve(), one)
    return list(present.values())


def _search(path: Path, installed: Mapping[str, Loader], depth: int) -> list[PresentDataset]:
    for name, loader in installed.items():
        if _is_dataset(path, loader):
            return [_describe(path, name, loader)]
    if not depth or not path.is_dir():
        return []
    files = sorted(p for p in path.glob("*.csv") if p.is_file())
    inside = [*subfolders(path), *files]
    return [one for child in inside for one in _search(child, installed, depth - 1)]


def _is_dataset(path: Path, loader: Loader) -> bool:
    if loader.name == _ANY_IMAGES:
        return path.is_dir() and has_metadata(path)
    return loader.card is not None and loader.matches(path)


def _describe(path: Path, name: str, loader: Loader) -> PresentDataset:
    title = loader.card.title if loader.card else path.resolve().name
    if loader.sizes is None:
        return PresentDataset(path, name, title)
    try:
        return PresentDataset(path, name, title, loader.sizes(path))
    except FairferError as error:
        return PresentDataset(path, name, title, problem=str(error))
