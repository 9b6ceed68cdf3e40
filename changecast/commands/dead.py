"""`changecast dead`: what could not be processed or delivered, and why."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from changecast.asking import asked
from changecast.deliveries.sending import sendable
from changecast.options import Listing, Moment, echo_json, output, places, subscription_of, utc, where_of

if TYPE_CHECKING:
    from changecast.dead import Dead
    from runtime.kafka import Cluster


@click.group(
    "dead",
    cls=Listing,
    short_help="List, show or replay what could not be processed.",
    epilog="""\b
    Examples:
      changecast dead
      changecast dead list --reason bad-event
      changecast dead list --subscription newsroom --since 2h
      changecast dead show 2/17
      changecast dead replay 2/17
      changecast dead replay --reason bad-event""",
)
def command() -> None:
    """What could not be processed or delivered is kept for 30 days, as it came, with the reason.

    A record is named by its partition and offset in the dead topic, as 2/17."""


@command.command(
    "list",
    short_help="One line a record, oldest first.",
    epilog="""\b
    Examples:
      changecast dead list
      changecast dead list --reason bad-event
      changecast dead list --subscription newsroom --since 2h
      changecast dead list --json | jq .error""",
)
@places
@click.option("--reason", help="Only these, as no-entity-id.")
@click.option("-s", "--subscription", help="Only deliveries to this one.")
@click.option("--since", type=Moment(), help="What has died since: 90m, 7d, or a time in UTC [default: all that is kept].")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a line, all but the bytes.")
def list_(
    config: Path | None,
    data_dir: Path | None,
    reason: str | None,
    subscription: str | None,
    since: datetime | None,
    as_json: bool,
) -> None:
    """One line a record, oldest first: its name, when, why, where it came from, what it is about."""
    from changecast.dead_table import dead_table

    where = where_of(config, data_dir)
    records = [dead for dead in _read(where.cluster, reason, since) if subscription in (None, dead.subscription)]
    if not records and subscription is not None:
        subscription_of(where.config, subscription)
    if as_json:
        for dead in records:
            echo_json(dead.as_json())
    elif records:
        console = output()
        console.print(dead_table(records, console.width))
    else:
        click.echo(f"Nothing is dead{_chosen_by(reason, subscription, since)}.")


def _chosen_by(reason: str | None, subscription: str | None, since: datetime | None) -> str:
    words = f" for the reason {reason}" if reason is not None else ""
    words += f" of the deliveries to {subscription}" if subscription is not None else ""
    return words + (f" since {utc(since)}" if since is not None else "")


@command.command("show", short_help="All of one record, with its bytes.", epilog="\b\nExample:\n  changecast dead show 2/17")
@places
@click.argument("record")
def show(config: Path | None, data_dir: Path | None, record: str) -> None:
    """All that is known of one RECORD, and its bytes as they came."""
    from changecast.deliveries.tables import printable

    (dead,) = _named(where_of(config, data_dir).cluster, (record,))
    at = dead.at.isoformat(timespec="seconds")
    click.echo(f"at      {at}\nfrom    {dead.origin}\nreason  {dead.reason}\nerror   {printable(dead.error)}")
    if dead.delivery is not None:
        subscription, identity = dead.delivery
        click.echo(f"to      {subscription}, webhook-id {identity}: `changecast deliveries show {identity}`")
    click.echo(f"key     {printable(dead.subject)}\n")
    click.echo(dead.value or b"")


@command.command(
    "replay",
    short_help="Put records back where they came from.",
    epilog="\b\nExamples:\n  changecast dead replay 2/17 --dry-run\n  changecast dead replay --reason bad-event",
)
@places
@click.argument("records", nargs=-1)
@click.option("--reason", help="All with this reason.")
@click.option("--dry-run", is_flag=True, help="Only say what would be put back.")
def replay(config: Path | None, data_dir: Path | None, records: tuple[str, ...], reason: str | None, dry_run: bool) -> None:
    """Put RECORDS back into the topics they came from, byte for byte: after a mistake has been mended.

    Deliveries that are dead since their subscription was removed are sent again, if it is back in the config.
    """
    from changecast.dead import replay as put_back
    from changecast.deliveries.tables import printable

    if bool(records) == (reason is not None):
        raise click.UsageError("name either records, as 2/17, or a --reason")
    where = where_of(config, data_dir)
    cluster = where.cluster
    chosen = _named(cluster, records) if records else _read(cluster, reason)
    good = sendable(where, {dead.subscription or "" for dead in chosen if dead.is_removed}, strict=bool(records))
    chosen = [dead for dead in chosen if not dead.is_removed or dead.subscription in good]
    for dead in chosen:
        if (obstacle := dead.why_not_replayable(cluster)) is not None:
            raise click.ClickException(f"{dead.place} can't be put back: {obstacle}")
    if not dry_run and chosen:
        asked(cluster, put_back(cluster, chosen))
    for dead in chosen:
        target = f"again to {dead.subscription}" if dead.is_removed else f"back to {dead.origin.split('/')[0]}"
        click.echo(f"{dead.place}  {printable(dead.subject)}  {'would go' if dry_run else 'went'} {target}")
    click.echo(f"{len(chosen)} {'to put' if dry_run else 'put'} back.")


def _read(cluster: Cluster, reason: str | None, since: datetime | None = None) -> list[Dead]:
    from changecast.dead import read_dead

    async def read() -> list[Dead]:
        return [dead async for dead in read_dead(cluster, since) if reason in (None, dead.reason)]

    return sorted(asked(cluster, read()), key=lambda dead: dead.at)


def _named(cluster: Cluster, names: tuple[str, ...]) -> list[Dead]:
    found = {dead.place: dead for dead in _read(cluster, None)}
    for name in names:
        if name not in found:
            raise click.ClickException(f"there is no dead record {name}: `changecast dead list` names those that there are")
    return [found[name] for name in names]
