"""`changecast replay`: the events of a time, matched anew and delivered again."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from changecast.asking import asked
from changecast.deliveries.sending import sendable, warn_when_nobody_delivers
from changecast.options import Moment, output, places, progress, subscription_of, until_now, where_of
from runtime.amounts import amount

if TYPE_CHECKING:
    from changecast.deliveries.span import Span
    from changecast.operating import Operating
    from schemas.config import Subscription
    from sinks.parcel import Parcel

_SHOWN = 10


@click.command("replay", short_help="Deliver the events of a time again to a subscription.")
@places
@click.option("-s", "--subscription", required=True, help="To whom.")
@click.option("--since", type=Moment(), required=True, help="What was published from then on: 2h, or a time in UTC.")
@click.option("--until", type=Moment(), help="Before when [default: now].")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), default=50, show_default=True, help="So many a second.")
@click.option("--dry-run", is_flag=True, help="Only say how many events match, and show the first ten.")
def command(
    config: Path | None,
    data_dir: Path | None,
    subscription: str,
    since: datetime,
    until: datetime | None,
    rate: float,
    dry_run: bool,
) -> None:
    """Deliver again what was published in a time, as the config's filter matches it now.

    For a receiver that has lost what it got, or a filter that was wrong. Each event keeps its webhook-id, so a receiver
    that remembers ids takes only what it has not had. The sinks workers deliver, after live traffic and --rate a second,
    and try again what fails. What is published stays in Kafka for 14 days.

    \b
    Examples:
      changecast replay --subscription new-stills --since 2h --dry-run
      changecast replay --subscription new-stills --since 2025-01-31T06:00 --until 2025-01-31T09:00
      changecast replay --subscription new-stills --since 14d --rate 10
    """
    from changecast.deliveries.match_tables import seen_table
    from changecast.deliveries.matching import matches
    from changecast.deliveries.parcels import send
    from changecast.deliveries.span import Span

    span = Span(since, until_now(since, until))  # what comes meanwhile is live traffic
    where = where_of(config, data_dir)
    chosen = subscription_of(where.config, subscription)
    sendable(where, {subscription}, strict=True)
    with progress("reading the events") as report:
        found = asked(where.cluster, matches(where.cluster, [chosen], span, _SHOWN, report))
    (matched,) = found.of
    if matched.count:
        console = output()
        console.print(seen_table(matched.first, console.width, whole=not sys.stdout.isatty()))
    if matched.count > _SHOWN:
        click.echo(f"and {matched.count - _SHOWN:,} more")
    if matched.failed:
        click.echo(f"`when` failed on {amount(matched.failed, 'event')}, left out: {matched.failure}", err=True)
    words = f"{matched.count:,} of {amount(found.events, 'event')} {'matches' if matched.count == 1 else 'match'}"
    if dry_run or not matched.count:
        click.echo(f"{words}.")
        return
    with progress("handing them to the sinks") as report:
        count = asked(
            where.cluster, send(where.cluster, _parcels(where, chosen, span, rate), lambda done: report(done, matched.count))
        )
    click.echo(f"{words}; {count:,} handed to the sinks, {rate:g} a second: about {_duration(count / rate)}.")
    warn_when_nobody_delivers(where.cluster)


async def _parcels(where: Operating, subscription: Subscription, span: Span, rate: float) -> AsyncIterator[Parcel]:
    from changecast.deliveries.matching import matching_events
    from changecast.deliveries.parcels import Pace
    from sinks.parcel import Parcel

    pace = Pace(rate, datetime.now(UTC))
    async for seen in matching_events(where.cluster, subscription, span):
        yield Parcel(subscription.name, seen.event.value, 0, pace.next(), seen.topic, seen.partition, seen.offset)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
