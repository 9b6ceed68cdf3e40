"""`changecast match`: what the subscriptions' filters let through, of the events that there were."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from changecast.asking import asked
from changecast.options import Moment, echo_json, output, places, progress, subscription_of, until_now, utc, where_of
from runtime.amounts import amount

if TYPE_CHECKING:
    from changecast.deliveries.matching import Matches


@click.command("match", short_help="See what a subscription's filter would match among the last events.")
@places
@click.option("-s", "--subscription", help="Only this one, with the events that it matches.")
@click.option("--since", type=Moment(), default="1h", show_default=True, help="From when: 90m, 7d, or a time in UTC.")
@click.option("--until", type=Moment(), help="Before when [default: now].")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="So many events, the newest.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    config: Path | None,
    data_dir: Path | None,
    subscription: str | None,
    since: datetime,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """How many of the last hour's events each subscription of the config would get; with --subscription, which ones.

    The config may be one that does not run yet: so a filter is tried before it is put to use. Nothing is delivered, and
    nothing is changed. A `when` that fails on an event counts as no match, and is told.

    \b
    Examples:
      changecast match
      changecast match -c draft.yaml --subscription new-stills --since 24h
    """
    from changecast.deliveries.match_tables import as_document, events_table, summary_table
    from changecast.deliveries.matching import matches
    from changecast.deliveries.span import Span

    until_now(since, until)
    where = where_of(config, data_dir)
    chosen = where.config.subscriptions if subscription is None else [subscription_of(where.config, subscription)]
    if not chosen:
        raise click.ClickException("the config has no subscriptions: add one under `subscriptions:`")
    with progress("reading the events") as report:
        found = asked(where.cluster, matches(where.cluster, chosen, Span(since, until), limit, report))
    if as_json:
        echo_json(as_document(found), indented=True)
        return
    console, piped = output(), not sys.stdout.isatty()
    if found.events:
        width = console.width
        console.print(summary_table(found, width) if subscription is None else events_table(found.of[0], width, whole=piped))
    click.echo(_summary(found, since))


def _summary(found: Matches, since: datetime) -> str:
    words = f"{amount(found.events, 'event')} since {utc(since)}"
    if found.unreadable:
        words += f", and {amount(found.unreadable, 'record that is no event', 'records that are no events')}"
    if len(found.of) == 1 and found.events:
        one = found.of[0]
        words += f"; {one.subscription} matches {one.count:,}"
        if one.failed:
            words += f", and its `when` failed on {one.failed:,}: {one.failure}"
    return f"{words}."
