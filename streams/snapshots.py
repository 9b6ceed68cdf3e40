"""The last known state of an entity, with which the next fetch is compared.

A snapshot keeps the position (the offset of the raw event) that wrote it, and the state it replaced. When that position is handled
again after a kill, the replaced state is put back first, so that the replay compares with what the first run compared with.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from producers.interface import Fetched
from schemas.event import Entity, Image

_COMPRESSION = 1
"""A series with thousands of episodes is megabytes of JSON twice over; the fastest level takes nine tenths of it."""


@dataclass(frozen=True)
class State:
    """What of a `Fetched` is compared, and what a deleted entity's last event needs."""

    entity: Entity
    fetched_at: datetime
    fields: Mapping[str, Any] = field(default_factory=dict)
    members: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)
    primary_image: str | None = None

    @classmethod
    def of(cls, fetched: Fetched) -> State:
        return cls(fetched.entity, fetched.fetched_at, fetched.fields, fetched.members, fetched.images, fetched.primary_image)

    def filled_from(self, before: State) -> State:
        """This state with what it lacks taken from the one before: of a partial answer, what is missing has not been deleted."""
        return replace(
            self,
            fields={**before.fields, **self.fields},
            members={
                key: {**before.members.get(key, {}), **self.members.get(key, {})} for key in {*before.members, *self.members}
            },
            images={**before.images, **self.images},
        )

    def document(self) -> dict[str, Any]:
        """The state as a JSON object: `before` of a deletion."""
        return {
            **self.fields,
            **{key: list(members.values()) for key, members in self.members.items()},
            "images": [image.model_dump(mode="json") for image in self.images.values()],
        }

    def to_json(self) -> dict[str, Any]:
        return {
            "entity": self.entity.model_dump(mode="json"),
            "fetched_at": self.fetched_at.isoformat(),
            "fields": self.fields,
            "members": self.members,
            "images": {path: image.model_dump(mode="json") for path, image in self.images.items()},
            "primary_image": self.primary_image,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> State:
        return cls(
            entity=Entity.model_validate(value["entity"]),
            fetched_at=datetime.fromisoformat(value["fetched_at"]),
            fields=value["fields"],
            members=value["members"],
            images={path: Image.model_validate(image) for path, image in value["images"].items()},
            primary_image=value["primary_image"],
        )


@dataclass(frozen=True)
class Snapshot:
    """`state` None: the entity is gone, and nothing is known of it any more."""

    position: int
    state: State | None
    replaced: State | None

    def pack(self) -> bytes:
        document = {
            "position": self.position,
            "state": self.state and self.state.to_json(),
            "replaced": self.replaced and self.replaced.to_json(),
        }
        return zlib.compress(orjson.dumps(document), _COMPRESSION)

    @classmethod
    def unpack(cls, value: bytes) -> Snapshot:
        document = orjson.loads(zlib.decompress(value))
        state, replaced = (document[key] and State.from_json(document[key]) for key in ("state", "replaced"))
        return cls(document["position"], state, replaced)

    def at(self, position: int) -> State | None:
        """The state that an event at `position` is compared with."""
        return self.replaced if self.position == position else self.state
