"""Text from data, made safe for terminals, logs, XML and Markdown."""

from __future__ import annotations

import re

_BREAK = "\N{ZERO WIDTH SPACE}"


def printable(text: str) -> str:
    """Replace control characters, which a terminal would obey and XML cannot hold; keep line ends."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def plain(text: str) -> str:
    r"""Make text printable, on one line, and free of workflow commands of continuous-integration runners.

    >>> plain("a\n::stop-commands::x")
    'a : :stop-commands: :x'
    """
    return printable(" ".join(text.split())).replace("::", ": :").replace("##[", "# #[")


def escaped(text: str) -> str:
    r"""Escape text for Markdown: table borders, tags, mentions, links and emphasis.

    >>> print(escaped("a|b <script> *x*"))
    a\|b &lt;script&gt; \*x\*
    """
    text = printable(" ".join(text.split())).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # GitHub links mentions, references and bare addresses after it has read escapes: only an invisible space prevents it.
    text = re.sub(r"([@#])", rf"\1{_BREAK}", text).replace("://", f":{_BREAK}//").replace("www.", f"www{_BREAK}.")
    return re.sub(r"([\\`*_{}\[\]|~!])", r"\\\1", text)
