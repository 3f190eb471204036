"""``fairfer datasets`` and ``fairfer download``: the datasets that fairfer reads, and how to get them."""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairfer.cli.command import app

if TYPE_CHECKING:
    from fairfer.datasets.catalog import KnownDataset, PresentDataset

WIDTH = 100
"""Columns of a card."""


@app.command()
def datasets(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|FOLDER]…", help="Print the card of a dataset, or look for datasets in a folder."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the datasets as JSON.")] = False,
) -> None:
    """List the datasets that fairfer reads and how to get them."""
    from fairfer.datasets.catalog import find_known, known_datasets, present_datasets
    from fairfer.files import dump_json

    known = known_datasets()
    titles = {one.name for one in known}
    folders = [Path(n).expanduser() for n in names or () if n not in titles and Path(n).expanduser().exists()]
    chosen = [find_known(n) for n in names or () if n in titles or not Path(n).expanduser().exists()]
    present = present_datasets(folders) if folders or not chosen else []
    if as_json:
        listed = chosen if chosen or folders else known
        document = {"known": [_known_as_json(one) for one in listed], "here": [_present_as_json(one) for one in present]}
        typer.echo(dump_json(document), nl=False)
        return
    for one in chosen:
        _print_card(one)
    if not names:
        _print_known(known)
    if folders or not chosen:
        _print_present(present, [Path("datasets"), *folders])


@app.command()
def download(
    name: Annotated[str, typer.Argument(metavar="NAME", help="ferplus (labels) or cremad (tables).")],
    *,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Folder of the dataset; datasets/NAME when not given.")
    ] = None,
) -> None:
    """Download a dataset, or the part of it whose license allows it."""
    from tqdm import tqdm

    from fairfer.datasets.catalog import FOLDER, known_datasets
    from fairfer.datasets.public_files import choose_download
    from fairfer.datasets.public_files import download as fetch_all

    cards = {one.name: one.card for one in known_datasets() if one.card}
    card = cards.get(name)
    what = choose_download(name, f"{card.obtain} {card.url} ({card.license})" if card else "")
    folder = to or Path(FOLDER) / name
    with tqdm(total=len(what.files), unit="file", desc=name, disable=None) as bar:  # None: only on a terminal
        begun: set[str] = set()

        def progress(path: str, done: int, total: int | None) -> None:
            bar.update(path not in begun)
            begun.add(path)
            bar.set_postfix_str(f"{path} {done:,}{'' if total is None else f' of {total:,}'} bytes")

        done = fetch_all(what, folder, progress=progress)
    typer.echo(f"{what.title}: {len(what.files)} files in {folder}")
    typer.echo(f"License: {what.license}")
    for path in done.recorded:
        typer.echo(f"not verified: {path}; its checksum was not known and is recorded in {folder / 'SHA256SUMS'} from now on")
    typer.echo(f"Next: {what.next_step.format(folder=folder)}")


def _print_known(known: list[KnownDataset]) -> None:
    with_card = [one for one in known if one.card]
    names = max(len(one.name) for one in known) + 2
    licenses = max((len(one.card.license) for one in with_card if one.card), default=0)
    typer.echo("Datasets (fairfer datasets NAME: content, license, how to get it, citation, options)")
    for one in with_card:
        if one.card:
            how = f"fairfer download {one.name}" if one.downloadable else one.card.url
            typer.echo(f"  {one.name:<{names}}{one.card.title:<12}{one.card.license:<{licenses}}  {how}")
    typer.echo("\nLayouts of your own data")
    for one in known:
        if one.card is None:
            typer.echo(f"  {one.name:<{names}}{one.layout}")


def _print_present(present: list[PresentDataset], folders: list[Path]) -> None:
    from fairfer.datasets.loading import SAMPLE, sample_path

    typer.echo("\nOn this machine")
    typer.echo(f"  {SAMPLE}: the bundled, de-identified sample ({sample_path()})")
    for one in present:
        sizes = ", ".join(f"{split} {number:,}" for split, number in one.sizes.items())
        typer.echo(f"  {one.path}: {one.title} (--loader {one.loader}){': ' + sizes if sizes else ''}")
        if one.problem:
            typer.echo(f"    damaged: {one.problem}")
    if not present:
        typer.echo(f"  no other dataset in {', '.join(map(str, folders))}")


def _print_card(one: KnownDataset) -> None:
    rows = {"layout": one.layout, "options": ", ".join(one.options) or "none"}
    if one.card:
        rows = {**dataclasses.asdict(one.card), **rows}
        rows["command"] = " ".join(("fairfer audit FOLDER", *rows.pop("audit_options").split()))
        if one.downloadable:
            rows["download"] = f"fairfer download {one.name}"
    typer.echo(f"{one.name}: {rows.pop('title', one.layout)}")
    for key, value in rows.items():
        label = f"  {key.replace('_', ' '):<15}"
        typer.echo(
            textwrap.fill(value, WIDTH, initial_indent=label, subsequent_indent=" " * len(label), break_on_hyphens=False)
        )


def _known_as_json(one: KnownDataset) -> dict[str, Any]:
    return dataclasses.asdict(one)


def _present_as_json(one: PresentDataset) -> dict[str, Any]:
    return {**dataclasses.asdict(one), "path": str(one.path), "sizes": dict(one.sizes)}
