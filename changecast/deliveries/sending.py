"""What the commands about deliveries have in common: finding them by name, and whether what they send again would arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from changecast.asking import asked
from changecast.options import progress

if TYPE_CHECKING:
    from changecast.operating import Operating
    from runtime.kafka import Cluster
    from schemas.delivery import Attempt

NAMED = 10
"""So many are named one by one."""


def named_deliveries(where: Operating, ids: tuple[str, ...]) -> dict[str, list[Attempt]]:
    """The attempts of each delivery whose webhook-id begins with one of `ids`. Raises UsageError when one is no webhook-id."""
    from changecast.deliveries.attempts import NotAnId, of_deliveries

    try:
        with progress("reading the deliveries") as report:
            return asked(where.cluster, of_deliveries(where.cluster, ids, report))
    except NotAnId as error:
        raise click.UsageError(str(error)) from None


def sendable(where: Operating, names: set[str], *, strict: bool) -> set[str]:
    """Those of the subscriptions that would get what is sent. Of the others is said why not; raises ClickException when `strict`."""
    from changecast.deliveries.endpoints import endpoint_states

    states = asked(where.cluster, endpoint_states(where.cluster)) if names else {}
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


def warn_when_nobody_delivers(cluster: Cluster) -> None:
    from changecast.deliveries.endpoints import sinks_run

    if not asked(cluster, sinks_run(cluster)):
        click.echo("No sinks worker runs: they go out when one does (`changecast up`, or `changecast worker sinks`).", err=True)
