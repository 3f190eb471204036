"""Text that came from data, for Markdown."""

from __future__ import annotations

import re

_BREAK = "\N{ZERO WIDTH SPACE}"


def escaped(text: str) -> str:
    r"""Text in which nothing is a table's edge, a tag, a mention, a link or any other mark.

    >>> print(escaped("a|b <script> *x*"))
    a\|b &lt;script&gt; \*x\*
    """
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Mentions, references and bare addresses are found after the marks: a space that nobody sees keeps them from being found.
    plain = re.sub(r"([@#])", rf"\1{_BREAK}", plain).replace("://", f":{_BREAK}//").replace("www.", f"www{_BREAK}.")
    return re.sub(r"([\\`*_{}\[\]|~!])", r"\\\1", plain)
