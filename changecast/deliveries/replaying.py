"""One event delivered again, by its id, to the subscriptions that want it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from changecast.asking import asked
from changecast.deliveries.named import event_by_id
from changecast.deliveries.sending import sendable, warn_when_nobody_delivers
from changecast.options import subscription_of, where_of
from runtime.amounts import amount

if TYPE_CHECKING:
    from changecast.deliveries.matching import Seen
    from schemas.config import Config
    from sinks.parcel import Parcel


def replay_event(config: Path | None, data_dir: Path | None, event_id: str, subscription: str | None, *, dry_run: bool) -> None:
    """To the one subscription, or to all whose filter matches. Raises ClickException where it would reach none."""
    from changecast.deliveries.parcels import send

    where = where_of(config, data_dir)
    if subscription is not None:
        subscription_of(where.config, subscription)
    seen = event_by_id(where, event_id)
    wanting = _wanting(where.config, seen, subscription)
    good = sorted(sendable(where, set(wanting), strict=subscription is not None))
    if not good:
        raise click.ClickException("nothing is replayed: no endpoint that the event would go to takes deliveries")
    for name in good:
        click.echo(f"{seen.event.id}  {seen.event.name}  {seen.event.change}  to {name}")
    if dry_run:
        click.echo(f"{amount(len(good), 'delivery', 'deliveries')} to replay.")
        return
    count = asked(where.cluster, send(where.cluster, _parcels(good, seen), lambda _: None))
    click.echo(f"{count:,} handed to the sinks.")
    warn_when_nobody_delivers(where.cluster)


def _wanting(config: Config, seen: Seen, only: str | None) -> list[str]:
    """The names of the subscriptions whose filter matches."""
    from changecast.deliveries.why import refusals
    from sinks.match import compile_rule

    chosen = [one for one in config.subscriptions if only in (None, one.name)]
    reasons = refusals(chosen, [compile_rule(one) for one in chosen], seen.event)
    wanting = [one.name for one, reason in zip(chosen, reasons, strict=True) if reason is None]
    if not wanting and only is not None:
        raise click.ClickException(
            f"the filter of {only} does not match {seen.event.id}: {reasons[0]}; "
            f"`changecast endpoints test {only} --event {seen.event.id}` sends it as a test"
        )
    if not wanting:
        raise click.ClickException(f"no subscription's filter matches {seen.event.id}: `changecast why {seen.event.id}` says why")
    return wanting


async def _parcels(names: Sequence[str], seen: Seen) -> AsyncIterator[Parcel]:
    from sinks.parcel import Parcel

    now = datetime.now(UTC).timestamp()
    for name in names:
        yield Parcel(name, seen.event.value, 0, now, seen.topic, seen.partition, seen.offset)
