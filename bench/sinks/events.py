"""The input of the sinks' bench: change events of some 550 bytes, and the subscriptions that want them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from schemas.config import Webhook
from schemas.event import Change, ChangeData, ChangeEvent, Enrichment, Entity, Parent, Status

PROVIDER = "pbs"
ENTITIES = 5_000
"""Events in a row are of different entities, so order holds nothing back."""
SECRET = "whsec_c2lua3MtYmVuY2gtc2VjcmV0LW9mLTMyLWJ5dGU="

_SAMPLE_ID = "event-id-of-the-sample"
_SAMPLE_ENTITY = "entity-of-the-sample"


def sample(entity: str, event_id: str, series: str = "1399") -> ChangeEvent:
    moment = datetime(2025, 1, 21, 4, 46, 31, tzinfo=UTC)
    return ChangeEvent(
        id=event_id,
        source=f"urn:changecast:{PROVIDER}",
        type=f"changecast.{PROVIDER}.asset.title.updated",
        subject=f"{PROVIDER}:asset:{entity}",
        time=moment,
        data=ChangeData(
            provider=PROVIDER,
            entity=Entity(
                type="asset", native_type="asset", id=entity, name="A title", parents=[Parent(type="series", id=series)]
            ),
            changes=[Change(key="title", action="updated", language="en", before="A titel", after="A title")],
            enrichment=Enrichment(status=Status.COMPLETE),
            observed_at=moment,
        ),
    )


_TEMPLATE = sample(_SAMPLE_ENTITY, _SAMPLE_ID).to_json()


def event_id(number: int) -> str:
    return f"{PROVIDER}-event-{number:08d}"


def subject(number: int) -> str:
    return f"{PROVIDER}:asset:{number % ENTITIES:08d}"


def body(number: int) -> bytes:
    """Event `number` as it stands in the topic; made from one, since models would cost more than what is measured."""
    entity = f"{number % ENTITIES:08d}"
    return _TEMPLATE.replace(_SAMPLE_ID.encode(), event_id(number).encode()).replace(_SAMPLE_ENTITY.encode(), entity.encode())


def subscription(name: str, url: str, concurrency: int) -> dict[str, Any]:
    """A concurrency that is the default anyway is left out: set in the config, it is a limit over all workers, which has a lease."""
    limit = {} if concurrency == Webhook.model_fields["concurrency"].default else {"concurrency": concurrency}
    return {"name": name, "match": {"key": "title"}, "webhook": {"url": url, "secret": SECRET, **limit}}


def config(*subscriptions: dict[str, Any]) -> dict[str, Any]:
    return {"network": {"allow": ["127.0.0.0/8"]}, "subscriptions": list(subscriptions)}
