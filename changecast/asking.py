"""A command's work on Kafka, watched: a cluster that goes away meanwhile ends it with a message. aiokafka itself would ask for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from runtime.kafka import Cluster

T = TypeVar("T")

AWAY_S = 15.0
"""A broker that is started again, or that is busy, has answered by then."""
LOOKED_EVERY_S = 5.0
_CLEANED_UP_S = 3.0
"""So long may clients take to close that have nobody to say goodbye to."""


def asked(cluster: Cluster, work: Coroutine[Any, Any, T]) -> T:
    """What the work returns. Raises what it raises, and ClickException when the cluster answers no more."""
    return asyncio.run(_watched(cluster, work))


async def _watched(cluster: Cluster, work: Coroutine[Any, Any, T]) -> T:
    from runtime.kafka import REMEDY, is_away

    working = asyncio.create_task(work)
    watching = asyncio.create_task(_until_away(cluster))
    try:
        await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            watching.result()
        return working.result()
    except Exception as error:
        if not is_away(error):
            raise
        raise click.ClickException(f"Kafka at {cluster.bootstrap_servers} answers no more: {REMEDY}") from None
    finally:
        watching.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait([working], timeout=_CLEANED_UP_S)


async def _until_away(cluster: Cluster) -> None:
    """Raises KafkaAway once the cluster has not answered for a while; returns never."""
    while True:
        await asyncio.sleep(LOOKED_EVERY_S)
        await cluster.wait_ready(AWAY_S)
