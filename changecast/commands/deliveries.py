"""`changecast deliveries`: every attempt of the last seven days, one delivery in full, and sending again what is dead."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from changecast.options import Moment, output, places, progress, subscription_of, where_of

if TYPE_CHECKING:
    from changecast.deliveries.attempts import Filter
    from changecast.deliveries.parcels import DeadDelivery
    from changecast.deliveries.span import Span
    from changecast.deliveries.tables import Widths
    from changecast.operating import Operating
    from runtime.kafka import Cluster
    from schemas.delivery import Attempt

_OUTCOMES = ("delivered", "retry", "dead", "disabled")
_DEAD_KEPT = timedelta(days=30)
_NAMED = 10
"""So many are named one by one."""


@click.group(
    "deliveries",
    short_help="See every attempt and its outcome, send again what is dead.",
    epilog="""\b
    Examples:
      changecast deliveries list
      changecast deliveries list --subscription newsroom --outcome dead --since 7d
      changecast deliveries list --json --follow | jq .error
      changecast deliveries show msg_1a2b3c4d
      changecast deliveries retry msg_1a2b3c4d
      changecast deliveries retry --subscription newsroom --since 2h""",
)
def command() -> None:
    """Each attempt to reach a webhook or a Slack channel is kept for 7 days, with what came back.

    A delivery is one event on its way to one subscription. Its name is its webhook-id, which the receiver sees too; the
    first digits do."""


@command.command(
    "list",
    short_help="One line an attempt, oldest first.",
    epilog="""\b
    Examples:
      changecast deliveries list
      changecast deliveries list --subscription newsroom --outcome dead --since 7d
      changecast deliveries list --json --follow | jq .error""",
)
@places
@click.option("-s", "--subscription", help="Only to this one.")
@click.option(
    "--outcome", type=click.Choice(_OUTCOMES), help="Only these: delivered, to be tried again, dead, endpoint disabled."
)
@click.option("--since", type=Moment(), default="1h", show_default=True, help="From when: 90m, 7d, or a time in UTC.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="So many, the newest.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a line, with all that is known.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
def list_(
    config: Path | None,
    data_dir: Path | None,
    subscription: str | None,
    outcome: str | None,
    since: datetime,
    limit: int,
    as_json: bool,
    follow: bool,
) -> None:
    """One line an attempt, oldest first: when, to whom, of which entity, what changed, the outcome."""
    from changecast.deliveries.attempts import Filter, newest
    from changecast.deliveries.span import Span
    from changecast.deliveries.tables import attempts_table, widths
    from schemas.delivery import Outcome

    where = where_of(config, data_dir)
    chosen = Filter(subscription, None if outcome is None else Outcome(outcome))
    with progress("reading the deliveries") as report:
        found = asyncio.run(newest(where.cluster, Span(since), chosen, limit, report))
    if not found.count and subscription is not None:
        subscription_of(where.config, subscription)
    console = output()
    columns = widths(found.newest, console.width if sys.stdout.isatty() else None)
    if as_json:
        for attempt in found.newest:
            click.echo(attempt.to_json())
    elif found.count or found.unreadable:
        console.print(attempts_table(found, columns))
    else:
        what = "Nothing was delivered" if outcome is None else f"No attempt with the outcome {outcome}"
        click.echo(f"{what} since {_utc(since)}.", err=follow)
    if follow:
        asyncio.run(_follow(where.cluster, chosen, None if as_json else columns))


async def _follow(cluster: Cluster, chosen: Filter, columns: Widths | None) -> None:
    """`columns` None: as JSON."""
    from changecast.deliveries.attempts import follow
    from changecast.deliveries.tables import attempt_line

    console = output()
    async for attempt in follow(cluster, chosen, lambda: None):
        if columns is None:
            click.echo(attempt.to_json())
        else:
            console.print(attempt_line(attempt, columns), soft_wrap=True)
        sys.stdout.flush()


@command.command(
    "show",
    short_help="All attempts of one delivery, with what came back.",
    epilog="""\b
    Example:
      changecast deliveries show msg_1a2b3c4d""",
)
@places
@click.argument("webhook_id")
@click.option("--json", "as_json", is_flag=True, help="For programs: its attempts as a JSON list.")
def show(config: Path | None, data_dir: Path | None, webhook_id: str, as_json: bool) -> None:
    """All attempts of one delivery: when, to which address, what came back, when the next is due.

    WEBHOOK_ID is the delivery's webhook-id, or its first digits.
    """
    import orjson

    from changecast.deliveries.tables import delivery

    where = where_of(config, data_dir)
    found = _deliveries(where, (webhook_id,))
    if not found:
        raise click.ClickException(
            f"no delivery {webhook_id} in the last 7 days: `changecast deliveries list --since 7d` lists them"
        )
    if len(found) > 1:
        raise click.ClickException(f"{webhook_id} begins {len(found)} deliveries: {', '.join(list(found)[:_NAMED])}")
    (attempts,) = found.values()
    if as_json:
        click.echo(orjson.dumps([attempt.model_dump(mode="json") for attempt in attempts], option=orjson.OPT_INDENT_2))
        return
    output().print(delivery(attempts))


@command.command(
    "retry",
    short_help="Send again what is dead.",
    epilog="""\b
    Examples:
      changecast deliveries retry msg_1a2b3c4d
      changecast deliveries retry --subscription newsroom --since 2h""",
)
@places
@click.argument("webhook_ids", nargs=-1)
@click.option("-s", "--subscription", help="All that are dead of this one.")
@click.option(
    "--outcome",
    type=click.Choice(("dead", "disabled")),
    help="Only those given up, or only those that ended with their endpoint.",
)
@click.option("--since", type=Moment(), help="Only what died since then: 2h, or a time in UTC [default: all that is kept].")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), default=100, show_default=True, help="So many a second.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
def retry(
    config: Path | None,
    data_dir: Path | None,
    webhook_ids: tuple[str, ...],
    subscription: str | None,
    outcome: str | None,
    since: datetime | None,
    rate: float,
    dry_run: bool,
) -> None:
    """Send again what is dead, with the same webhook-id and the whole retry schedule before it.

    Name deliveries by WEBHOOK_IDS, or choose them by --subscription, --outcome and --since. What has been delivered
    since, or waits for an attempt, is left out. The sinks workers deliver, after live traffic.
    """
    from changecast.deliveries.parcels import Pace, dead_again, send
    from changecast.deliveries.span import Span

    if bool(webhook_ids) == (subscription is not None or outcome is not None or since is not None):
        raise click.UsageError("name deliveries by their webhook-ids, or choose them by --subscription, --outcome, --since")
    where = where_of(config, data_dir)
    if subscription is not None:
        subscription_of(where.config, subscription)
    span = Span(since or datetime.now(UTC) - _DEAD_KEPT)
    chosen = _dead(where, span, webhook_ids, subscription, outcome)
    good = sendable(where, {one.subscription for one in chosen}, strict=bool(webhook_ids or subscription))
    chosen = [one for one in chosen if one.subscription in good]
    for one in chosen[:_NAMED]:
        click.echo(f"{one.webhook_id}  {one.subscription}  {one.subject}  {'would be' if dry_run else 'is'} sent again")
    if len(chosen) > _NAMED:
        click.echo(f"and {len(chosen) - _NAMED:,} more")
    if dry_run or not chosen:
        click.echo(f"{len(chosen):,} to send again.")
        return
    with progress("handing them to the sinks") as report:
        parcels = dead_again(where.cluster, span, chosen, Pace(rate, datetime.now(UTC)))
        count = asyncio.run(send(where.cluster, parcels, lambda done: report(done, len(chosen))))
    click.echo(f"{count:,} handed to the sinks.")
    warn_when_nobody_delivers(where.cluster)


def warn_when_nobody_delivers(cluster: Cluster) -> None:
    from changecast.deliveries.endpoints import sinks_run

    if not asyncio.run(sinks_run(cluster)):
        click.echo("No sinks worker runs: they go out when one does (`changecast up`, or `changecast worker sinks`).", err=True)


def _deliveries(where: Operating, ids: tuple[str, ...]) -> dict[str, list[Attempt]]:
    from changecast.deliveries.attempts import NotAnId, of_deliveries

    try:
        with progress("reading the deliveries") as report:
            return asyncio.run(of_deliveries(where.cluster, ids, report))
    except NotAnId as error:
        raise click.UsageError(str(error)) from None


def _dead(
    where: Operating, span: Span, ids: tuple[str, ...], subscription: str | None, outcome: str | None
) -> list[DeadDelivery]:
    """Those chosen that are dead still, oldest first. Says of each that was named and is not sent, why."""
    from changecast.deliveries.attempts import of_deliveries
    from changecast.deliveries.parcels import dead_deliveries
    from changecast.deliveries.span import Span as SpanOf
    from schemas.delivery import Outcome

    def wanted(one: DeadDelivery) -> bool:
        return (
            (not ids or one.webhook_id.startswith(ids))
            and subscription in (None, one.subscription)
            and outcome in (None, str(one.outcome))
        )

    known = _deliveries(where, ids) if ids else {}
    with progress("reading the dead topic") as report:
        found = asyncio.run(dead_deliveries(where.cluster, span, wanted, report))
    for one in ids:
        if not any(name.startswith(one) for name in found):
            raise click.ClickException(_why_not_dead(one, known))
    if found and not ids:
        oldest = min(one.at for one in found.values())
        with progress("reading what became of them") as report:
            known = asyncio.run(of_deliveries(where.cluster, found, report, SpanOf(oldest - timedelta(minutes=1))))
    alive = {
        name: attempts[-1]
        for name, attempts in known.items()
        if name in found and attempts[-1].outcome in (Outcome.DELIVERED, Outcome.RETRY)
    }
    for name, last in alive.items():
        if ids:
            click.echo(f"{name} is left out: {_what_became(last)}.")
    if alive and not ids:
        click.echo(f"{len(alive):,} are left out: they have been delivered since, or wait for an attempt.")
    return sorted((one for name, one in found.items() if name not in alive), key=lambda one: one.at)


def _why_not_dead(webhook_id: str, known: dict[str, list[Attempt]]) -> str:
    for name, attempts in known.items():
        if name.startswith(webhook_id):
            last = attempts[-1]
            if last.outcome in ("dead", "disabled"):
                return f"{webhook_id} ended at {_utc(last.at)}, but its event is not in the dead topic"
            return f"{webhook_id} is not dead: {_what_became(last)}. `changecast replay` sends again what was delivered"
    return f"there is no dead delivery {webhook_id}: `changecast deliveries list --outcome dead --since 7d` lists them"


def _what_became(last: Attempt) -> str:
    if last.next_at is not None:
        return f"its attempt {last.attempt + 1} is due at {_utc(last.next_at)}"
    return f"it was delivered at {_utc(last.at)}" if last.outcome == "delivered" else f"it is {last.outcome}"


def sendable(where: Operating, names: set[str], *, strict: bool) -> set[str]:
    """Those of the subscriptions that would get what is sent. Of the others is said why not; raises ClickException when `strict`."""
    from changecast.deliveries.endpoints import endpoint_states

    states = asyncio.run(endpoint_states(where.cluster)) if names else {}
    configured = {subscription.name for subscription in where.config.subscriptions}
    good = set()
    for name in sorted(names):
        state = states.get(name)
        if name not in configured:
            problem = f"there is no subscription {name} any more"
        elif state is not None and state.disabled_at is not None:
            problem = f"the endpoint of {name} is disabled ({state.disabled_reason}): `changecast endpoints enable {name}` first"
        else:
            good.add(name)
            continue
        if strict:
            raise click.ClickException(problem)
        click.echo(f"{problem}.", err=True)
    return good


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
