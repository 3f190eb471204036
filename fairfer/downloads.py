"""Downloads that can be interrupted: a file under its final name is always whole, and verified where a checksum is known.

An unfinished download is ``NAME.part``, with the address and the server's identification of the file in ``NAME.part.json``.
The next call continues it with a range request, provided that the server still has the same file.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, NoReturn

from fairfer.errors import DataError, UsageError

ATTEMPTS = 4
"""Connections per call: a server that breaks off is asked for the rest."""

PAUSE = 1.0
"""Seconds before the second connection; longer before each further one."""

_BLOCK = 1 << 18
_REFUSALS = {
    401: "the server asks for a login; download the file in a browser",
    403: "the server refuses access; download the file in a browser, or ask its owner",
    404: "there is no such file; check the address",
    410: "the file was removed; look for its new address",
}

Progress = Callable[[int, int | None], object]
"""Called with the bytes so far, and those of the whole file if the server states them."""


@dataclass(frozen=True)
class _Goal:
    """What is downloaded, and what is known about it."""

    url: str
    path: Path
    sha256: str | None
    size: int | None
    progress: Progress
    timeout: float

    @property
    def part(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def record(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part.json")

    @property
    def shown(self) -> str:
        """The address without a password or token."""
        parts = urllib.parse.urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _BrokenOffError(Exception):
    """The connection ended before the file did."""


class _ChangedError(Exception):
    """The stored part does not belong to the file that the server has."""


def fetch(
    url: str,
    path: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    size: int | None = None,
    progress: Progress | None = None,
    timeout: float = 60.0,
) -> Path:
    """Download a file, or finish an interrupted download of it.

    Several processes may fetch the same file at the same time: one downloads it, and the others wait for that.

    Parameters
    ----------
    url
        An address that begins with ``https://`` or ``http://``. A redirection from the first to the second is refused.
    path
        Name of the whole file. If it exists, it is verified and not downloaded again.
    sha256
        Hexadecimal SHA-256 of the whole file.
    size
        Its number of bytes.
    progress
        Called after each block with the bytes so far, and those of the whole file or ``None``.
    timeout
        Seconds without data after which a connection is closed.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    UsageError
        If the address does not begin with ``https://`` or ``http://``.
    DataError
        If the file cannot be downloaded, is not the expected one, or cannot be stored.
    """
    if not re.match(r"https?://[^/]", url, re.IGNORECASE):
        message = f"{url!r} is not a web address; give one that begins with https://"
        raise UsageError(message)
    expected = sha256.casefold() if sha256 else None
    goal = _Goal(url, Path(path), expected, size, progress or (lambda _done, _total: None), timeout)
    with _writing(goal):
        goal.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            if goal.path.exists():
                return _verified(goal)
            with _locked(goal.part) as file:
                if file is not None and not goal.path.exists():
                    _download(goal, file)
                    return goal.path


@contextlib.contextmanager
def _writing(goal: _Goal) -> Iterator[None]:
    """Errors of the file system as one line. Those of the network never come here."""
    try:
        yield
    except OSError as error:
        advice = "check the folder, its permissions and the space that is left; an unfinished download is continued"
        message = f"{goal.path} cannot be written ({error.strerror or error}); {advice}"
        raise DataError(message) from error


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[IO[bytes] | None]:
    """The unfinished file, open and locked; ``None`` if another process finished or removed it meanwhile."""
    with part.open("a+b") as file:
        if sys.platform != "win32":
            import fcntl

            with contextlib.suppress(OSError):  # some network file systems have no locks
                fcntl.flock(file, fcntl.LOCK_EX)  # released by the system, also when the process is killed
        yield file if _same(file, part) else None


def _same(file: IO[bytes], part: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), part.stat())
    except FileNotFoundError:
        return False


def _verified(goal: _Goal) -> Path:
    """The whole file that exists already."""
    length = goal.path.stat().st_size
    digest = _digest(goal.path) if goal.sha256 else None
    if (goal.size is not None and length != goal.size) or digest != goal.sha256:
        wrong = f"its SHA-256 is {digest}, not {goal.sha256}" if goal.sha256 else f"it has {length:,} bytes, not {goal.size:,}"
        message = f"{goal.path} exists and is not the file of {goal.shown} ({wrong}); move it away or remove it"
        raise DataError(message)
    return goal.path


def _download(goal: _Goal, file: IO[bytes]) -> None:
    """Download into the locked unfinished file, verify, and move into place."""
    attempt = 1
    while True:
        try:
            continued = _transfer(goal, file)
            _check_digest(goal, file, continued=continued)
        except _BrokenOffError as error:
            if attempt == ATTEMPTS:
                message = (
                    f"{goal.shown}: {error}; {_offset(goal, file):,} bytes are stored; "
                    "run the same command again to continue, or check the network"
                )
                raise DataError(message) from error
            time.sleep(PAUSE * attempt)
            attempt += 1
        except _ChangedError:  # happens only to a continued download, so the next attempt ends otherwise
            _restart(goal, file)
        except DataError:
            if not _offset(goal, file):
                _remove(goal)
            raise
        else:
            break
    os.fsync(file.fileno())
    goal.part.replace(goal.path)
    goal.record.unlink(missing_ok=True)


def _offset(goal: _Goal, file: IO[bytes]) -> int:
    """Bytes that are stored and can be continued; anything else is discarded."""
    length = file.seek(0, os.SEEK_END)
    if length and not _continuable(goal):
        _restart(goal, file)
        return 0
    return length


def _record(goal: _Goal) -> dict[str, str]:
    try:
        stored = json.loads(goal.record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) and stored.get("url") == goal.url else {}


def _continuable(goal: _Goal) -> bool:
    """Without the server's identification only a checksum can tell whether two halves are of one file."""
    stored = _record(goal)
    return bool(stored) and bool(stored.get("validator") or goal.sha256)


def _restart(goal: _Goal, file: IO[bytes]) -> None:
    file.truncate(0)
    goal.record.unlink(missing_ok=True)


def _remove(goal: _Goal) -> None:
    goal.part.unlink(missing_ok=True)
    goal.record.unlink(missing_ok=True)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Redirections, except to an address that is not encrypted when the first was."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Follow, or refuse."""
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            fp.close()
            host = urllib.parse.urlsplit(newurl).hostname
            message = f"{req.host} redirects to {scheme}://{host}, which is not encrypted; look for a newer address"
            raise DataError(message)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _transfer(goal: _Goal, file: IO[bytes]) -> bool:
    """Append what is missing to the unfinished file. Whether this continued what was stored."""
    offset = _offset(goal, file)
    headers = {"User-Agent": "fairfer", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator := _record(goal).get("validator"):
            headers["If-Range"] = validator
    response = _open(goal, urllib.request.Request(goal.url, headers=headers), offset)
    if response is None:
        return True
    with response:
        continued = response.status == http.HTTPStatus.PARTIAL_CONTENT
        total = _check_answer(goal, response, offset)
        if not continued:
            _start(goal, file, response.headers)
        _append(goal, file, response, total)
    return continued


def _open(goal: _Goal, request: urllib.request.Request, offset: int) -> http.client.HTTPResponse | None:
    """The answer of the server; ``None`` if everything is stored already."""
    try:
        response: http.client.HTTPResponse = urllib.request.build_opener(_Redirects).open(request, timeout=goal.timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
                if error.headers.get("Content-Range", "").replace(" ", "") == f"bytes*/{offset}":
                    return None
                raise _ChangedError from error
            _explain_status(goal, error)
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a redirection to an impossible address
        raise _broken_off(error) from error
    return response


def _broken_off(error: Exception) -> _BrokenOffError:
    cause = getattr(error, "reason", None) or error
    return _BrokenOffError(f"the connection failed ({str(cause).strip() or type(cause).__name__})")


def _explain_status(goal: _Goal, error: urllib.error.HTTPError) -> NoReturn:
    wait = error.headers.get("Retry-After")
    if error.code in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE) and wait:
        wait = f"in {wait} seconds" if wait.isdecimal() else f"after {wait}"
        message = f"{goal.shown}: the server has too many requests (HTTP {error.code}); try again {wait}"
        raise DataError(message) from error
    if error.code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"the server failed (HTTP {error.code})"
        raise _BrokenOffError(message) from error
    advice = _REFUSALS.get(error.code, "check the address, or try again later")
    message = f"{goal.shown} cannot be downloaded (HTTP {error.code}): {advice}"
    raise DataError(message) from error


def _check_answer(goal: _Goal, response: http.client.HTTPResponse, offset: int) -> int | None:
    """Refuse an answer that cannot be the file; the length of the whole file, if it is known."""
    headers = response.headers
    if headers.get_content_type() == "text/html" and goal.path.suffix.casefold() not in (".html", ".htm"):
        message = f"{goal.shown} is a web page, not the file {goal.path.name} (a login or a notice?); open it in a browser"
        raise DataError(message)
    if headers.get("Content-Encoding", "identity") != "identity":
        message = f"{goal.shown}: the server compresses the file although it was asked not to; download it in a browser"
        raise DataError(message)
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", "").strip())
        if not offset:
            message = f"{goal.shown}: the server sent a part of the file when asked for all of it; download it in a browser"
            raise DataError(message)
        if span is None or int(span[1]) != offset:
            raise _ChangedError
        total = int(span[2]) if span[2].isdecimal() else None
    else:
        length = headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() and not response.chunked else None
    if total is not None and goal.size is not None and total != goal.size:
        message = f"{goal.shown} has {total:,} bytes, not {goal.size:,}: it is another file; look for a newer address"
        raise DataError(message)
    if total is None and goal.size is None and goal.sha256 is None and not response.chunked:
        message = f"{goal.shown}: the server does not state the length, so a broken download would look whole; use a browser"
        raise DataError(message)
    return goal.size if total is None else total


def _start(goal: _Goal, file: IO[bytes], headers: Message) -> None:
    """Begin with an empty file, after recording which version of it the server has."""
    file.truncate(0)
    etag = headers.get("ETag", "")
    # A weak ETag does not promise equal bytes, and RFC 9110 does not allow it in If-Range.
    validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
    # It need not be atomic: a damaged record makes the download start again.
    goal.record.write_text(json.dumps({"url": goal.url, "validator": validator}), encoding="utf-8")


def _append(goal: _Goal, file: IO[bytes], response: http.client.HTTPResponse, total: int | None) -> None:
    """Store the body. Only reading it may fail because of the network."""
    length = file.seek(0, os.SEEK_END)
    while True:
        try:
            block = response.read(_BLOCK)
        except (OSError, http.client.HTTPException) as error:
            file.flush()
            raise _broken_off(error) from error
        if not block:
            break
        file.write(block)
        length += len(block)
        goal.progress(length, total)
        if total is not None and length > total:
            _restart(goal, file)
            message = f"{goal.shown} has more than {total:,} bytes: it is another file; look for a newer address"
            raise DataError(message)
    file.flush()
    if total is not None and length < total:
        message = f"the server sent {length:,} of {total:,} bytes"
        raise _BrokenOffError(message)


def _check_digest(goal: _Goal, file: IO[bytes], *, continued: bool) -> None:
    if goal.sha256 is None:
        return
    digest = _digest(goal.part)
    if digest == goal.sha256:
        return
    if continued:  # the stored beginning may be of another version
        raise _ChangedError
    _restart(goal, file)
    message = f"{goal.shown} is another file: its SHA-256 is {digest}, not {goal.sha256}; look for a newer address"
    raise DataError(message)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
