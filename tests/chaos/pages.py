"""Pages of records, each in a transaction of its own, written to a broker that goes away now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runtime.kafka import Cluster

ABORTED = 0.05
"""Share of the pages whose transaction is aborted, as at a kill of the writer."""
_WITHIN_S = 30.0
_AGAIN_S = 0.3

Record = tuple[bytes, bytes, list[tuple[str, bytes]]]
"""Key, value, headers."""


class Pages:
    """One writer into one topic."""

    def __init__(self, cluster: Cluster, topic: str, name: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._name = f"{cluster.topics.prefix}-{name}"
        self._producer: AIOKafkaProducer | None = None

    async def write(self, page: Iterable[Record], *, abort: bool) -> bool:
        """Whether the page is known to be committed. When it is not, it may be there all the same, unless it was to be aborted."""
        try:
            async with asyncio.timeout(_WITHIN_S):
                producer = await self._started()
                await producer.begin_transaction()
                sent = [await producer.send(self._topic, value, key=key, headers=headers or None) for key, value, headers in page]
                await asyncio.gather(*sent)
                if abort:
                    await producer.abort_transaction()
                else:
                    await producer.commit_transaction()
        except (KafkaError, TimeoutError):
            # in doubt: a new producer of the same id settles the transaction
            left, self._producer = self._producer, None
            if left is not None:
                with suppress(TimeoutError, KafkaError):
                    await asyncio.wait_for(left.stop(), 5)
            await asyncio.sleep(_AGAIN_S)
            return False
        return not abort

    async def close(self) -> None:
        if self._producer is not None:
            with suppress(TimeoutError, KafkaError):
                await asyncio.wait_for(self._producer.stop(), 10)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = self._cluster.transactional_producer(self._name)
            await producer.start()
            self._producer = producer
        return self._producer
