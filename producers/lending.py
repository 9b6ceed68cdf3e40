"""What polling leaves to an operator's command: a backfill or a resync spends out of polling's share, not beside it.

The command writes that it needs so many requests a second, and writes it again while it runs. The worker that polls reads it,
lowers its own rate by as much, and says in the feeds' status to whom it lends. Only then the command begins. One that was killed is
forgotten after a while. A worker that takes over reads what is lent before it polls.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from runtime.clock import Clock, SystemClock
from runtime.kafka import Cluster
from runtime.rate import RateLimit
from schemas.config.providers import Provider
from schemas.loan import Loan, is_loan_key

log = logging.getLogger(__name__)

MOST_LENT = 0.75
"""Of polling's share: the newest changes go on being read, if more slowly."""

KEPT_S = 30.0
"""A loan that has not been renewed for so long is over."""

_POLL_MS = 1_000
_AWAY_S = 5.0


def polling_rate(settings: Provider) -> float:
    """Requests/s that polling has of a provider's budget."""
    return settings.rate * (1 - settings.enrichment_share)


def cost(asked: float, share: float) -> float:
    """What a share of requests/s must give up for `asked` of them. Less than one a second is still one in some second."""
    return max(asked, 1.0) if share >= 2 else asked


class LoanBook:
    """The loans of one provider, in the order in which they were asked for. Those that fit are granted, the others wait."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._loans: dict[str, tuple[Loan, float]] = {}

    def note(self, loan: Loan, at: float) -> None:
        """It was asked for, or renewed; `at` in monotonic seconds."""
        self._loans[loan.holder] = loan, at

    def end(self, holder: str) -> None:
        self._loans.pop(holder, None)

    def expire(self, now: float) -> None:
        self._loans = {holder: (loan, at) for holder, (loan, at) in self._loans.items() if now - at <= KEPT_S}

    @property
    def granted(self) -> list[Loan]:
        found: list[Loan] = []
        for loan, _ in self._loans.values():
            if sum(cost(one.rate, self._share) for one in [*found, loan]) <= MOST_LENT * self._share:
                found.append(loan)
        return found

    @property
    def rate(self) -> float:
        """What is left for polling."""
        return self._share - sum(cost(loan.rate, self._share) for loan in self.granted)


class Lending:
    """Keeps the rates of the worker that polls in step with what is lent. `begin`, then `run` until cancelled."""

    def __init__(
        self, cluster: Cluster, rates: Mapping[str, RateLimit], on_change: Callable[[], None], clock: Clock | None = None
    ) -> None:
        self._cluster = cluster
        self._rates = rates
        self._on_change = on_change
        self._clock = clock or SystemClock()
        self._books = {provider: LoanBook(limit.rate) for provider, limit in rates.items()}
        self._position: int | None = None

    def lent_to(self, provider: str) -> list[str]:
        return [loan.holder for loan in self._books[provider].granted]

    async def begin(self) -> None:
        """Read what is lent already. Raises KafkaError."""
        await self._follow(to_end=True)

    async def run(self) -> None:
        while True:
            try:
                await self._follow(to_end=False)
            except (KafkaError, ConnectionError) as error:
                log.info("what is lent can't be read: %s", error)
                await asyncio.sleep(_AWAY_S)

    async def _follow(self, *, to_end: bool) -> None:
        [partition] = [TopicPartition(self._cluster.topics.cursors.name, 0)]
        consumer = self._cluster.consumer(group_id=None)
        await consumer.start()
        try:
            consumer.assign([partition])
            if self._position is None:
                await consumer.seek_to_beginning(partition)
            else:
                consumer.seek(partition, self._position)
            end = (await consumer.end_offsets([partition]))[partition]
            while not to_end or await consumer.position(partition) < end:
                await self._take(consumer, partition)
        finally:
            await consumer.stop()

    async def _take(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        records = (await consumer.getmany(timeout_ms=_POLL_MS)).get(partition, [])
        self._position = await consumer.position(partition)
        now = self._clock.monotonic()
        for record in records:
            if is_loan_key(record.key):
                try:
                    self._note(record.key, record.value, now)
                except ValueError as error:
                    log.warning("%s@%d is no loan, and lends nothing: %s", record.topic, record.offset, error)
        if records:
            # the feeds' own status comes by every few seconds: where nothing does, renewals would not be seen either
            for book in self._books.values():
                book.expire(now)
        self._apply()

    def _note(self, key: bytes, value: bytes | None, now: float) -> None:
        """Raises ValueError on a record that is no loan."""
        if value is None:
            provider, holder, _ = key.decode().split(":")
            if provider in self._books:
                self._books[provider].end(holder)
            return
        loan = Loan.model_validate_json(value)
        if loan.provider in self._books:
            self._books[loan.provider].note(loan, now)

    def _apply(self) -> None:
        for provider, book in self._books.items():
            limit = self._rates[provider]
            if limit.rate != book.rate:
                limit.set_rate(book.rate)
                lent = ", ".join(self.lent_to(provider)) or "nobody"
                log.info("%s: polling has %g requests/s now; it lends to %s", provider, round(book.rate, 3), lent)
                self._on_change()
