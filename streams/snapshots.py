"""The last published state of an entity, with which the next fetch is compared: the snapshots table's value."""

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
"""A series with thousands of episodes is megabytes of JSON; the fastest level takes nine tenths of it away."""


_DELETED = b"\0deleted"
"""Begins the marker of a deleted entity. A compressed state begins otherwise, so the two are told apart without unpacking."""


def is_deletion(packed: bytes) -> bool:
    """Whether this is the marker of an entity whose deletion was published."""
    return packed.startswith(_DELETED)


@dataclass(frozen=True)
class State:
    """What of a `Fetched` is compared, and what a deleted entity's last event needs. `partial`: a part of it could not be read.
    `languages` is None in snapshots written before they were kept. `updated_at`: when the record says that it last changed.

    `deleted`: the entity's deletion was published. What is left is a marker: should the entity come back, it is published as created.
    """

    entity: Entity
    fetched_at: datetime
    fields: Mapping[str, Any] = field(default_factory=dict)
    members: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)
    primary_image: str | None = None
    partial: bool = False
    parser_version: int = 1
    languages: tuple[str, ...] | None = ()
    updated_at: datetime | None = None
    deleted: bool = False

    @classmethod
    def of(cls, fetched: Fetched) -> State:
        return cls(
            fetched.entity,
            fetched.fetched_at,
            fetched.fields,
            fetched.members,
            fetched.images,
            fetched.primary_image,
            fetched.partial,
            fetched.parser_version,
            fetched.languages,
            fetched.updated_at,
        )

    def as_deleted(self, at: datetime) -> State:
        return State(self.entity, at, deleted=True)

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

    def pack(self) -> bytes:
        document = {
            "entity": self.entity.model_dump(mode="json"),
            "fetched_at": self.fetched_at.isoformat(),
            "fields": self.fields,
            "members": self.members,
            "images": {path: image.model_dump(mode="json") for path, image in self.images.items()},
            "primary_image": self.primary_image,
            "partial": self.partial,
            "parser_version": self.parser_version,
            "languages": self.languages,
            "updated_at": self.updated_at and self.updated_at.isoformat(),
        }
        if self.deleted:
            return _DELETED + orjson.dumps(document)
        return zlib.compress(orjson.dumps(document), _COMPRESSION)

    @classmethod
    def unpack(cls, packed: bytes) -> State:
        deleted = is_deletion(packed)
        value = orjson.loads(packed.removeprefix(_DELETED) if deleted else zlib.decompress(packed))
        return cls(
            entity=Entity.model_validate(value["entity"]),
            fetched_at=datetime.fromisoformat(value["fetched_at"]),
            fields=value["fields"],
            members=value["members"],
            images={path: Image.model_validate(image) for path, image in value["images"].items()},
            primary_image=value["primary_image"],
            partial=value.get("partial", False),
            parser_version=value.get("parser_version", 1),
            languages=tuple(languages) if (languages := value.get("languages")) is not None else None,
            updated_at=datetime.fromisoformat(updated_at) if (updated_at := value.get("updated_at")) else None,
            deleted=deleted,
        )
