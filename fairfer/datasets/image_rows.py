"""Images in the rows of Parquet and Arrow files, read one row, or one group of rows, at a time."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fairfer.datasets.images import FileImages, Picture, UnreadableImageError, decode_picture

if TYPE_CHECKING:
    import pyarrow as pa


class RowSource(Protocol):
    """A column of images."""

    root: Path

    def value(self, row: int) -> Any:
        """Return the value of a row: a structure of ``bytes`` and ``path``, bytes, a path, or ``None``."""
        ...


class ArrowColumn:
    """A column of a memory-mapped Arrow table.

    Parameters
    ----------
    column
        The column.
    root
        Folder that relative paths of images refer to.
    """

    def __init__(self, column: pa.ChunkedArray, root: Path) -> None:
        self.column = column
        self.root = root

    def value(self, row: int) -> Any:
        """Return the value of a row."""
        return self.column[row].as_py()


class ParquetColumn:
    """A column of a Parquet file. The last group of rows stays in memory, because images are asked for in order.

    Parameters
    ----------
    path
        The file; relative paths of images refer to its folder.
    column
        Name of the column.
    starts
        Number of the first row of each group of rows.
    """

    def __init__(self, path: Path, column: str, starts: list[int]) -> None:
        self.path = path
        self.root = path.parent
        self.column = column
        self.starts = starts
        self._last: tuple[int, Any] = (-1, None)

    def value(self, row: int) -> Any:
        """Return the value of a row."""
        group = bisect.bisect_right(self.starts, row) - 1
        number, values = self._last
        if number != group:
            import pyarrow.parquet as pq

            with pq.ParquetFile(self.path) as file:
                values = file.read_row_group(group, columns=[self.column]).column(self.column)
            self._last = (group, values)  # one assignment, so that threads see either group whole
        return values[row - self.starts[group]].as_py()


class RowImages:
    """Images in rows of tables.

    Parameters
    ----------
    rows
        For each sample id its column of images, and the row.
    """

    def __init__(self, rows: Mapping[str, tuple[RowSource, int]]) -> None:
        self.rows = rows

    def raw(self, sample_id: str) -> bytes:
        """Return the encoded image; where a row has only the path of an image, the content of that file.

        Raises
        ------
        UnreadableImageError
            If the row has no image, or its file cannot be read.
        """
        source, row = self.rows[sample_id]
        try:
            value = source.value(row)
        except (OSError, ValueError) as error:  # of pyarrow too: a damaged page, or a file that was removed
            message = f"{sample_id} cannot be read ({str(error).partition(chr(10))[0]})"
            raise UnreadableImageError(message) from error
        path = value.get("path") if isinstance(value, dict) else value
        content = value.get("bytes") if isinstance(value, dict) else value
        if isinstance(content, bytes):
            return content
        if isinstance(path, str) and path:
            return FileImages(source.root, {sample_id: path}).raw(sample_id)
        message = f"{sample_id} has no image in its row"
        raise UnreadableImageError(message)

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """Decode the image; see `decode_picture`."""
        return decode_picture(raw, sample_id)
