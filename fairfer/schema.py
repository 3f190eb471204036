"""A result as a JSON file of its own: written in one step, read back only as what was written."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from fairfer.errors import RunError
from fairfer.files import write_text


class Strict(BaseModel):
    """A frozen model that refuses unknown fields, NaN and infinite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Stored(Strict):
    """A strict model with a file.

    Attributes
    ----------
    again
        What to do where the file cannot be read.
    """

    again: ClassVar[str]

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file.

        Raises
        ------
        RunError
            When it is missing, damaged or of another version; the message names the field.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeError) as error:
            message = f"{path} cannot be read ({error}); {cls.again}"
            raise RunError(message) from error
        except ValidationError as error:
            first = error.errors()[0]
            message = f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}; {cls.again}"
            raise RunError(message) from error

    def write(self, path: Path) -> None:
        """Write the file in one step."""
        write_text(path, self.to_json())
