"""Standard output and standard error of the command line.

Every text that fairfer prints passes through a `Console`, wherever it comes from: a message, a name in the data, a traceback,
a model's own output. There, control characters are replaced and commands for continuous-integration runners are broken up. A
reader that closed the pipe does not change the exit code of a command; a full disk does.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - {ord(c) for c in "\t\n\r"}
_SEPARATORS = {0x2028, 0x2029}
_DIRECTIONS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}
_TABLE = dict.fromkeys(_CONTROLS | _SEPARATORS | _DIRECTIONS, REPLACEMENT)


class Console(io.TextIOBase):
    """A text stream on which data cannot give commands to a terminal or to a continuous-integration runner.

    Parameters
    ----------
    stream
        Where the text goes.

    Attributes
    ----------
    failure
        Why text could not be written; ``None`` also when the reader has closed the pipe.
    """

    def __init__(self, stream: TextIO) -> None:
        self.failure: OSError | None = None
        self._stream = stream
        self._start = ""  # of the current line, without space: at most two characters
        self._end = ""  # of the current line: at most two characters
        if isinstance(stream, io.TextIOWrapper):
            encoding = "utf-8" if _is_ascii(stream.encoding) else None
            stream.reconfigure(encoding=encoding, errors="replace")  # a character that the terminal lacks is no reason to fail

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Encoding of the stream."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """What happens to characters that the stream cannot encode."""
        return self._stream.errors

    def writable(self) -> bool:
        """Text can be written."""
        return True

    def isatty(self) -> bool:
        """Whether this is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Number of the stream."""
        return self._stream.fileno()

    def write(self, text: str, /) -> int:
        """Write text, made safe."""
        safe = self._safe(text)
        self._attempt(lambda: self._stream.write(safe))
        return len(text)

    def write_commands(self, text: str) -> None:
        """Write workflow commands, which only fairfer's own code may do."""
        self._attempt(lambda: self._stream.write(text))
        self._start = self._end = ""

    def flush(self) -> None:
        """Write what is buffered."""
        self._attempt(self._stream.flush)

    def close(self) -> None:
        """Keep the stream open: it belongs to the process."""
        self.flush()

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except BrokenPipeError:
            self._discard()
        except OSError as error:
            self.failure = self.failure or error
            self._discard()
        except ValueError:  # closed by other code
            self._stream = io.StringIO()

    def _discard(self) -> None:
        """Send this stream to nowhere, also what it has buffered: the interpreter writes that at its end."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def _safe(self, text: str) -> str:
        """Replace control characters, and put a space into ``::`` at the start of a line and into ``##[``.

        GitHub's runner reads a command at the start of a line, after any space, or after ``##[`` anywhere.
        """
        pieces = []
        for char in text.translate(_TABLE):
            if char in "\r\n":
                self._start = self._end = ""
            elif (char == ":" and self._start == ":") or (char == "[" and self._end == "##"):
                pieces.append(" ")
            if char not in "\r\n":
                self._end = (self._end + char)[-2:]
                if self._start or not char.isspace():
                    self._start = (self._start + char)[:2]
            pieces.append(char)
        return "".join(pieces)


def _is_ascii(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name == "ascii"
    except LookupError:
        return False


def install() -> None:
    """Put a `Console` before standard output and standard error. A stream that is closed stays closed."""
    if sys.stdout is not None and not isinstance(sys.stdout, Console):
        sys.stdout = Console(sys.stdout)
    if sys.stderr is not None and not isinstance(sys.stderr, Console):
        sys.stderr = Console(sys.stderr)


def finish() -> OSError | None:
    """Write what is buffered; why standard output could not be written."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Console):
            stream.flush()
    return sys.stdout.failure if isinstance(sys.stdout, Console) else None


def print_commands(text: str) -> None:
    """Print workflow commands for GitHub's runner, which data must not be able to give."""
    if isinstance(sys.stdout, Console):
        sys.stdout.write_commands(text)
    elif sys.stdout is not None:
        sys.stdout.write(text)


@contextlib.contextmanager
def results_only() -> Iterator[None]:
    """Send to standard error what libraries, or processes that a model starts, write to the file of standard output."""
    if not (isinstance(sys.stdout, Console) and isinstance(sys.stderr, Console)):
        yield
        return
    try:
        out, err = sys.stdout.fileno(), sys.stderr.fileno()
        sys.stdout.flush()
        kept = os.dup(out)
    except (OSError, ValueError):  # not files: nothing else can write to them
        yield
        return
    os.dup2(err, out)
    try:
        yield
    finally:
        os.dup2(kept, out)
        os.close(kept)
