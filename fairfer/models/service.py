"""Requests to a service over HTTP, with timeouts, retries, and a secret from the environment."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fairfer.errors import ModelError
from fairfer.models.answer_objects import shown
from fairfer.models.requirements import require

BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Status codes after which a request is repeated."""

ATTEMPTS = 4
FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds between attempts: doubled each time, or what the service asks for."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class UnavailableError(Exception):
    """A request failed in every attempt."""


@dataclass(eq=False)
class Service:
    """A service over HTTP.

    Attributes
    ----------
    where
        The model, as the start of error messages.
    url
        Its address.
    timeout
        Seconds per request.
    token_env
        Environment variable with the secret for the header Authorization; empty for none. The secret is never stored.
    pause
        Function that waits; tests replace it.
    """

    where: str
    url: str
    timeout: float = 60.0
    token_env: str = ""
    pause: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            message = f"{self.where}: {self.url} is not an address; write http://HOST:PORT/PATH"
            raise ModelError(message)
        if parts.username or parts.password:
            message = (
                f"{self.where}: the address has a password; put it into an environment variable and add --option token_env=NAME"
            )
            raise ModelError(message)
        self._httpx = require("httpx", what=self.where, extra="http")
        self._secret = ""
        headers = {}
        if self.token_env:
            secret = os.environ.get(self.token_env, "")
            if not secret:
                message = f"{self.where}: the environment variable {self.token_env} (token_env) is empty; set it to the secret"
                raise ModelError(message)
            if not secret.isascii() or not secret.isprintable() or " " in secret:
                message = (
                    f"{self.where}: the environment variable {self.token_env} (token_env) has a space, a line break or a "
                    "character outside of ASCII; set it to the secret alone"
                )
                raise ModelError(message)
            headers["Authorization"] = f"Bearer {secret}"
            self._secret = secret
        self._client = self._httpx.Client(headers=headers, timeout=self.timeout, follow_redirects=False)
        weakref.finalize(self, self._client.close)

    @property
    def host(self) -> str:
        """Name of the host, with its port."""
        return urlsplit(self.url).netloc

    @property
    def is_remote(self) -> bool:
        """Whether images leave this machine."""
        return urlsplit(self.url).hostname not in LOOPBACK

    def shown(self, text: str) -> str:
        """The beginning of a response, for an error message, without the secret that a service may repeat."""
        return shown(text.replace(self._secret, "***") if self._secret else text)

    def get(self) -> Any:
        """The response to GET; ``None`` for a service that has none."""
        response = self._send("GET", self.url, None)
        return None if response.status_code in (404, 405, 501) else response

    def post(self, body: Any, path: str = "") -> Any:
        """The response to a JSON body.

        Raises
        ------
        UnavailableError
            If it fails for every attempt.
        ModelError
            If it cannot be reached, or redirects elsewhere.
        """
        return self._send("POST", self.url.rstrip("/") + path if path else self.url, body)

    def _send(self, method: str, url: str, body: Any) -> Any:
        wait, problem = FIRST_WAIT, ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self.pause(wait)
            wait = min(wait * 2, LONGEST_WAIT)
            try:
                response = self._client.request(method, url, json=body)
            except self._httpx.ConnectError as error:
                problem = (
                    f"{self.where} cannot be reached at {self.host} ({shown(error)}); start the service, or correct the address"
                )
                if attempt == ATTEMPTS - 1:
                    raise ModelError(problem) from error
                continue
            except (self._httpx.HTTPError, self._httpx.InvalidURL) as error:
                problem = f"the service did not answer ({type(error).__name__}: {shown(error) or 'no reason'})"
                continue
            if response.is_redirect:
                target = self.shown(str(response.headers.get("location")))
                message = f"{self.where}: {self.host} redirects to {target}; give that address"
                raise ModelError(message)
            if response.status_code not in BUSY:
                return response
            reason = self.shown(response.text) or "no reason"
            problem = f"the service answered with status {response.status_code} ({reason})"
            wait = _asked_wait(response.headers.get("retry-after"), wait)
        raise UnavailableError(problem)

    def json(self, response: Any) -> Any:
        """The JSON value of a response.

        Raises
        ------
        ModelError
            If the response is an error or not JSON.
        """
        if not response.is_success:
            message = (
                f"{self.where}: {self.host} answered with status {response.status_code} ({self.shown(response.text)}); "
                "correct the request or the secret"
            )
            raise ModelError(message)
        try:
            return response.json()
        except ValueError as error:
            message = (
                f"{self.where}: {self.host} answered with something other than JSON ({self.shown(response.text)}); correct the "
                "address"
            )
            raise ModelError(message) from error


def _asked_wait(header: str | None, otherwise: float) -> float:
    """Seconds to wait according to the header ``Retry-After``, at most `LONGEST_WAIT`."""
    try:
        asked = float(header or "")
    except ValueError:
        return otherwise
    return min(asked, LONGEST_WAIT) if asked >= 0 else otherwise  # NaN is not


def seconds(text: str, where: str, option: str = "timeout") -> float:
    """A number of seconds from an option.

    Raises
    ------
    ModelError
        If it is not a number above 0.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        message = f"{where}: option {option}={text!r} must be a number of seconds above 0"
        raise ModelError(message)
    return value
