"""Events that an operator names: by the id of one, or by the URN of their entity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from changecast.asking import asked
from changecast.options import progress

if TYPE_CHECKING:
    from changecast.deliveries.matching import Seen
    from changecast.operating import Operating

EVENTS_KEPT = timedelta(days=14)


def providers_of(named: str, hint: str = "URN") -> Sequence[str]:
    """Whose events are read. Raises BadParameter for what names neither an entity nor an event."""
    from schemas.config.providers import PROVIDER_NAMES
    from schemas.urn import Urn

    if named.startswith("msg_"):
        raise click.BadParameter(
            f"{named} is a webhook-id: `changecast deliveries show {named}` tells of it, and names its event", param_hint=hint
        )
    try:
        provider = Urn.parse(named).provider
    except ValueError as error:
        raise click.BadParameter(f"{error}; an event's id begins with one", param_hint=hint) from None
    if provider not in PROVIDER_NAMES:
        raise click.BadParameter(f"there is no provider {provider!r}: it is one of {', '.join(PROVIDER_NAMES)}", param_hint=hint)
    return [provider]


def newest_named(where: Operating, named: str) -> Seen | None:
    """The newest kept event with this id, or of the entity with this URN. Raises BadParameter for what is neither."""
    from changecast.deliveries.span import Span
    from changecast.deliveries.why import events_of

    providers = providers_of(named, "--event")
    with progress("looking for the event") as report:
        found = asked(where.cluster, events_of(where.cluster, named, providers, Span.last(EVENTS_KEPT), 1, report))
    return found.newest[-1] if found.newest else None


def event_by_id(where: Operating, event_id: str) -> Seen:
    """The kept event with this id. Raises BadParameter for what is no id, and ClickException where no such event is kept."""
    seen = newest_named(where, event_id)
    if seen is None:
        raise click.ClickException(
            f"no event {event_id} is kept (events are kept for {EVENTS_KEPT.days} days): "
            "`changecast why URN --since 14d` lists the events of an entity"
        )
    if seen.event.id != event_id:
        raise click.BadParameter(
            f"{event_id} is an entity, not an event: `changecast why {event_id} --since 14d` lists its events with their ids",
            param_hint="--event",
        )
    return seen
