"""`DatasetCard`: what a public dataset is, what its license permits, and how to obtain it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DatasetCard:
    """A public dataset.

    Attributes
    ----------
    title
        Its usual name.
    content
        What it contains, in one sentence: number and kind of images, labels, how they were made.
    license
        Name of the license, or "by agreement" where a form must be signed.
    permitted_use
        What the license permits, in one sentence.
    obtain
        How to obtain it, in one or two sentences.
    url
        Page of the dataset.
    citation
        Publication to cite: authors, title, venue, year.
    people
        What is known about the people: attributes and their source, number of subjects.
    audit_options
        Options that ``fairfer audit`` needs for this dataset, such as ``--subject subject``; empty for none.
    """

    title: str
    content: str
    license: str
    permitted_use: str
    obtain: str
    url: str
    citation: str
    people: str
    audit_options: str = ""
