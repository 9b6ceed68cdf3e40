"""`changecast endpoints`: how each subscription's webhook or channel is doing, and taking it out or bringing it back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from changecast.asking import asked
from changecast.deliveries.endpoint_test import test
from changecast.deliveries.sending import warn_when_nobody_delivers
from changecast.options import Listing, echo_json, output, places, progress, unknown_subscription, utc, where_of
from runtime.amounts import amount

if TYPE_CHECKING:
    from changecast.deliveries.parcels import DeadDelivery
    from changecast.deliveries.span import Span
    from changecast.operating import Operating
    from schemas.delivery import EndpointState

_RATE = 100.0
"""Deliveries a second that are sent again."""
_MOMENT = timedelta(seconds=60)


@click.group(
    "endpoints",
    cls=Listing,
    short_help="See how webhooks and channels are doing, test one, disable it, bring it back.",
    epilog="""\b
    Examples:
      changecast endpoints
      changecast endpoints test newsroom
      changecast endpoints disable newsroom --reason "moves on Friday"
      changecast endpoints enable newsroom
      changecast endpoints forget newsroom""",
)
def command() -> None:
    """A subscription's endpoint is its webhook or its Slack channel. One that answers 410, or only fails for days, is
    disabled: nothing is sent to it, and what it misses waits."""


command.add_command(test)


@command.command(
    "list",
    short_help="One line an endpoint: its state, and the last hour.",
    epilog="""\b
    Examples:
      changecast endpoints list
      changecast endpoints list --json""",
)
@places
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """One line an endpoint: its state, since when it is served, what the last hour brought, and how many deliveries wait."""
    from changecast.deliveries.attempts import counted
    from changecast.deliveries.endpoint_tables import endpoints_table
    from changecast.deliveries.endpoints import HOUR, endpoint_states, views
    from changecast.deliveries.span import Span

    where = where_of(config, data_dir)
    states = asked(where.cluster, endpoint_states(where.cluster))
    with progress("reading the last hour's deliveries") as report:
        counts = asked(where.cluster, counted(where.cluster, Span.last(HOUR), report))
    found = views(where.config, states, counts, _waiting(where))
    if as_json:
        echo_json([view.as_json() for view in found], indented=True)
        return
    if not found:
        click.echo("The config has no subscriptions: add one under `subscriptions:`.")
        return
    console = output()
    console.print(
        endpoints_table(
            *(found, datetime.now(UTC), where.config.delivery.disable_after, where.config.delivery.removed_subscription_grace),
            console.width,
        )
    )


def _waiting(where: Operating) -> Mapping[str, int] | None:
    """By subscription. None where there are too many to count, which is told."""
    from changecast.deliveries.parked import TooMany, parked

    try:
        with progress("counting what waits") as report:
            return asked(where.cluster, parked(where.cluster, report))
    except TooMany as error:
        click.echo(f"{error}, too many to count: the metric changecast_deliveries_parked tells how many of which.", err=True)
        return None


@command.command(
    "disable",
    short_help="Send nothing more to one, until it is enabled.",
    epilog="""\b
    Example:
      changecast endpoints disable newsroom --reason moved""",
)
@places
@click.argument("subscription")
@click.option("--reason", help="Shown in the list.")
def disable(config: Path | None, data_dir: Path | None, subscription: str, reason: str | None) -> None:
    """Send nothing more to the endpoint of SUBSCRIPTION, in any worker, until it is enabled.

    Events that come meanwhile wait for it. Its retries that come due meanwhile die, and `enable` offers them.
    """
    from changecast.deliveries.endpoints import BY_HAND, disabled, write

    where = where_of(config, data_dir)
    state = _state(where, subscription)
    if state.disabled_at is not None:
        click.echo(f"{subscription} is disabled already, since {utc(state.disabled_at)}: {state.disabled_reason}")
        return
    why = BY_HAND if reason is None else f"{BY_HAND}: {reason}"
    asked(where.cluster, write(where.cluster, [disabled(state, datetime.now(UTC), why)]))
    click.echo(f"{subscription} is disabled. `changecast endpoints enable {subscription}` brings it back.")


@command.command(
    "enable",
    short_help="Bring one back, with what it missed.",
    epilog="""\b
    Examples:
      changecast endpoints enable newsroom
      changecast endpoints enable newsroom --retry-dead""",
)
@places
@click.argument("subscription")
@click.option(
    "--retry-dead/--leave-dead", default=None, help="Also send again what died with the endpoint [default: ask on a terminal]."
)
def enable(config: Path | None, data_dir: Path | None, subscription: str, retry_dead: bool | None) -> None:
    """Bring the endpoint of SUBSCRIPTION back, in all workers.

    What it missed meanwhile is delivered now, oldest first. Deliveries that were under way when it was disabled have died
    with it; they can be sent again too.
    """
    from changecast.deliveries.endpoints import enabled, write
    from changecast.deliveries.span import Span

    where = where_of(config, data_dir)
    state = _state(where, subscription)
    if state.disabled_at is None:
        click.echo(f"{subscription} is not disabled.")
        return
    asked(where.cluster, write(where.cluster, [enabled(state)]))
    # only now: up to here retries that came due have died
    missed = _missed(where, subscription, Span(state.disabled_at, datetime.now(UTC)))
    died = _died(where, subscription, state.disabled_at)
    click.echo(f"{subscription} is enabled; it was disabled since {utc(state.disabled_at)}: {state.disabled_reason}")
    if missed:
        click.echo(f"{amount(missed, 'event')} that it wants came meanwhile, to be delivered now, oldest first.")
    if died:
        _offer(where, subscription, state.disabled_at, died, retry_dead)
    warn_when_nobody_delivers(where.cluster)


@command.command(
    "forget",
    short_help="Drop at once what is kept of one that was removed.",
    epilog="""\b
    Example:
      changecast endpoints forget newsroom""",
)
@places
@click.argument("subscription")
def forget(config: Path | None, data_dir: Path | None, subscription: str) -> None:
    """Drop the retries and the place of SUBSCRIPTION, which is in no config any more, and its row in the list.

    Without this they are kept for delivery.removed_subscription_grace, in case it comes back.
    """
    from changecast.deliveries.endpoints import forget as drop
    from changecast.deliveries.endpoints import sinks_run

    where = where_of(config, data_dir)
    state = _state(where, subscription)
    if subscription in (one.name for one in where.config.subscriptions):
        raise click.ClickException(f"{subscription} is in the config: take it out, and reload the sinks workers first")
    if state.removed_at is None and asked(where.cluster, sinks_run(where.cluster)):
        raise click.ClickException(
            f"a sinks worker has {subscription} in its config still, or has just lost it: reload all of them, and try again"
        )
    asked(where.cluster, drop(where.cluster, subscription))
    click.echo(f"{subscription} is forgotten: the sinks workers drop its retries and its place.")


def _offer(where: Operating, subscription: str, since: datetime, died: list[DeadDelivery], retry_dead: bool | None) -> None:
    from changecast.deliveries.parcels import Pace, dead_again, send

    click.echo(f"{amount(len(died), 'delivery', 'deliveries')} died with it.")
    if retry_dead is None and sys.stdin.isatty():
        retry_dead = click.confirm("Send them again?", default=True)
    if not retry_dead:
        click.echo(f"`changecast deliveries retry --subscription {subscription} --outcome disabled` sends them again.")
        return
    parcels = dead_again(where.cluster, _around(since), died, Pace(_RATE, datetime.now(UTC)))
    with progress("handing them to the sinks") as report:
        count = asked(where.cluster, send(where.cluster, parcels, lambda done: report(done, len(died))))
    click.echo(f"{count:,} handed to the sinks.")


def _died(where: Operating, subscription: str, since: datetime) -> list[DeadDelivery]:
    from changecast.deliveries.parcels import dead_deliveries
    from schemas.delivery import Outcome

    with progress("reading the dead topic") as report:
        found = asked(
            where.cluster,
            dead_deliveries(
                where.cluster,
                _around(since),
                lambda one: one.subscription == subscription and one.outcome is Outcome.DISABLED,
                report,
            ),
        )
    return list(found.values())


def _missed(where: Operating, subscription: str, span: Span) -> int:
    """How many events it will get. 0 for one that the config does not have."""
    from changecast.deliveries.matching import matches

    chosen = [one for one in where.config.subscriptions if one.name == subscription]
    if not chosen:
        return 0
    with progress("reading what it missed") as report:
        found = asked(where.cluster, matches(where.cluster, chosen, span, 1, report))
    return found.of[0].count


def _state(where: Operating, subscription: str) -> EndpointState:
    from changecast.deliveries.endpoints import endpoint_states

    states = asked(where.cluster, endpoint_states(where.cluster))
    if subscription in states:
        return states[subscription]
    configured = [one.name for one in where.config.subscriptions]
    if subscription in configured:
        raise click.ClickException(f"{subscription} is not served yet: a sinks worker writes its state when it first sees it")
    raise unknown_subscription(subscription, sorted({*configured, *states}))


def _around(since: datetime) -> Span:
    """What died when the endpoint was disabled was written about then, a moment before or after."""
    from changecast.deliveries.span import Span

    return Span(since - _MOMENT)
