"""What a subscription can ask about an event, taken from the document once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


class Trait(NamedTuple):
    """What one change shows to a filter. The same change must satisfy all three."""

    key: str
    action: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """`scopes`: the URNs of the entity and of all above it. `traits`: each distinct one once; empty when nothing differs."""

    provider: str
    entity: str
    subject: str
    scopes: tuple[str, ...]
    traits: tuple[Trait, ...]


def facts_of(document: dict[str, Any]) -> Facts:
    """Facts of a parsed change event."""
    data = document["data"]
    provider, entity = data["provider"], data["entity"]
    subject = document["subject"]
    above = [f"{provider}:{parent['type']}:{parent['id']}" for parent in entity.get("parents") or ()]
    traits = {Trait(change["key"], change["action"], change.get("language")): None for change in data["changes"]}
    return Facts(provider, entity.get("type", ""), subject, (subject, *above), tuple(traits))
