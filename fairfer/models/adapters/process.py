"""A program in any language: ``process:COMMAND``. It reads one JSON object per line and writes one per line.

Its first line describes the model; then it answers each image before it reads the next one. The objects are those of
`fairfer.models.answer_objects`. It must write all other output to standard error. If it dies or does not answer in
time, that image has the status ``error`` and the program is started again.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import itertools
import json
import queue
import shlex
import shutil
import subprocess
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from fairfer.errors import ModelError
from fairfer.models.answer_objects import Description, read_answer, read_description, request, shown
from fairfer.models.identity import is_file
from fairfer.models.model import Prediction
from fairfer.models.requirements import Readiness

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fairfer.labels import LabelSpace
    from fairfer.vocabulary import Task

MAX_FAILURES = 5
"""Images in a row on which the program may fail before the run ends."""

WAIT = 5.0
"""Seconds in which a program has to end after its standard input is closed."""


def load(target: str, *, timeout: str = "60") -> ProcessModel:
    """A program in any language that reads and writes JSON lines: process:COMMAND.

    Parameters
    ----------
    target
        The command, with its arguments. It is split as in a shell, but no shell runs it.
    timeout
        Seconds in which the program has to answer one image, and to start.

    Raises
    ------
    ModelError
        If there is no such program, it does not describe itself, or an option is wrong.
    """
    where = f"model process:{target}"
    try:
        seconds = float(timeout)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        message = f"{where}: option timeout={timeout!r} must be a number of seconds above 0"
        raise ModelError(message)
    try:
        command = shlex.split(target)
    except ValueError as error:
        message = f"{where}: the command cannot be split ({error}); close its quotation marks"
        raise ModelError(message) from error
    if not command or shutil.which(command[0]) is None:
        message = f"{where}: there is no program {command[0] if command else ''!r}; check the path, and that it is executable"
        raise ModelError(message)
    return ProcessModel(command, where, seconds)


def readiness() -> Readiness:
    """Always ready: the program is the user's own."""
    return Readiness("ready")


class _ProgramError(Exception):
    """The program died or did not answer in time."""


class _Program:
    """A running program, and threads that read what it writes."""

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self._timeout = timeout
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.errors: collections.deque[str] = collections.deque(maxlen=1)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
        )
        self._threads = [
            threading.Thread(target=self._read_answers, args=(cast("IO[str]", self._process.stdout),), daemon=True),
            threading.Thread(target=self._read_errors, args=(cast("IO[str]", self._process.stderr),), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read_answers(self, stream: IO[str]) -> None:
        with contextlib.suppress(ValueError, OSError):  # the stream is closed when the program is ended
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self, stream: IO[str]) -> None:
        with contextlib.suppress(ValueError, OSError):
            self.errors.extend(line.strip() for line in stream if line.strip())

    def write(self, text: str) -> None:
        """Send a line. A program that does not read it in time is ended, because a full pipe would block this one."""
        stream = self._process.stdin
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(self._timeout, end)
        timer.daemon = True
        timer.start()
        try:
            if stream is not None:
                stream.write(text + "\n")
                stream.flush()
        except (OSError, ValueError) as error:
            message = f"the program did not read the image within {self._timeout:g} seconds" if late.is_set() else self._death()
            raise _ProgramError(message) from error
        finally:
            timer.cancel()

    def read(self) -> str:
        """The next line that is not empty."""
        while True:
            try:
                line = self._lines.get(timeout=self._timeout)
            except queue.Empty as error:
                message = f"the program did not answer within {self._timeout:g} seconds"
                raise _ProgramError(message) from error
            if line is None:
                raise _ProgramError(self._death())
            if line.strip():
                return line

    def _death(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(WAIT)
        self._threads[1].join(WAIT)
        said = f": {shown(self.errors[-1])}" if self.errors else ""
        return f"the program ended with exit code {self._process.poll()}{said}"

    def close(self) -> None:
        """End the program."""
        process = self._process
        with contextlib.suppress(OSError, ValueError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join(WAIT)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


class ProcessModel:
    """A program that answers; `load` makes one.

    Parameters
    ----------
    command
        The program and its arguments.
    where
        Start of error messages.
    timeout
        Seconds per answer.
    """

    batch_size = 16

    def __init__(self, command: Sequence[str], where: str, timeout: float) -> None:
        self._command, self._where, self._timeout = list(command), where, timeout
        self._failures = 0
        self._identifiers = map(str, itertools.count())  # never reused: a late answer is recognized
        self._programs: list[_Program] = []
        weakref.finalize(self, _close_all, self._programs)
        try:
            described = self._start()
        except _ProgramError as error:
            message = f"{where} cannot be started ({error}); run the command by hand"
            raise ModelError(message) from error
        self._described = described
        self.name: str = described.name
        self.labels: LabelSpace = described.labels
        self.task: Task = described.task
        self.files = _files(self._command)
        self.version: str = described.version
        digest = hashlib.sha256("\0".join(self._command).encode()).hexdigest()[:16]
        self.options = {"command": f"{Path(command[0]).name} (sha256 {digest})"}

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Answer for each (height, width, 3) RGB image, in order.

        Raises
        ------
        ModelError
            If the program breaks the protocol, or fails on `MAX_FAILURES` images in a row.
        """
        return [self._answer(next(self._identifiers), image) for image in images]

    def close(self) -> None:
        """End the program; the next image starts it again."""
        _close_all(self._programs)

    def _start(self) -> Description:
        """Start the program and read its description."""
        program = _Program(self._command, self._timeout)
        self._programs.append(program)
        try:
            return read_description(self._json(program.read()), self._where)
        except (_ProgramError, ModelError):
            self.close()
            raise

    def _answer(self, identifier: str, image: NDArray[np.uint8]) -> Prediction:
        try:
            if not self._programs:
                self._restart()
            program = self._programs[0]
            program.write(json.dumps(request(identifier, image)))
            value = self._json(program.read())
        except _ProgramError as error:
            self.close()
            self._failures += 1
            if self._failures >= MAX_FAILURES:
                message = f"{self._where} failed on {MAX_FAILURES} images in a row (the last: {error}); correct the program"
                raise ModelError(message) from error
            return Prediction("error", detail=str(error))
        self._failures = 0
        if isinstance(value, dict) and str(value.get("id")) != identifier:
            answered = f"answered image {shown(value['id'])}" if "id" in value else "answered without an id"
            message = (
                f"{self._where} {answered} when it was asked for image {identifier}; write one answer for each image, with its "
                "id, before reading the next one"
            )
            raise ModelError(message)
        return read_answer(value, self.labels, self._where)

    def _restart(self) -> None:
        described = self._start()
        if described != self._described:
            message = f"{self._where} describes itself differently after a restart; keep name, version and labels fixed"
            raise ModelError(message)

    def _json(self, line: str) -> object:
        try:
            value: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            message = f"{self._where} wrote a line that is not JSON: {shown(line)}; write messages to standard error"
            raise ModelError(message) from error
        return value


def _close_all(programs: list[_Program]) -> None:
    while programs:
        programs.pop().close()


def _files(command: Sequence[str]) -> list[Path]:
    """The files among the words of a command: the program, a script."""
    words = [shutil.which(command[0]) or command[0], *command[1:]]
    return [Path(word) for word in words if is_file(word)]
