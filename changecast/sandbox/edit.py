"""An edit: one change that somebody makes to a provider's catalogue, complete in itself.

An edit carries every value that it brings (ids, times, texts), so applying it needs neither chance nor a clock, and
replaying the journal gives the same catalogue again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Protocol

JsonObject = dict[str, Any]


class EditError(ValueError):
    """An edit that the catalogue can't take: an unknown kind, or an entity that isn't there."""


@dataclass(frozen=True)
class Proposal:
    """What an edit would do. `subject` is the entity's URN, `summary` says in a few words what happens to it;
    `data` has the shape that the provider's own catalogue applies."""

    subject: str
    name: str
    summary: str
    data: JsonObject


@dataclass(frozen=True)
class Edit:
    """A proposal that was taken: `number` counts up for ever, also over restarts; `time` is in Unix seconds."""

    number: int
    time: float
    provider: str
    kind: str
    subject: str
    name: str
    summary: str
    data: JsonObject

    def as_json(self) -> JsonObject:
        return asdict(self)

    @classmethod
    def from_json(cls, document: JsonObject) -> Edit:
        return cls(**document)


class ProviderCatalogue(Protocol):
    """The state of one provider: its entities and the history of their changes."""

    def apply(self, edit: Edit) -> None:
        """Take the edit. Raises EditError, and leaves the catalogue as it was, when the entity isn't there."""

    def dump(self) -> JsonObject:
        """The whole state as JSON."""

    def restore(self, state: JsonObject) -> None:
        """Become what `dump` gave."""

    def prune(self, now: float) -> None:
        """Forget history that no request can ask for any more."""

    def size(self) -> Mapping[str, int]:
        """How many entities there are of each type."""


@dataclass(frozen=True)
class Draw:
    """What a proposal is made from: chance, the time of the edit in Unix seconds, and the id of the entity to change
    (None: any)."""

    random: Random
    time: float
    target: str | None = None


@dataclass(frozen=True)
class EditKind:
    """A kind of edit that the stream can make. `weight`: its share among its provider's kinds; 0: on request only.
    `propose(catalogue, draw)` gives None when there is nothing to do it to."""

    name: str
    weight: float
    propose: Callable[[Any, Draw], Proposal | None]
