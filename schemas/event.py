"""The change event: CloudEvents 1.0 in structured JSON, the public contract of `changecast.changes.*`.

Two events share one envelope. A producer writes an `ObservedEvent` to `changecast.raw.<provider>`: what the provider's
feed said. The streams turn it into a `ChangeEvent` in `changecast.changes.<provider>`: what changed, with pictures.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

CONTENT_TYPE = "application/cloudevents+json"
CHANGE_SCHEMA = "urn:changecast:schema:change:1"
OBSERVED_SCHEMA = "urn:changecast:schema:observed:1"

ENTITY_KEY = "entity"
"""The key of a change of the entity as a whole."""
GAP_KEY = "gap"
"""The key of an event that says which window a provider no longer serves."""
FEED_TYPE = "feed"
"""The type that stands for a provider's list of changes, of which a gap is."""
MAX_IMAGES = 50
"""`data.images` is cut here: a message of one series with thousands of pictures would not fit a webhook."""


def _utc(moment: datetime) -> datetime:
    try:
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time that no calendar in UTC has") from None


def _rfc3339(moment: datetime) -> str:
    """`2025-01-21T04:46:31Z`; microseconds only where there are some."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Timestamp = Annotated[
    datetime,
    AfterValidator(_utc),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{6})?Z$"},
        mode="serialization",
    ),
]
"""In UTC, with a `Z`."""


class Action(StrEnum):
    CREATED = "created"
    ADDED = "added"
    UPDATED = "updated"
    DELETED = "deleted"


class Status(StrEnum):
    """How far the enrichment of an event came."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    FAILED = "failed"
    SKIPPED = "skipped"


LATER_FIELDS = frozenset({"native_action", "season"})
"""Fields added since version 1 was published: events that were written before do not have them."""


class _Model(BaseModel):
    """Unknown fields are ignored: in a rolling upgrade the old version reads what the new one writes."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Parent(_Model):
    """An entity above this one, outermost first: franchise, show or series, season, episode."""

    type: str = Field(description="The word that all providers share: franchise, series, season, episode …")
    id: str = Field(description="The provider's id.")
    name: str | None = Field(default=None, description="Its title; null where it is not known.")
    number: int | None = Field(default=None, description="A season's or an episode's number.")


class Entity(_Model):
    """What changed. `type` is the same word for all providers; `native_type` is the provider's own."""

    type: str = Field(
        description="movie, series, season, episode, special, person, franchise, collection, asset or station; others in lower case."
    )
    native_type: str = Field(description="The provider's own word for the type.")
    id: str = Field(description="The provider's id.")
    name: str | None = Field(default=None, description="Its title; null where the entity could not be read.")
    url: str | None = Field(default=None, description="Where people can look at it.")
    parents: list[Parent] = Field(default=[], description="The entities above this one, outermost first.")
    number: int | None = Field(default=None, description="A season's or an episode's number.")
    external_ids: dict[str, str] = Field(default={}, description="Its ids elsewhere, as imdb_id.")


class Change(_Model):
    """One change of one field, or one image or episode that came, changed or went. `before` and `after` are JSON values."""

    key: str = Field(
        description="The field that changed, as images or title; entity for the entity as a whole; gap for a window that was missed."
    )
    action: Action = Field(description="What happened to it.")
    language: str | None = Field(default=None, description="ISO 639-1, where the change is of one language.")
    country: str | None = Field(default=None, description="ISO 3166-1, where the change is of one country.")
    before: Any = Field(default=None, description="The value before, any JSON; null where there was none or it is not known.")
    after: Any = Field(default=None, description="The value after, any JSON; null where it is gone or not known.")
    native_id: str | None = Field(default=None, description="The provider's own id of this edit.")
    native_action: str | None = Field(default=None, description="The provider's own word for the action; null where it has none.")


class Image(_Model):
    """A picture. `path` names it within the provider; sizes in pixels; `aspect_ratio` is width over height."""

    kind: str = Field(description="still, poster, backdrop, logo, profile …")
    url: str = Field(description="The picture in its full size.")
    thumbnail_url: str | None = Field(default=None, description="A small one.")
    width: int | None = Field(default=None, description="Pixels.")
    height: int | None = Field(default=None, description="Pixels.")
    aspect_ratio: float | None = Field(default=None, description="Width over height.")
    language: str | None = Field(default=None, description="The language of the text in it; null for none.")
    vote_average: float | None = Field(default=None, description="The users' rating, where the provider has one.")
    vote_count: int | None = Field(default=None, description="How many rated it.")
    path: str = Field(description="Its name within the provider.")
    season: int | None = Field(default=None, description="The season that it shows, where it is one season's.")


class Enrichment(_Model):
    """`fetched_at` is on the provider's clock. `baseline`: there was no earlier state to compare with."""

    status: Status = Field(
        description="complete; partial: a part could not be read; forbidden, not_found: the provider's answer; "
        "failed: no answer in time; skipped: nothing to fetch."
    )
    fetched_at: Timestamp | None = Field(default=None, description="When the entity was read, on the provider's clock.")
    baseline: bool = Field(default=False, description="True when there was no earlier state to compare with.")


class ObservedData(_Model):
    """What a provider's feed said. `action` is the provider's own; `changes` holds its items where it gives any. `resync`: an
    operator asked for the entity's state; nothing need have changed. `out_of_turn`: read beside the feed's own progress (ahead of it
    after an outage, or in a backfill), so its time does not say how far the feed has been read."""

    provider: str
    entity: Entity
    action: Action
    changes: list[Change] = []
    updated_fields: list[str] = []
    resync: bool = False
    out_of_turn: bool = False
    observed_at: Timestamp


class ChangeData(_Model):
    """What changed, in which entity, with the pictures that belong to it."""

    provider: str = Field(description="tmdb, pbs or tvdb.")
    entity: Entity = Field(description="The entity that changed.")
    changes: list[Change] = Field(description="What changed in it; empty when nothing that is compared differs.")
    images: list[Image] = Field(
        default=[],
        max_length=MAX_IMAGES,
        description="The pictures that the changes name; when they name none, the entity's primary one.",
    )
    enrichment: Enrichment = Field(description="How far the entity could be read.")
    observed_at: Timestamp = Field(description="When changecast saw the change in the provider's feed.")


class CloudEvent(_Model):
    """The envelope that all events share."""

    specversion: Literal["1.0"] = Field(default="1.0", description="The version of CloudEvents.")
    id: str = Field(min_length=1, description="The same change has the same id, however often and wherever it is seen.")
    source: str = Field(min_length=1, description="urn:changecast:<provider>.")
    type: str = Field(min_length=1, description="changecast.<provider>.<entity type>.<key>.<action>.")
    subject: str = Field(min_length=1, description="The entity's URN, as tmdb:episode:5480121.")
    time: Timestamp = Field(description="When the change happened, by the provider.")
    datacontenttype: Literal["application/json"] = Field(default="application/json", description="The form of data.")

    def to_json(self) -> bytes:
        """The exact bytes that stand in the topic and are signed for a webhook."""
        return self.model_dump_json().encode()

    def kafka_headers(self) -> list[tuple[str, bytes]]:
        """The Kafka record headers of the CloudEvents binding: filters read these without parsing the value."""
        return [
            ("content-type", CONTENT_TYPE.encode()),
            ("ce_specversion", b"1.0"),
            ("ce_id", self.id.encode()),
            ("ce_type", self.type.encode()),
            ("ce_source", self.source.encode()),
            ("ce_subject", self.subject.encode()),
            ("ce_time", _rfc3339(self.time).encode()),
        ]


class ObservedEvent(CloudEvent):
    dataschema: Literal["urn:changecast:schema:observed:1"] = "urn:changecast:schema:observed:1"
    data: ObservedData


class ChangeEvent(CloudEvent):
    """A change of an entity, deduplicated and enriched: a CloudEvent in structured JSON."""

    dataschema: Literal["urn:changecast:schema:change:1"] = Field(
        default="urn:changecast:schema:change:1", description="The id of this schema."
    )
    data: ChangeData = Field(description="The change.")


def source(provider: str) -> str:
    return f"urn:changecast:{provider}"


def event_type(provider: str, entity_type: str, changes: list[Change], action: Action) -> str:
    """`changecast.<provider>.<entity type>.<key>.<action>` of the only change; for several or none, of the entity."""
    if len(changes) == 1:
        return f"changecast.{provider}.{entity_type}.{changes[0].key}.{changes[0].action}"
    return f"changecast.{provider}.{entity_type}.{ENTITY_KEY}.{action}"
