"""Loaders of datasets: the protocol, and one module per layout."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairfer.datasets.cards import DatasetCard
    from fairfer.datasets.dataset import Dataset


@dataclass(frozen=True)
class Loader:
    """Reads one layout.

    Attributes
    ----------
    name
        Name of the layout (``--loader``).
    layout
        Description in one line, for error messages and ``fairfer datasets``.
    matches
        Whether a path has this layout. It must be fast and must not raise.
    load
        Reads the path. Its keyword-only parameters are the loader's options.
    card
        What the dataset is, its license, and how to obtain it; ``None`` for a layout that many datasets have.
    sizes
        Number of rows by split of a path that matches, for ``fairfer datasets``; ``None`` where counting takes long.
    """

    name: str
    layout: str
    matches: Callable[[Path], bool]
    load: Callable[..., Dataset]
    card: DatasetCard | None = None
    sizes: Callable[[Path], Mapping[str, int]] | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the loader's options."""
        return tuple(n for n, p in inspect.signature(self.load).parameters.items() if p.kind is p.KEYWORD_ONLY)
