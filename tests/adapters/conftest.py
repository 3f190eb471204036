"""Tests that need the libraries of models; they are skipped without them. CI installs all of these libraries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items) -> None:
    """Mark every test below this folder."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.adapters)


@pytest.fixture
def images() -> list[np.ndarray]:
    """RGB noise of several sizes."""
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in ((20, 20), (20, 20), (31, 17), (20, 20))]
