"""Strict pydantic models, and results stored as JSON files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from fairfer.errors import RunError
from fairfer.files import read_text, write_text


class Strict(BaseModel):
    """A model that refuses unknown fields, is immutable, and holds no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Stored(Strict):
    """A strict model stored as a JSON file.

    Attributes
    ----------
    remedy
        How to make the file again; ends error messages.
    """

    remedy: ClassVar[str]

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read the file.

        Raises
        ------
        RunError
            When it is missing, damaged or of another version; the message names the field.
        """
        try:
            return cls.model_validate_json(read_text(Path(path)))
        except (OSError, UnicodeError) as error:
            message = f"{path} cannot be read ({error}); {cls.remedy}"
            raise RunError(message) from error
        except ValidationError as error:
            first = error.errors()[0]
            message = f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}; {cls.remedy}"
            raise RunError(message) from error

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file in one step."""
        write_text(Path(path), self.to_json())
