"""What the models say of a place in the file: which keys it has, and whether its value is a secret."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, SecretStr

from schemas.config.document import Path
from schemas.config.file_keys import file_keys, leaves
from schemas.config.models import Config


def section_at(path: Path) -> type[BaseModel] | None:
    """The section that stands at this place; None where there is none."""
    return next((kind for kind in kinds_at(path) if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def keys_at(path: Path) -> list[str]:
    section = section_at(path)
    return [] if section is None else [field.alias or name for name, field in section.model_fields.items()]


def file_keys_at(path: Path) -> dict[str, str]:
    """The keys that name files of secrets, each with the secret's own key."""
    section = section_at(path)
    return {} if section is None else file_keys(section.model_fields)


def is_secret(path: Path) -> bool:
    return SecretStr in kinds_at(path)


def kinds_at(path: Path) -> list[Any]:
    """The plain types that a value at this place may have, seen through lists and unions. Empty for an unknown key."""
    kinds: list[Any] = [Config]
    for part in path:
        if isinstance(part, int):
            continue
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if section is None:
            continue  # a free key, as that of a header: its type is the mapping's
        field = next((field for name, field in section.model_fields.items() if part == (field.alias or name)), None)
        kinds = [] if field is None else list(leaves(field.annotation))
        if field is None:
            return []
    return kinds
