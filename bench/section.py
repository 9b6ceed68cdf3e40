"""The results file: one section for each part that is measured, each under a title of the first level."""

from __future__ import annotations

import re
from pathlib import Path


def put_section(results: Path, section: str) -> None:
    """The section in place of the one that has its title, or after the others."""
    before = results.read_text() if results.exists() else ""
    results.write_text(with_section(before, section))


def with_section(text: str, section: str) -> str:
    section = section.strip("\n")
    title = section.split("\n", 1)[0]
    parts = [part.strip("\n") for part in re.split(r"^(?=# )", text, flags=re.MULTILINE) if part.strip()]
    if any(part.split("\n", 1)[0] == title for part in parts):
        parts = [section if part.split("\n", 1)[0] == title else part for part in parts]
    else:
        parts.append(section)
    return "\n\n".join(parts) + "\n"
