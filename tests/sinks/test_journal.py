"""Records of attempts, written in whole batches."""

from __future__ import annotations

import orjson

from runtime.clock import SystemClock
from sinks.journal import Journal
from tests.sinks.worlds import World


async def test_records_stand_in_order_where_kafkas_own_clients_would_put_them_in_however_many_batches(world: World) -> None:
    topic, count = world.cluster.topics.deliveries, 500
    names = [f"hook-{number}" for number in range(5)]
    async with world.cluster.producer() as producer:
        usual = {name: (await producer.send_and_wait(topic.name, b"{}", key=name.encode())).partition for name in names}
    async with world.cluster.producer(max_batch_size=4_000) as producer:
        journal = Journal(producer, topic, SystemClock())
        for number in range(count):
            # one record is larger than a batch
            journal.write(names[number % 5], {"number": number, "answer": "x" * (9_000 if number == 77 else 40)})
        await journal.flush()
    found: dict[str, list[int]] = {}
    for record in await world.records(topic.name):
        name = record.key.decode()
        assert record.partition == usual[name]
        if (number := orjson.loads(record.value).get("number")) is not None:
            found.setdefault(name, []).append(number)
    assert found == {name: list(range(index, count, 5)) for index, name in enumerate(names)}
    assert journal.lost == 0
