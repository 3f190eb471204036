"""Text that came from data, on its way into a terminal, a log, XML or Markdown."""

from __future__ import annotations

import re

_BREAK = "\N{ZERO WIDTH SPACE}"


def printable(text: str) -> str:
    """Without characters that a terminal obeys or XML cannot hold; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def plain(text: str) -> str:
    r"""On one line, printable, and with nothing that a runner takes for a command of its workflow.

    >>> plain("a\n::stop-commands::x")
    'a : :stop-commands: :x'
    """
    return printable(" ".join(text.split())).replace("::", ": :").replace("##[", "# #[")


def escaped(text: str) -> str:
    r"""Text in which nothing is a table's edge, a tag, a mention, a link or any other mark.

    >>> print(escaped("a|b <script> *x*"))
    a\|b &lt;script&gt; \*x\*
    """
    text = printable(" ".join(text.split())).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Mentions, references and bare addresses are found after the marks: a space that nobody sees keeps them from being found.
    text = re.sub(r"([@#])", rf"\1{_BREAK}", text).replace("://", f":{_BREAK}//").replace("www.", f"www{_BREAK}.")
    return re.sub(r"([\\`*_{}\[\]|~!])", r"\\\1", text)
