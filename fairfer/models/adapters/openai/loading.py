"""Load a vision-language model behind an OpenAI-compatible API."""

from __future__ import annotations

from pathlib import Path

from fairfer.errors import ModelError
from fairfer.models.adapters.openai.model import ChatModel
from fairfer.models.adapters.openai.prompt import read_prompt
from fairfer.models.adapters.openai.recording import Recording
from fairfer.models.network_options import parse_labels
from fairfer.models.requirements import Readiness, packages_readiness
from fairfer.models.service import Service, seconds

EXTRA = "http"
MAX_CONCURRENCY = 64


def load(
    target: str,
    *,
    base_url: str = "",
    labels: str = "ferplus",
    prompt: str = "",
    token_env: str = "",
    record: str = "",
    replay: str = "",
    timeout: str = "120",
    concurrency: str = "4",
) -> ChatModel:
    """A vision-language model behind an OpenAI-compatible API (hosted, vLLM, Ollama): openai:MODEL --option base_url=….

    The images are sent to `base_url` and nowhere else.

    Parameters
    ----------
    target
        Name of the model in the API.
    base_url
        Address of the API, such as ``http://localhost:11434/v1`` for Ollama. There is no default.
    labels
        Output classes: a label space or a list separated by commas.
    prompt
        A TOML file like ``fairfer/models/adapters/openai/prompt.toml``.
    token_env
        Environment variable with the API's secret. The secret is not stored.
    record
        A file in which every response is stored. Responses that it already has are used, so that nothing is paid for twice.
    replay
        A recorded file. Nothing is sent; an image without a recorded response is an error.
    timeout
        Seconds per request.
    concurrency
        Requests at a time.

    Raises
    ------
    ModelError
        If httpx is not installed, the address is missing, or an option is wrong.
    """
    where = f"model openai:{target}"
    if record and replay:
        message = f"{where}: options record and replay exclude each other; keep one"
        raise ModelError(message)
    if not replay and not base_url:
        message = (
            f"{where} has no address; add --option base_url=http://localhost:11434/v1 (Ollama) or that of another service. The "
            "images are sent there"
        )
        raise ModelError(message)
    if not concurrency.isdecimal() or not 1 <= int(concurrency) <= MAX_CONCURRENCY:
        message = f"{where}: option concurrency={concurrency!r} must be a whole number from 1 to {MAX_CONCURRENCY}"
        raise ModelError(message)
    asked = read_prompt(prompt, where)
    classes = parse_labels(labels, "own labels")
    limit = seconds(timeout, where)
    service = None if replay else Service(where, base_url, limit, token_env)
    recording = None
    if record or replay:
        host = "" if service is None else service.host
        recording = Recording(Path(record or replay), where, must_exist=bool(replay), service=host)
    answering = recording.service if recording is not None else service.host if service is not None else ""
    options = {"service": answering, "prompt": asked.digest, "temperature": "0"}
    return ChatModel(target, service, asked, labels=classes, recording=recording, options=options, concurrency=int(concurrency))


def readiness() -> Readiness:
    """Whether httpx is installed; the address is the user's."""
    found = packages_readiness(EXTRA, "httpx")
    return found if found.state != "ready" else Readiness("needs a service", "add --option base_url=…; images are sent there")
