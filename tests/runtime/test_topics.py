from __future__ import annotations

import pytest

from runtime import topics
from runtime.kafka import Cluster
from schemas.config.models import Kafka


async def test_topics_that_kafka_never_comes_to_know_are_named(
    bootstrap_servers: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "_PROPAGATION_S", 0.2)
    cluster = Cluster(Kafka(bootstrap_servers=bootstrap_servers))
    async with cluster.admin() as admin:
        with pytest.raises(TimeoutError, match=rf"Kafka doesn't know these topics: {topic_prefix}\.absent"):
            await topics._known_partitions(admin, [f"{topic_prefix}.absent"])
