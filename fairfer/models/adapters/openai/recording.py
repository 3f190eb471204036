"""Responses of an API in a file, one JSON object per line, so that they can be replayed."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from fairfer.errors import ModelError


def request_key(body: Any) -> str:
    """Identity of a request: the digest of everything that is sent."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Recording:
    """Responses by request.

    Parameters
    ----------
    path
        The file; a line that a killed process left unfinished is ignored.
    where
        The model, as the start of error messages.
    must_exist
        Whether a missing file is an error.
    service
        Host of the API; empty to take that of the recording.

    Attributes
    ----------
    service
        Host of the API whose responses are recorded. It is part of the identity of a run, also when it is replayed.

    Raises
    ------
    ModelError
        If the file cannot be read or has a damaged line.
    """

    def __init__(self, path: Path, where: str, *, must_exist: bool, service: str = "") -> None:
        self.path = path
        self.service = service
        self._where = where
        self._lock = threading.Lock()
        self._responses: dict[str, Any] = {}
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            if must_exist:
                message = f"{where}: {path} does not exist; record it first with --option record={path}"
                raise ModelError(message) from error
            text = ""
        except (OSError, ValueError) as error:
            message = f"{where}: {path} cannot be read as a recording ({error}); give another file"
            raise ModelError(message) from error
        *lines, rest = text.split("\n")
        for number, line in enumerate(lines, 1):
            if line.strip():
                self._read(line, number)
        # A killed process leaves at most one line without its end; it is written again.
        self._complete = len(text[: len(text) - len(rest)].encode()) if rest else None

    def _read(self, line: str, number: int) -> None:
        try:
            entry = json.loads(line)
            if "service" in entry:
                self._check_service(str(entry["service"]))
                return
            self._responses[entry["request"]] = entry["response"]
        except (ValueError, KeyError, TypeError) as error:
            message = f"{self._where}: {self.path}, line {number}, is not a recorded response; remove the line"
            raise ModelError(message) from error

    def _check_service(self, recorded: str) -> None:
        if self.service not in ("", recorded):
            message = f"{self._where}: {self.path} has responses of {recorded}, not of {self.service}; record into another file"
            raise ModelError(message)
        self.service = recorded

    def get(self, key: str) -> Any | None:
        """The response to a request, if there is one."""
        return self._responses.get(key)

    def add(self, key: str, response: Any) -> Any:
        """Store a response, and return the one that counts.

        Two identical images may be asked about at the same time. The first response counts for both, as it will in a replay.
        """
        line = json.dumps({"request": key, "response": response}, sort_keys=True)  # in ASCII: any cut leaves valid text
        with self._lock:
            if key in self._responses:
                return self._responses[key]
            self._responses[key] = response
            self.path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not self.path.exists()
            if self._complete is not None:
                os.truncate(self.path, self._complete)
                self._complete = None
            with self.path.open("a", encoding="utf-8") as file:
                if is_new:
                    file.write(json.dumps({"service": self.service}) + "\n")
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
        return response
