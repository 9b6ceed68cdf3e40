"""`changecast why`: what became of an entity's events at each subscription, and why."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from changecast.asking import asked
from changecast.deliveries.named import EVENTS_KEPT, providers_of
from changecast.options import Moment, echo_json, output, places, progress, subscription_of, until_now, utc, where_of
from runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from changecast.deliveries.why import Found


@click.command("why", short_help="See why a change was sent to a subscription, or was not.")
@places
@click.argument("named", metavar="URN|EVENT_ID")
@click.option("-s", "--subscription", help="Only this one.")
@click.option("--since", type=Moment(), default="24h", show_default=True, help="From when: 90m, 7d, or a time in UTC.")
@click.option("--until", type=Moment(), help="Before when [default: now].")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="So many events, the newest.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    config: Path | None,
    data_dir: Path | None,
    named: str,
    subscription: str | None,
    since: datetime,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """What became of an entity's events at each subscription: delivered, waiting, dead, not matched, and why.

    Name the entity by its URN, provider:type:id, or one event by its id, which begins with the URN. Events of what is below
    the entity are not among its own: ask for an episode by its own URN.

    Filters are tried as the config has them now. Attempts are kept for 7 days, events for 14.

    \b
    Examples:
      changecast why tmdb:movie:550
      changecast why tmdb:movie:550 --subscription newsroom --since 7d
      changecast why tmdb:movie:550:679d5d1b1c0a0e4a6c3f1d2e
    """
    from changecast.deliveries.span import Span
    from changecast.deliveries.why import events_of, told
    from changecast.deliveries.why_tables import as_document, blocks, replays

    until_now(since, until)
    providers = providers_of(named)
    where = where_of(config, data_dir)
    chosen = where.config.subscriptions if subscription is None else [subscription_of(where.config, subscription)]
    if not chosen:
        raise click.ClickException("the config has no subscriptions: add one under `subscriptions:`")
    with progress("reading the events") as report:
        found = asked(where.cluster, events_of(where.cluster, named, providers, Span(since, until), limit, report))
    with progress("reading the deliveries") as report:
        answers = asked(where.cluster, told(where.cluster, chosen, found.newest, report)) if found.newest else []
    if as_json:
        echo_json(as_document(named, found, answers), indented=True)
        return
    if answers:
        output().print(blocks(answers, wide=not sys.stdout.isatty()))
    for line in _summary(named, found, since, until):
        click.echo(line)
    if commands := replays(answers):
        click.echo("\nWhat was not sent can be, with what else matches in that time (--dry-run only shows it):")
        click.echo("\n".join(f"  {one}" for one in commands))


def _summary(named: str, found: Found, since: datetime, until: datetime | None) -> Iterator[str]:
    span = f"since {utc(since)}" + ("" if until is None else f" and before {utc(until)}")
    if found.unreadable:
        unreadable = amount(found.unreadable, "record of it is no event", "records of it are no events")
        yield f"{unreadable}: `changecast dead list --reason bad-event`."
    if found.count > len(found.newest):
        yield f"The last {len(found.newest):,} of {amount(found.count, 'event')} {span}: --limit shows more."
    elif found.count:
        yield f"{amount(found.count, 'event')} {span}."
    else:
        yield f"No event of {named} was published {span}."
        yield from _what_else(named, since)


def _what_else(named: str, since: datetime) -> Iterator[str]:
    from schemas.urn import Urn

    ways = [("--since 14d", "looks as far back as events are kept")] if datetime.now(UTC) - since < EVENTS_KEPT else []
    ways += [
        ("changecast provider list", "how far the feeds have been read, and their last errors"),
        ("changecast dead list", "what could not be processed"),
    ]
    if ":" not in Urn.parse(named).id:  # an event's id is no entity's
        ways.append((f"changecast fetch {named}", "the event of it now, with the URN that its events have"))
    width = max(len(way) for way, _ in ways)
    yield ""
    yield from (f"  {way:<{width}}  {what}" for way, what in ways)
