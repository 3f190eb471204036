"""A vision-language model as a `fairfer.Model`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairfer.errors import ModelError
from fairfer.models.adapters.openai.answers import read_response
from fairfer.models.adapters.openai.prompt import Prompt, response_format
from fairfer.models.adapters.openai.recording import Recording, request_key
from fairfer.models.answer_objects import png
from fairfer.models.model import Prediction
from fairfer.models.service import Service, UnavailableError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fairfer.labels import LabelSpace

SEED = 0
PATH = "/chat/completions"
REJECTED = (400, 422)
"""Status codes of a request that the service does not accept, such as one that a content filter removed."""


class ChatModel:
    """A vision-language model; `fairfer.models.adapters.openai.load` makes one.

    Parameters
    ----------
    model
        Its name in the API.
    service
        The API; ``None`` to replay a recording.
    prompt
        What it is asked.
    labels
        Output classes.
    recording
        Where responses are stored, or replayed from.
    options
        Whatever else may change an answer.
    concurrency
        Requests at a time.
    """

    def __init__(
        self,
        model: str,
        service: Service | None,
        prompt: Prompt,
        *,
        labels: LabelSpace,
        recording: Recording | None,
        options: Mapping[str, str],
        concurrency: int,
    ) -> None:
        self.name = model.rpartition("/")[2]
        self.version = f"{model} (prompt {prompt.digest})"
        self.labels = labels
        self.options = dict(options)
        self.batch_size = max(concurrency, 1)
        self.files = sorted(Path(__file__).parent.glob("*.py"))
        self.sent_to = service.host if service is not None and service.is_remote else ""
        self._model = model
        self._service = service
        self._prompt = prompt
        self._recording = recording
        self._structured = prompt.structured
        self._concurrency = concurrency

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Answer for each (height, width, 3) RGB image, in order.

        Raises
        ------
        ModelError
            If the service cannot be reached or rejects the secret, or a replayed recording lacks an answer.
        """
        if not len(images):
            return []
        with ThreadPoolExecutor(self._concurrency) as executor:
            return list(executor.map(self._answer, images))

    def _answer(self, image: NDArray[np.uint8]) -> Prediction:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": self._prompt.messages(self.labels, png(image)),
            "temperature": 0,
            "seed": SEED,
            "max_tokens": self._prompt.max_tokens,
        }
        key = request_key(body)
        recorded = None if self._recording is None else self._recording.get(key)
        if recorded is not None:
            return read_response(recorded, self.labels)
        if self._service is None:
            message = "the recording has no answer for an image; record it with the same model, prompt and images"
            raise ModelError(message)
        try:
            response = self._ask(self._service, body)
        except UnavailableError as error:
            return Prediction("error", detail=str(error))
        if self._recording is not None:
            response = self._recording.add(key, response)
        return read_response(response, self.labels)

    def _ask(self, service: Service, body: dict[str, Any]) -> Any:
        """The JSON value of the response; that of an error if the request was rejected."""
        if self._structured:
            response = service.post({**body, "response_format": response_format(self.labels)}, PATH)
            if response.status_code not in REJECTED or "response_format" not in response.text:
                return self._value(service, response)
            self._structured = False  # the service has no structured answers
        return self._value(service, service.post(body, PATH))

    @staticmethod
    def _value(service: Service, response: Any) -> Any:
        if response.status_code in REJECTED:
            try:
                value = response.json()
            except ValueError:
                value = None
            error = value.get("error") if isinstance(value, Mapping) else None
            return {"error": error if isinstance(error, Mapping) else {"message": service.shown(response.text)}}
        return service.json(response)
