"""Config files that tests write, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from schemas.config import Config, ConfigError, load_config

SECRET = "whsec_" + "c2VjcmV0" * 5
"""30 bytes."""


def write(folder: Path, text: str) -> Path:
    path = folder / "changecast.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Config:
    return load_config(write(folder, text), environ=environ or {})


def errors(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """The problems, one line each, without the folder before the file's name."""
    try:
        load(folder, text, environ)
    except ConfigError as error:
        return [str(problem).removeprefix(f"{folder}/") for problem in error.problems]
    return []


def rendered(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> str:
    """The whole text of the error; empty for a good config."""
    try:
        load(folder, text, environ)
    except ConfigError as error:
        return str(error).replace(f"{folder}/", "")
    return ""
