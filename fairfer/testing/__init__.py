"""For authors of adapters and loaders: a fake model without dependencies, and checks of the contracts of models and datasets.

::

    from fairfer.testing import check_layout, check_loading, check_model

    def test_my_adapter(tmp_path):
        check_model(my_adapter.load(write_tiny_network(tmp_path)))
        check_loading(my_adapter.load, tmp_path / "tiny.bin")

    def test_my_loader(tmp_path):
        check_layout(my_loader.LOADER, write_tiny_dataset(tmp_path))

Each check raises one `AssertionError` that lists every fault, one per line.
"""

from __future__ import annotations

from fairfer.testing.datasets import check_layout, check_loader
from fairfer.testing.fake_model import FakeModel
from fairfer.testing.models import check_loading, check_model

__all__ = ["FakeModel", "check_layout", "check_loader", "check_loading", "check_model"]
