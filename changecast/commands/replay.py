"""`changecast replay`: the events of a time, matched by today's filter and delivered again; or one event by its id."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from changecast.asking import asked
from changecast.deliveries.replaying import replay_event
from changecast.deliveries.sending import sendable, warn_when_nobody_delivers
from changecast.options import Moment, output, places, progress, subscription_of, until_now, where_of
from runtime.amounts import amount

if TYPE_CHECKING:
    from changecast.deliveries.span import Span
    from changecast.operating import Operating
    from schemas.config import Subscription
    from sinks.parcel import Parcel

_SHOWN = 10


@click.command("replay", short_help="Deliver the events of a time, or one event, again.")
@places
@click.option("-s", "--subscription", help="Subscription to replay to. Required with --since.")
@click.option("--since", type=Moment(), help="Replay what was published from then on: 2h, or a time in UTC.")
@click.option("--until", type=Moment(), help="End of that time, exclusive [default: now].")
@click.option("--event", "event_id", metavar="ID", help="Replay the event with this id.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=50,
    show_default=True,
    help="Deliveries a second.",
)
@click.option("--dry-run", is_flag=True, help="Only say how many events match, and show the first ten.")
def command(
    config: Path | None,
    data_dir: Path | None,
    subscription: str | None,
    since: datetime | None,
    until: datetime | None,
    event_id: str | None,
    rate: float,
    dry_run: bool,
) -> None:
    """Deliver again what was published in a time, as the config's filter matches it now; or one event.

    For a receiver that has lost what it got, or a filter that was wrong. Each event keeps its webhook-id, so a receiver
    that remembers ids takes only what it has not had. The sinks workers deliver, after live traffic and --rate a second,
    and try again what fails. What is published stays in Kafka for 14 days.

    --event goes to every subscription whose filter matches it, or to --subscription alone. `changecast why` shows ids.

    \b
    Examples:
      changecast replay --subscription new-stills --since 2h --dry-run
      changecast replay --subscription new-stills --since 2025-01-31T06:00 --until 2025-01-31T09:00
      changecast replay --subscription new-stills --since 14d --rate 10
      changecast replay --event tmdb:movie:550:679d5d1b1c0a0e4a6c3f1d2e
    """
    if event_id is not None:
        if since is not None or until is not None:
            raise click.UsageError("--event names one event: leave out --since and --until")
        replay_event(config, data_dir, event_id, subscription, dry_run=dry_run)
        return
    if since is None:
        raise click.UsageError("say what to replay: --since and a time, or --event and an event's id")
    if subscription is None:
        raise click.UsageError("--since needs a --subscription to replay to")
    _replay_time(config, data_dir, subscription, since, until, rate, dry_run=dry_run)


def _replay_time(
    config: Path | None,
    data_dir: Path | None,
    subscription: str,
    since: datetime,
    until: datetime | None,
    rate: float,
    *,
    dry_run: bool,
) -> None:
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
