"""The prompt and the schema of the answer, from a TOML file."""

from __future__ import annotations

import hashlib
import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fairfer.errors import ModelError

if TYPE_CHECKING:
    from fairfer.labels import LabelSpace

LABELS = "{labels}"


class Prompt(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    system: str = ""
    user: str = Field(min_length=1)
    structured: bool = True
    max_tokens: int = Field(default=400, ge=1)

    @property
    def digest(self) -> str:
        """Identity of the prompt."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()[:16]

    def messages(self, labels: LabelSpace, image: str) -> list[dict[str, Any]]:
        """The messages for an image (PNG in base64)."""
        text = self.user.replace(LABELS, ", ".join(labels.spellings))
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": [{"type": "text", "text": text}, picture]}]


def response_format(labels: LabelSpace) -> dict[str, Any]:
    """The schema of an answer: whether there is a face, and one number for each label."""
    scores = {
        "type": "object",
        "properties": {label: {"type": "number"} for label in labels.spellings},
        "required": list(labels.spellings),
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {"face": {"type": "boolean"}, "scores": scores},
        "required": ["face", "scores"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "expression", "strict": True, "schema": schema}}


def read_prompt(path: str, where: str) -> Prompt:
    """Read a prompt; the one that comes with fairfer for an empty path.

    Raises
    ------
    ModelError
        If the file cannot be read, a key is wrong, or the prompt does not name the labels.
    """
    try:
        source = Path(path) if path else files(__package__).joinpath("prompt.toml")
        prompt = Prompt.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
    except OSError as error:
        message = f"{where}: option prompt: {path} cannot be read ({error.strerror}); correct the path"
        raise ModelError(message) from error
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{where}: option prompt: {path}: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}; correct the key"
        raise ModelError(message) from error
    except ValueError as error:
        message = f"{where}: option prompt: {path} is not valid TOML ({str(error).splitlines()[0]}); correct that line"
        raise ModelError(message) from error
    if LABELS not in prompt.user:
        message = f"{where}: option prompt: {path}: user does not contain {LABELS}, where the labels stand; add it"
        raise ModelError(message)
    return prompt
