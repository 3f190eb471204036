"""``hf-dataset:ORG/NAME@SPLIT``: a data set of the Hugging Face Hub, or a folder, through the library ``datasets``.

Without ``download`` only what is in the local cache is read. Code that a data set brings is never run.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairfer.datasets.loaders import Loader
from fairfer.datasets.loaders.huggingface import from_parts
from fairfer.datasets.loaders.huggingface_files import Part
from fairfer.errors import DataError, UsageError

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset

EXTRA = "hf-datasets"
_COMMIT = re.compile(r"[@/\\]([0-9a-f]{40})[/\\]")


def load(
    address: str,
    *,
    truth: str | None = None,
    labels: str | None = None,
    split: str | None = None,
    image_column: str | None = None,
    revision: str | None = None,
    download: bool = False,
    name: str | None = None,
    not_missing: Mapping[str, Sequence[str]] | None = None,
) -> Dataset:
    """Read a data set of the Hub.

    Parameters
    ----------
    address
        ``ORG/NAME``, ``ORG/NAME:CONFIGURATION`` or a folder such as ``./faces``; ``@SPLIT`` may follow.
    truth, labels, image_column, not_missing
        See `fairfer.datasets.loaders.huggingface.load`.
    split
        The split, if `address` has none.
    revision
        Commit, tag or branch; by default the latest that is in the cache, or, with `download`, on the Hub.
    download
        Whether the network may be used.
    name
        Name of the dataset; `address` by default.

    Raises
    ------
    DataError
        If ``datasets`` is not installed, or the data set cannot be read.
    UsageError
        If the address has no name, or two splits are stated.
    """
    place, configuration, stated = _parse(address)
    if stated and split and stated != split:
        message = f"hf-dataset:{address}: the address states the split {stated!r} and --split {split!r}; keep one"
        raise UsageError(message)
    split = stated or split
    library = _library(address)
    with _network(library, allowed=download):
        try:
            loaded = library.load_dataset(place, configuration, split=split, revision=revision)
        except Exception as error:  # the library raises exceptions without a common base
            raise _failure(address, error, download=download) from error
    tables = {split or "": loaded} if isinstance(loaded, library.Dataset) else dict(loaded)
    first = next(iter(tables.values()))
    commit = _commit(first)
    _check_revision(address, commit, revision, download=download)
    dataset = from_parts(
        [_part(table, key, place) for key, table in tables.items()],
        Path(place),
        truth=truth,
        labels=labels,
        split=None,
        image_column=image_column,
        not_missing=not_missing,
    )
    card = {
        **dataset.card,
        "layout": "hf-dataset",
        "source": address,
        "revision": commit or f"{revision or 'not stated'} (fingerprint {first._fingerprint})",
        "datasets": str(library.__version__),
    }
    return dataset.replace(name=name or address.removeprefix("./"), card=card)


def _parse(address: str) -> tuple[str, str | None, str | None]:
    """Place, configuration and split."""
    place, at, split = address.rpartition("@")
    if not at:
        place, split = address, ""
    is_folder = place.startswith((".", "/", "~"))
    configuration = ""
    if not is_folder:
        place, _, configuration = place.partition(":")
    if not place or (at and not split):
        message = f"hf-dataset:{address}: write hf-dataset:ORG/NAME or hf-dataset:ORG/NAME@SPLIT"
        raise UsageError(message)
    return str(Path(place).expanduser()) if is_folder else place, configuration or None, split or None


def _library(address: str) -> Any:
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise _missing(address) from error
    if datasets.__file__ is None:  # a folder of this name, such as fairfer's own, stands in for a package that is missing
        raise _missing(address)
    return datasets


def _missing(address: str) -> DataError:
    return DataError(
        f"hf-dataset:{address} needs the package 'datasets', which is not installed; run: pip install 'fairfer[{EXTRA}]'"
    )


@contextlib.contextmanager
def _network(library: Any, *, allowed: bool) -> Iterator[None]:
    """Without permission, both libraries are in their offline mode, which they otherwise take from the environment."""
    if allowed:
        yield
        return
    import huggingface_hub.constants as hub

    before = library.config.HF_HUB_OFFLINE, hub.HF_HUB_OFFLINE
    library.config.HF_HUB_OFFLINE, hub.HF_HUB_OFFLINE = True, True
    try:
        yield
    finally:
        library.config.HF_HUB_OFFLINE, hub.HF_HUB_OFFLINE = before


def _failure(address: str, error: Exception, *, download: bool) -> DataError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if not download and isinstance(error, OSError) and not address.startswith((".", "/", "~")):
        return DataError(f"hf-dataset:{address} is not in the local cache; add --download to fetch it from the Hub")
    return DataError(f"hf-dataset:{address} cannot be read ({reason}); check the name, the split and the revision")


def _part(table: Any, split: str, place: str) -> Part:
    """The table of a split; a selection of rows is applied first."""
    flat = table.flatten_indices() if table._indices is not None else table  # the library has no public question for it
    data = flat.data.table
    root = Path(place) if Path(place).is_dir() else Path()
    return Part(root, split, data.schema, flat.features.to_dict(), data)


def _commit(table: Any) -> str:
    """Commit of the files that were read, from where they were downloaded or cached; empty where that states none."""
    places = [*(table.info.download_checksums or {}), *(str(f.get("filename", "")) for f in table.cache_files)]
    commits = {m[1] for place in places if (m := _COMMIT.search(str(place)))}
    return commits.pop() if len(commits) == 1 else ""


def _check_revision(address: str, commit: str, requested: str | None, *, download: bool) -> None:
    """Refuse another commit than the requested one: offline, the library takes the latest of its cache, whatever is asked."""
    if requested is None or download or address.startswith((".", "/", "~")) or (commit and commit.startswith(requested)):
        return
    message = (
        f"hf-dataset:{address}: the local cache has the commit {commit or 'unknown'}, and whether that is the revision "
        f"{requested!r} cannot be checked without the network; give the commit, or add --download"
    )
    raise DataError(message)


def _matches(path: Path) -> bool:
    del path
    return False


LOADER = Loader("hf-dataset", "ORG/NAME@SPLIT of the Hugging Face Hub (extra hf-datasets)", _matches, load)
