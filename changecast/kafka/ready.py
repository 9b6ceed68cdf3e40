"""Whether the broker answers: by Kafka's own protocol, since a port is open before there is anything behind it."""

from __future__ import annotations

import asyncio
import contextlib

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from changecast.kafka.login import Login
from runtime.kafka import Cluster
from schemas.config import Kafka

_GROUPS, _TRANSACTIONS = 0, 1
_ANSWER_TIMEOUT = 5.0  # seconds for one question


async def cluster_at(port: int, login: Login | None = None) -> str | None:
    """The id of the Kafka cluster that answers on this port of 127.0.0.1 and has a broker to offer; None while there is none."""
    if not await _accepts(port):  # asked first, because aiokafka logs an error for each refused connection
        return None
    settings = Kafka(bootstrap_servers=f"127.0.0.1:{port}")
    connection = Cluster(settings if login is None else login.applied(settings)).connection()
    admin = AIOKafkaAdminClient(**connection, request_timeout_ms=int(_ANSWER_TIMEOUT * 1000))
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT):
            await admin.start()
            answer = await admin.describe_cluster()
            for kind in (_GROUPS, _TRANSACTIONS):
                # their topics are made when first asked for, and until then every consumer group and transaction is refused
                await admin.find_coordinator("changecast", kind)
    except (KafkaError, TimeoutError, OSError):
        return None
    finally:
        await admin.close()
    return str(answer["cluster_id"]) if answer["brokers"] and answer["controller_id"] >= 0 else None


async def _accepts(port: int) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
