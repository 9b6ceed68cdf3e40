"""`changecast deliveries retry`: sending again what is dead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from changecast.asking import asked
from changecast.deliveries.sending import NAMED, named_deliveries, sendable, warn_when_nobody_delivers
from changecast.options import Moment, places, progress, subscription_of, utc, where_of
from runtime.amounts import amount

if TYPE_CHECKING:
    from changecast.deliveries.parcels import DeadDelivery
    from changecast.deliveries.span import Span
    from changecast.operating import Operating
    from schemas.delivery import Attempt

_DEAD_KEPT = timedelta(days=30)


@click.command(
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
    for one in chosen[:NAMED]:
        click.echo(f"{one.webhook_id}  {one.subscription}  {one.subject}  {'would be' if dry_run else 'is'} sent again")
    if len(chosen) > NAMED:
        click.echo(f"and {len(chosen) - NAMED:,} more")
    if dry_run or not chosen:
        click.echo(f"{len(chosen):,} to send again.")
        return
    with progress("handing them to the sinks") as report:
        parcels = dead_again(where.cluster, span, chosen, Pace(rate, datetime.now(UTC)))
        count = asked(where.cluster, send(where.cluster, parcels, lambda done: report(done, len(chosen))))
    click.echo(f"{count:,} handed to the sinks.")
    warn_when_nobody_delivers(where.cluster)


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

    known = named_deliveries(where, ids) if ids else {}
    with progress("reading the dead topic") as report:
        found = asked(where.cluster, dead_deliveries(where.cluster, span, wanted, report))
    for one in ids:
        if not any(name.startswith(one) for name in found):
            raise click.ClickException(_why_not_dead(one, known))
    if found and not ids:
        oldest = min(one.at for one in found.values())
        with progress("reading what became of them") as report:
            known = asked(where.cluster, of_deliveries(where.cluster, found, report, SpanOf(oldest - timedelta(minutes=1))))
    alive = {
        name: attempts[-1]
        for name, attempts in known.items()
        if name in found and attempts[-1].outcome in (Outcome.DELIVERED, Outcome.RETRY)
    }
    for name, last in alive.items():
        if ids:
            click.echo(f"{name} is left out: {_what_became(last)}.")
    if alive and not ids:
        click.echo(f"{amount(len(alive), 'delivery is', 'deliveries are')} left out: delivered since, or waiting for an attempt.")
    return _not_waiting(where, [one for name, one in found.items() if name not in alive], named=bool(ids))


def _not_waiting(where: Operating, dead: list[DeadDelivery], *, named: bool) -> list[DeadDelivery]:
    """Those that have not been handed to the sinks already, oldest first. Of the others is said that they wait."""
    from changecast.deliveries.parcels import waiting

    with progress("looking for those that wait already"):
        wait = asked(where.cluster, waiting(where.cluster, dead)) if dead else set()
    for name in sorted(wait) if named else ():
        click.echo(f"{name} is left out: it has been handed to the sinks already, and waits.")
    if wait and not named:
        click.echo(f"{amount(len(wait), 'delivery is', 'deliveries are')} left out: handed to the sinks already, and waiting.")
    return sorted((one for one in dead if one.webhook_id not in wait), key=lambda one: one.at)


def _why_not_dead(webhook_id: str, known: dict[str, list[Attempt]]) -> str:
    for name, attempts in known.items():
        if name.startswith(webhook_id):
            last = attempts[-1]
            if last.outcome in ("dead", "disabled"):
                return f"{webhook_id} ended at {utc(last.at)}, but its event is not in the dead topic"
            return f"{webhook_id} is not dead: {_what_became(last)}. `changecast replay` sends again what was delivered"
    return f"there is no dead delivery {webhook_id}: `changecast deliveries list --outcome dead --since 7d` lists them"


def _what_became(last: Attempt) -> str:
    if last.next_at is not None:
        overdue = last.next_at < datetime.now(UTC)
        return f"its attempt {last.attempt + 1} {'was' if overdue else 'is'} due at {utc(last.next_at)}"
    return f"it was delivered at {utc(last.at)}" if last.outcome == "delivered" else f"it is {last.outcome}"
