"""Write the tables that pages make of the registry: run after a loader or its card has changed.

::

    python datasets/update_tables.py           # writes
    python datasets/update_tables.py --check   # exits with 1 if a page is outdated

A page has the table between two comments::

    <!-- table: public datasets -->
    <!-- end of table -->

To add a table, write a function that returns it and name it in `TABLES`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from fairfer.datasets.catalog import KnownDataset, known_datasets
from fairfer.models.registry import list_models

PROJECT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "datasets/README.md")
_MARKED = re.compile(r"<!-- table: (?P<name>[^>]+?) -->\n(?P<content>.*?)<!-- end of table -->", re.DOTALL)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Make a table of cells; ``|`` in a cell is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def update(text: str, tables: Mapping[str, Callable[[], str]], page: str) -> str:
    """Replace the content between the marks of each table.

    Raises
    ------
    ValueError
        If the page has a mark that no table belongs to, or none at all.
    """
    names = [match["name"] for match in _MARKED.finditer(text)]
    unknown = [name for name in names if name not in tables]
    if unknown or not names:
        message = (
            f"{page}: {'no table ' + repr(unknown[0]) if unknown else 'no marks of a table'}; there are {', '.join(tables)}"
        )
        raise ValueError(message)
    return _MARKED.sub(lambda m: f"<!-- table: {m['name']} -->\n{tables[m['name']]()}<!-- end of table -->", text)


def public_datasets() -> str:
    """Public datasets in short, for the README."""
    rows = [
        (one.card.title, f"`{one.name}`", one.card.people.rstrip("."), one.card.license) for one in known_datasets() if one.card
    ]
    return markdown_table(("dataset", "loader", "people", "license"), rows)


def datasets_with_source() -> str:
    """Public datasets with the way to obtain them and the command that reads them."""
    rows = [
        (
            f"[{one.card.title}]({one.card.url})",
            f"{one.card.content.rstrip('.')}. {one.card.permitted_use}",
            one.card.obtain,
            f"`{_command(one)}`",
        )
        for one in known_datasets()
        if one.card
    ]
    return markdown_table(("dataset", "content and permitted use", "how to obtain it", "command"), rows)


def _command(one: KnownDataset) -> str:
    options = one.card.audit_options if one.card else ""
    return f"fairfer audit datasets/{one.name} {options}".rstrip()


def models() -> str:
    """Models and schemes with the extra that each needs."""
    rows = [
        (
            f"`{entry.name}{'…' if entry.name.endswith(':') else ''}`",
            entry.summary.rstrip("."),
            f"`{entry.extra}`" if entry.extra else "",
        )
        for entry in list_models()
    ]
    own = ("`package.module:attribute`", "Your own Python object, class or function; or `fairfer.wrap(function, labels=…)`", "")
    return markdown_table(("`--model`", "model", "extra"), [*rows, own])


TABLES: Mapping[str, Callable[[], str]] = {
    "public datasets": public_datasets,
    "datasets with source": datasets_with_source,
    "models": models,
}
"""Tables by the name in their mark."""


def main(arguments: Sequence[str] | None = None, project: Path = PROJECT, pages: Sequence[str] = PAGES) -> int:
    """Write the pages, or check them; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the tables that pages make of the registry.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page is outdated")
    check = parser.parse_args(arguments).check
    outdated = []
    for page in pages:
        path = project / page
        text = path.read_text(encoding="utf-8")
        updated = update(text, TABLES, page)
        if updated != text:
            outdated.append(page)
            if not check:
                path.write_text(updated, encoding="utf-8")
    for page in outdated:
        print(f"{page} is outdated; run python datasets/update_tables.py" if check else f"{page} written")
    return 1 if check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
