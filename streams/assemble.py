"""The published event: what the feed said, with what changed, the pictures and how far the enrichment came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from producers.interface import Provider, Refused
from schemas.event import (
    ENTITY_KEY,
    MAX_IMAGES,
    Action,
    Change,
    ChangeData,
    ChangeEvent,
    Enrichment,
    Entity,
    Image,
    ObservedEvent,
    Status,
    event_type,
)
from streams.snapshots import State


def read(
    provider: Provider,
    observed: ObservedEvent,
    state: State,
    changes: Sequence[Change],
    *,
    baseline: bool = False,
    partial: bool = False,
) -> ChangeEvent:
    """An event whose entity could be read; `state` is what was read."""
    return _event(
        observed,
        _known(observed.data.entity, state.entity),
        changes,
        _pictures(provider, changes, state.images, state.primary_image),
        Enrichment(status=Status.PARTIAL if partial else Status.COMPLETE, fetched_at=state.fetched_at, baseline=baseline),
    )


def refused(observed: ObservedEvent, answer: Refused, changes: Sequence[Change], known: Entity | None) -> ChangeEvent:
    """An event whose entity the provider does not show. `known`: the entity as it was when it still could be read."""
    status = Status.FORBIDDEN if answer.forbidden else Status.NOT_FOUND
    entity = _known(observed.data.entity, known or answer.entity)
    return _event(observed, entity, changes, [], Enrichment(status=status, fetched_at=answer.fetched_at))


def unread(observed: ObservedEvent, status: Status, known: Entity | None, at: datetime | None = None) -> ChangeEvent:
    """An event whose entity was not fetched: the budget ran out, or there is nothing to fetch."""
    entity = _known(observed.data.entity, known) if known else observed.data.entity
    return _event(observed, entity, own_changes(observed), [], Enrichment(status=status, fetched_at=at))


def own_changes(observed: ObservedEvent) -> list[Change]:
    """The provider's own items, else one change of the entity with the provider's action."""
    return observed.data.changes or [Change(key=ENTITY_KEY, action=observed.data.action)]


def deletion(before: Mapping[str, object]) -> list[Change]:
    """The change of an entity that can't be read any more; `before` is its last state."""
    return [Change(key=ENTITY_KEY, action=Action.DELETED, before=dict(before))]


def _event(
    observed: ObservedEvent, entity: Entity, changes: Sequence[Change], images: Sequence[Image], enrichment: Enrichment
) -> ChangeEvent:
    data = observed.data
    return ChangeEvent(
        id=observed.id,
        source=observed.source,
        type=event_type(data.provider, entity.type, list(changes), data.action),
        subject=observed.subject,
        time=observed.time,
        data=ChangeData(
            provider=data.provider,
            entity=entity,
            changes=list(changes),
            images=list(images),
            enrichment=enrichment,
            observed_at=data.observed_at,
        ),
    )


def _known(observed: Entity, fetched: Entity) -> Entity:
    """What the fetch knows, and where it knows nothing, what the feed said."""
    learnt = {name: value for name, value in fetched if value not in (None, [], {})}
    return observed.model_copy(update={**learnt, "type": observed.type, "native_type": observed.native_type, "id": observed.id})


def _pictures(provider: Provider, changes: Iterable[Change], images: Mapping[str, Image], primary: str | None) -> list[Image]:
    """The pictures that the changes name, each once; when they name none, the entity's primary one."""
    named = {image.path: image for change in changes for image in provider.pictured(change, images)}
    if not named and primary is not None and primary in images:
        named = {primary: images[primary]}
    return list(named.values())[:MAX_IMAGES]
