"""A backfill as people see it: a bar for each feed, and what came of it."""

from __future__ import annotations

import sys

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from changecast.asking import asked
from changecast.operating import Operating
from changecast.provider.borrowing import borrowing, holder_name
from producers.backfill import Done, Range, backfill
from producers.lending import MOST_LENT, cost, polling_rate
from runtime.amounts import amount
from runtime.outbound import Outbound
from runtime.rate import RateLimit
from runtime.topics import ensure_topics
from schemas.loan import Loan

SHARE = 1 / 3
"""Of what polling has, which does without it meanwhile."""
_QUARTERS = 4


def run_backfill(where: Operating, provider: str, span: Range, feeds: tuple[str, ...], rate: float | None) -> None:
    """Read the range and print the counts. Raises what `backfill` raises, and ValueError for a rate that polling can't do without."""
    settings = where.config.providers.configured()[provider]
    share = polling_rate(settings)
    limit = RateLimit(rate if rate is not None else share * SHARE)
    if cost(limit.rate, share) > MOST_LENT * share:
        raise ValueError(f"polling has {share:g} requests/s and leaves at most {MOST_LENT * share:g} of them, not {limit.rate:g}")
    click.echo(f"{provider} from {span.since:%Y-%m-%d %H:%M} to {span.until:%Y-%m-%d %H:%M} (UTC), {limit.rate:g} requests/s")
    display = _Display(provider, span, limit)

    async def run() -> list[Done]:
        await ensure_topics(where.cluster, [*where.cluster.topics.common(), *where.cluster.topics.of_provider(provider)])
        loan = Loan(provider=provider, holder=holder_name("backfill"), rate=limit.rate)
        return await borrowing(where.cluster, loan, read, lambda text: click.echo(text, err=True))

    async def read() -> list[Done]:
        outbound = Outbound.of(where.config.network)
        return await backfill(
            where.cluster, provider, settings, span, rate=limit, feeds=feeds, on_progress=display.show, outbound=outbound
        )

    with display:
        done = asked(where.cluster, run())
    for feed in done:
        broken = f", {feed.broken} unreadable (see `changecast dead list`)" if feed.broken else ""
        click.echo(f"{provider}:{feed.feed}  {amount(feed.events, 'change')} read{broken}")
        if feed.left:
            click.echo(f"{provider}:{feed.feed}  incomplete from {feed.read_to:%Y-%m-%d %H:%M} on: {feed.left}", err=True)
    click.echo(f"{amount(limit.spent, 'request')}. What was published already is dropped by dedupe.")


class _Display:
    """Bars on a terminal; elsewhere a line a quarter, for a log."""

    def __init__(self, provider: str, span: Range, limit: RateLimit) -> None:
        self._provider = provider
        self._span = span
        self._limit = limit
        self._tasks: dict[str, TaskID] = {}
        self._quarters: dict[str, int] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> None:
        self._bars.start()

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, done: Done) -> None:
        part = (done.read_to - self._span.since) / (self._span.until - self._span.since)
        counts = f"{amount(done.events, 'change')}, {amount(self._limit.spent, 'request')}"
        name = f"{self._provider}:{done.feed}"
        if self._bars.disable:
            quarter = int(part * _QUARTERS)
            if quarter > self._quarters.get(done.feed, 0):
                self._quarters[done.feed] = quarter
                click.echo(f"  {name}  up to {done.read_to:%Y-%m-%d %H:%M}: {counts}")
            return
        if done.feed not in self._tasks:
            self._tasks[done.feed] = self._bars.add_task(name, total=1.0, counts="")
        self._bars.update(self._tasks[done.feed], completed=part, counts=counts)
