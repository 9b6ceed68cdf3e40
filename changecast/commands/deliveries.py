"""`changecast deliveries`: every attempt of the last seven days, one delivery in full, and sending again what is dead."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from changecast.asking import asked
from changecast.deliveries.retry import retry
from changecast.deliveries.sending import NAMED, named_deliveries
from changecast.options import Listing, Moment, echo_json, output, places, progress, subscription_of, utc, where_of

if TYPE_CHECKING:
    from changecast.deliveries.attempts import Filter
    from changecast.deliveries.tables import Widths
    from runtime.kafka import Cluster

_OUTCOMES = ("delivered", "retry", "dead", "disabled")


@click.group(
    "deliveries",
    cls=Listing,
    short_help="See every attempt and its outcome, send again what is dead.",
    epilog="""\b
    Examples:
      changecast deliveries
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
    from changecast.deliveries.tables import attempts_table, beginning, widths
    from schemas.delivery import Outcome

    where = where_of(config, data_dir)
    chosen = Filter(subscription, None if outcome is None else Outcome(outcome))
    with progress("reading the deliveries") as report:
        found = asked(where.cluster, newest(where.cluster, Span(since), chosen, limit, report))
    if not found.count and subscription is not None:
        subscription_of(where.config, subscription)
    console = output()
    columns = widths(found.newest, console.width if sys.stdout.isatty() else None)
    if as_json:
        for attempt in found.newest:
            echo_json(attempt.model_dump(mode="json"))
    elif follow:
        console.print(beginning(found, columns))
    elif found.count or found.unreadable:
        console.print(attempts_table(found, columns))
    else:
        what = "Nothing was delivered" if outcome is None else f"No attempt with the outcome {outcome}"
        click.echo(f"{what} since {utc(since)}.")
    if follow:
        asked(where.cluster, _follow(where.cluster, chosen, None if as_json else columns))


async def _follow(cluster: Cluster, chosen: Filter, columns: Widths | None) -> None:
    """`columns` None: as JSON."""
    from changecast.deliveries.attempts import follow
    from changecast.deliveries.tables import attempt_line

    console = output()
    sys.stdout.flush()  # what there was already: it may be long until something comes
    async for attempt in follow(cluster, chosen, lambda: None):
        if columns is None:
            echo_json(attempt.model_dump(mode="json"))
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
    from changecast.deliveries.tables import delivery

    where = where_of(config, data_dir)
    found = named_deliveries(where, (webhook_id,))
    if not found:
        raise click.ClickException(
            f"no delivery {webhook_id} in the last 7 days: `changecast deliveries list --since 7d` lists them"
        )
    if len(found) > 1:
        raise click.ClickException(f"{webhook_id} begins {len(found)} deliveries: {', '.join(list(found)[:NAMED])}")
    (attempts,) = found.values()
    if as_json:
        echo_json([attempt.model_dump(mode="json") for attempt in attempts], indented=True)
        return
    console = output()
    console.print(delivery(attempts, console.width))


command.add_command(retry)
