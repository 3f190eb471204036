"""Text that came from data, for Markdown."""

from __future__ import annotations

import re


def escaped(text: str) -> str:
    r"""Text in which nothing is a table's edge, a tag, a mention, a link or any other mark.

    >>> print(escaped("a|b <script> @all"))
    a\|b &lt;script&gt; \@all
    """
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|~@!])", r"\\\1", plain)
