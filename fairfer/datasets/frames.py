"""Data frames of other libraries."""

from __future__ import annotations

from typing import Any


def to_pandas(values: Any) -> Any:
    """A pandas object of any data frame or series that narwhals knows; anything else unchanged."""
    import narwhals.stable.v2 as nw

    native = nw.from_native(values, pass_through=True, allow_series=True)
    return native.to_pandas() if isinstance(native, nw.DataFrame | nw.Series) else values
