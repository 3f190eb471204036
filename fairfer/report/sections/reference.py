"""Sections: glossary, versions and digests, and how to reproduce the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.blocks import Block, Code, Definition, Definitions, Link, Paragraph
from fairfer.report.sections.section import Section
from fairfer.report.text.glossary import GLOSSARY

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.view import View


class Glossary(Section):
    """Definitions of terms."""

    key = "glossary"
    title = "Glossary"

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """All definitions."""
        return [Definitions([Definition(entry.heading, entry.text, anchor) for anchor, entry in GLOSSARY.items()])]


class Versions(Section):
    """Versions and digests."""

    key = "versions"
    title = "Versions and digests"

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """Packages, digests of the inputs, schema."""
        audit = view.audit
        entries = {
            **audit.versions,
            "SHA-256 of labels and groups": audit.data.digest,
            "SHA-256 of images": audit.data.images_digest or "none",
            "SHA-256 of predictions": audit.model.predictions_digest,
            "audit.json": f"schema version {audit.schema_version}",
        }
        return [Definitions([Definition(term, text) for term, text in entries.items()], columns=True)]


class Reproduce(Section):
    """How to reproduce the audit."""

    key = "reproduce"
    title = "Reproduce"

    def blocks(self, view: View, pictures: Sequence[Picture]) -> list[Block]:
        """The configuration file or the command, and where the data of the page are."""
        command, config = view.audit.command, view.audit.config
        blocks: list[Block] = []
        if config:
            blocks += [
                Paragraph("Save this as fairfer.toml and run fairfer audit in the same folder, without options."),
                Code(config.rstrip("\n")),
                Paragraph("Or run:"),
            ]
        blocks.append(Code(command) if command else Paragraph("The command of this audit was not recorded."))
        return [*blocks, Paragraph(("This page is made from ", Link("audit.json", "audit.json"), "."))]
