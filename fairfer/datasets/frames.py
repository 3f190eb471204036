"""Data frames of pandas, polars and other libraries, through narwhals."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd


def to_pandas(values: Any) -> Any:
    """Convert an eager data frame or series of any library that narwhals supports to pandas; return other values unchanged."""
    if isinstance(values, pd.DataFrame | pd.Series):
        return values  # also with two columns of one name, which narwhals refuses
    native = nw.from_native(values, pass_through=True, allow_series=True)
    return native.to_pandas() if isinstance(native, nw.DataFrame | nw.Series) else values
