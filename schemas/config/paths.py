"""Paths in the config are relative to its folder, wherever the program runs."""

from __future__ import annotations

from pathlib import Path


def absolute(path: Path, folder: Path) -> Path:
    """`~` is the user's home; where there is no such user, it is a folder's name."""
    try:
        return folder / path.expanduser()
    except RuntimeError:
        return folder / path
