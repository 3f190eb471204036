"""Data sets by their layout on disk: one module per layout, found through the entry points ``fairfer.loaders``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairfer.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset

GROUP = "fairfer.loaders"
SAMPLE = "sample"
"""The name of the bundled, de-identified sample."""


@dataclass(frozen=True)
class Loader:
    """One layout on disk.

    Attributes
    ----------
    name
        What the layout is called (``--loader``).
    layout
        What it looks like, in a line, for error messages and ``fairfer datasets``.
    matches
        Whether a path has this layout; must be cheap and must not raise.
    load
        Read it; its keyword arguments are the loader's options.
    """

    name: str
    layout: str
    matches: Callable[[Path], bool]
    load: Callable[..., Dataset]

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options that this loader takes."""
        return tuple(n for n, p in inspect.signature(self.load).parameters.items() if p.kind is p.KEYWORD_ONLY)


def loaders() -> dict[str, Loader]:
    """Every installed loader by name, in the order in which layouts are tried: ``folder`` last, as it takes any pictures.

    Raises
    ------
    DataError
        When an installed package registers a loader that cannot be imported.
    """
    found: dict[str, Loader] = {}
    for point in entry_points(group=GROUP):
        try:
            found[point.name] = point.load()
        except (ImportError, AttributeError) as error:
            message = f"loader {point.name!r} ({point.value}) cannot be imported: {error}; mend or remove its package"
            raise DataError(message) from error
    return dict(sorted(found.items(), key=lambda item: (item[0] == "folder", item[0])))


def sample_path() -> Path:
    """The folder of the bundled sample: inside an installed package, or in the project when installed for development."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "_sample", package.parent / "datasets" / "sample"):
        if (place / "metadata.csv").is_file():
            return place
    message = f"the bundled sample is missing from {package}; install fairfer again"
    raise DataError(message)


def load_dataset(
    path: str | Path = SAMPLE,
    *,
    loader: str | None = None,
    name: str | None = None,
    demographics: str | Path | None = None,
    bands: Mapping[str, Sequence[float]] | None = None,
    **options: Any,  # noqa: ANN401 - each loader states its own
) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    path
        A folder or file in a layout that a loader knows, or ``"sample"`` for the bundled sample.
    loader
        Which loader to use, instead of the first whose layout matches.
    name
        What to call the data set; by default what its loader calls it.
    demographics
        A table of attributes by picture name to join, with its provenance in a ``.toml`` of the same name beside it.
    bands
        For each numeric column to group by, the lowest value of each band but the first: ``{"age": [20, 40, 60]}``.
    **options
        The loader's own, such as ``split="test"`` and ``rule="majority"`` for FER+.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        When there is nothing at `path`, no layout matches, or the content is not what the layout promises.
    UsageError
        When the loader or an option does not exist.

    Examples
    --------
    >>> import fairfer
    >>> fairfer.load_dataset("sample").labels.labels[:3]
    ('neutral', 'happiness', 'surprise')
    """
    from fairfer.datasets.annotations import annotate, apply_bands  # noqa: PLC0415 - pandas stays out of `fairfer --help`

    place = sample_path() if str(path) == SAMPLE and not Path(path).exists() else Path(path).expanduser()
    if str(path) == SAMPLE and place != Path(path):
        loader, options = loader or "folder", {"name": "sample", **options}
    if not place.exists():
        beside = [p.name for p in place.parent.iterdir()] if place.parent.is_dir() else []
        known = [*beside, SAMPLE] if place.parent == Path() else beside
        message = f"{place} does not exist; {did_you_mean(place.name, known)}"
        raise DataError(message)
    chosen = _choose(place, loader)
    given = {k: v for k, v in options.items() if v is not None}
    if name is not None and "name" in chosen.options:
        given["name"] = name
    for option in given:
        if option not in chosen.options:
            flag = "--" + option.replace("_", "-")
            where = [n for n, other in loaders().items() if option in other.options]
            hint = f"it belongs to {', '.join(where)}" if where else did_you_mean(option, chosen.options)
            message = f"{flag} means nothing for a {chosen.name} data set ({place}); {hint}"
            raise UsageError(message)
    dataset = chosen.load(place, **given)
    if name is not None:
        dataset = dataset.replace(name=name)
    if demographics is not None:
        dataset = annotate(dataset, Path(demographics).expanduser())
    return apply_bands(dataset, bands or {})


def _choose(path: Path, name: str | None) -> Loader:
    known = loaders()
    if name is not None:
        if name not in known:
            message = f"no loader {name!r}; {did_you_mean(name, known)}"
            raise UsageError(message)
        return known[name]
    for loader in known.values():
        if loader.matches(path):
            return loader
    layouts = "; ".join(f"{n}: {other.layout}" for n, other in known.items())
    message = f"{path} has none of the known layouts ({layouts}); name one with --loader"
    raise DataError(message)
