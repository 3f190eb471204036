"""A model served over HTTP: ``http://HOST/PATH`` or ``https://HOST/PATH``.

GET returns the description of the model (see `fairfer.models.answer_objects`; ``batch_size`` may be added). POST takes
``{"images": [{"id": …, "width": …, "height": …, "image": "<PNG in base64>"}, …]}`` and returns ``{"answers": […]}``, one answer
per image in the same order. The images are sent to that address and nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from fairfer.errors import ModelError
from fairfer.models.answer_objects import Description, read_answer, read_description, request, shown
from fairfer.models.model import Prediction
from fairfer.models.requirements import Readiness, packages_readiness
from fairfer.models.service import Service, UnavailableError, seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fairfer.labels import LabelSpace
    from fairfer.vocabulary import Task

EXTRA = "http"
BATCH_SIZE = 16


def load_http(target: str, **options: str) -> HttpModel:
    """A model served over HTTP: http://HOST:PORT/PATH.

    Parameters
    ----------
    target
        The address without ``http:``.
    **options
        ``timeout`` (60 seconds), ``token_env`` (environment variable with a secret); ``labels``, ``name`` and ``version`` for a
        service that does not describe itself.
    """
    return _load(f"http:{target}", options)


def load_https(target: str, **options: str) -> HttpModel:
    """A model served over HTTPS: https://HOST/PATH.

    Parameters
    ----------
    target
        The address without ``https:``.
    **options
        As of `load_http`.
    """
    return _load(f"https:{target}", options)


def readiness() -> Readiness:
    """Whether httpx is installed; the address is the user's."""
    found = packages_readiness(EXTRA, "httpx")
    return found if found.state != "ready" else Readiness("needs a service", "give its address; images are sent there")


_OPTIONS = ("labels", "name", "task", "timeout", "token_env", "version")


def _load(url: str, options: Mapping[str, str]) -> HttpModel:
    where = f"model {_without_query(url)}"
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        message = f"{where} has no option {unknown[0]!r}; available: {', '.join(_OPTIONS)}"
        raise ModelError(message)
    service = Service(where, url, seconds(options.get("timeout", "60"), where), options.get("token_env", ""))
    try:
        response = service.get()
    except UnavailableError as error:
        message = f"{where} cannot be asked ({error}); start the service, or correct the address"
        raise ModelError(message) from error
    described: Any = None if response is None else service.json(response)
    if isinstance(described, Mapping) or "labels" not in options:
        stated: dict[str, Any] = {k: options[k] for k in ("name", "version", "task") if k in options}
        if "labels" in options:
            stated |= {"labels": options["labels"].split(",")}
        if described is None and "labels" not in options:
            message = f"{where} does not describe itself (GET); add --option labels=happy,sad,… and --option version=…"
            raise ModelError(message)
        described = {**described, **stated} if isinstance(described, Mapping) else described
    else:
        described = {
            "name": options.get("name", urlsplit(url).path.strip("/").rpartition("/")[2] or service.host),
            "version": options.get("version", ""),
            "labels": [n.strip() for n in options["labels"].split(",")],
            "task": options.get("task", "single-label"),
        }
        if not described["version"]:
            message = f"{where} does not state its version; add --option version=…, and change it when the model changes"
            raise ModelError(message)
    size = described.get("batch_size", BATCH_SIZE) if isinstance(described, Mapping) else BATCH_SIZE
    return HttpModel(service, read_description(described, where), size)


def _without_query(url: str) -> str:
    """An address without what may be a key: it is neither stored nor shown."""
    return urlunsplit((*urlsplit(url)[:3], "", ""))


def _address_options(url: str) -> dict[str, str]:
    """The address as options of the model; a query only as its digest."""
    query = urlsplit(url).query
    digest = {"query": f"sha256 {hashlib.sha256(query.encode()).hexdigest()[:16]}"} if query else {}
    return {"url": _without_query(url), **digest}


class HttpModel:
    """A model served over HTTP; `load_http` makes one.

    Parameters
    ----------
    service
        The address.
    described
        How the service describes itself.
    batch_size
        Images per request.
    """

    def __init__(self, service: Service, described: Description, batch_size: int) -> None:
        self.name: str = described.name
        self.version: str = described.version
        self.labels: LabelSpace = described.labels
        self.task: Task = described.task
        self.batch_size = batch_size
        self.options = _address_options(service.url)
        self.sent_to = service.host if service.is_remote else ""
        self.files = [Path(__file__)]
        self._service = service

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Answer for each (height, width, 3) RGB image, in order.

        Where the service fails on several images, each is asked alone; one on which it fails has the status ``error``.

        Raises
        ------
        ModelError
            If the service cannot be reached, refuses the request, or breaks the protocol.
        """
        if not len(images):
            return []
        try:
            value = self._service.json(self._service.post({"images": [request(str(i), x) for i, x in enumerate(images)]}))
        except UnavailableError as error:
            if len(images) == 1:
                return [Prediction("error", detail=str(error))]
            return [answer for image in images for answer in self.predict([image])]
        answers = value.get("answers") if isinstance(value, Mapping) else None
        if not isinstance(answers, list) or len(answers) != len(images):
            count = f"{len(answers)} answers" if isinstance(answers, list) else shown(value)
            message = (
                f'{self._service.where} must return {{"answers": […]}} with one answer per image ({len(images)}), not {count}'
            )
            raise ModelError(message)
        for i, answer in enumerate(answers):
            if isinstance(answer, Mapping) and str(answer.get("id", i)) != str(i):
                message = (
                    f"{self._service.where} returned the answer to image {shown(answer['id'])} at position {i}; return the "
                    "answers in the order of the images"
                )
                raise ModelError(message)
        return [read_answer(answer, self.labels, self._service.where) for answer in answers]
