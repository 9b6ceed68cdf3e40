"""Connections to Kafka: the config's `kafka` section as clients that are set up alike everywhere."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, Self

from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, NodeNotReadyError, RequestTimedOutError

from runtime.clients import AdminClient, Consumer, Producer
from schemas.config import Kafka
from schemas.topics import MAX_RECORD_BYTES, Topics

BOOTSTRAP_VARIABLE = "CHANGECAST_BOOTSTRAP_SERVERS"
"""Set by `changecast up` for its workers: the embedded broker's address, which may be on a port picked at start."""

SESSION_TIMEOUT_MS = 10_000
"""A killed worker's partitions go to another after this. The default of 45 s makes every restart wait for as long."""
HEARTBEAT_MS = 3_000
TRANSACTION_TIMEOUT_MS = 60_000
REMEDY = "is it running? (kafka.bootstrap_servers in the config; `changecast kafka start` runs one here)"
LOGIN_REMEDY = (
    "are kafka.security_protocol and kafka.sasl_… those that it asks for? (of a broker that has just started: try again)"
)
_CONNECT_S = 2.0

Isolation = Literal["read_committed", "read_uncommitted"]


class KafkaAway(ConnectionError):
    """The cluster does not answer. The message names its address and the remedy."""


def is_away(error: BaseException) -> bool:
    """Whether an error, or all errors of a group, say no more than that a cluster does not answer."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_away, error.exceptions))
    return isinstance(error, KafkaAway | KafkaConnectionError | KafkaTimeoutError | NodeNotReadyError | RequestTimedOutError)


class Cluster:
    """Makes clients of one Kafka cluster."""

    def __init__(self, settings: Kafka, bootstrap_servers: str | None = None) -> None:
        self.settings = settings
        self.bootstrap_servers = (
            bootstrap_servers
            or settings.bootstrap_servers
            or os.environ.get(BOOTSTRAP_VARIABLE)
            or f"127.0.0.1:{settings.embedded_port}"
        )

    @classmethod
    def at(cls, bootstrap_servers: str, prefix: str = "changecast", partitions: int = 4) -> Self:
        """A cluster without security, for tests and benches."""
        settings = Kafka(bootstrap_servers=bootstrap_servers, topic_prefix=prefix, partitions=partitions)
        return cls(settings)

    @property
    def topics(self) -> Topics:
        return self.settings.topics

    def connection(self) -> dict[str, Any]:
        """The arguments that every aiokafka client takes."""
        settings = self.settings
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": settings.security_protocol,
        }
        if settings.sasl_mechanism is not None:
            arguments["sasl_mechanism"] = settings.sasl_mechanism
            arguments["sasl_plain_username"] = settings.sasl_plain_username
            if settings.sasl_plain_password is not None:
                arguments["sasl_plain_password"] = settings.sasl_plain_password.get_secret_value()
        if (context := self.ssl_context()) is not None:
            arguments["ssl_context"] = context
        return arguments

    def ssl_context(self) -> ssl.SSLContext | None:
        settings = self.settings
        if settings.security_protocol not in ("SSL", "SASL_SSL"):
            return None
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
        if settings.ssl_certfile is not None:
            password = settings.ssl_password.get_secret_value() if settings.ssl_password else None
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password)
        return context

    def producer(self, **options: Any) -> Producer:
        """An idempotent producer: a retry of its own never repeats a record."""
        return Producer(**{"enable_idempotence": True, "max_request_size": MAX_RECORD_BYTES, **self.connection(), **options})

    def transactional_producer(self, transactional_id: str, **options: Any) -> Producer:
        """Its start fences whoever used the id before, and settles what that one left open."""
        return Producer(
            **{
                "transactional_id": transactional_id,
                "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS,
                "max_request_size": MAX_RECORD_BYTES,
                **self.connection(),
                **options,
            }
        )

    def consumer(self, *topics: str, isolation: Isolation = "read_committed", **options: Any) -> Consumer:
        """A consumer that commits only when told to."""
        return Consumer(
            *topics,
            **{
                "enable_auto_commit": False,
                "isolation_level": isolation,
                "auto_offset_reset": "earliest",
                "session_timeout_ms": SESSION_TIMEOUT_MS,
                "heartbeat_interval_ms": HEARTBEAT_MS,
                **self.connection(),
                **options,
            },
        )

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AdminClient]:
        client = AdminClient(**self.connection())
        await client.start()
        try:
            yield client
        finally:
            await client.close()

    async def wait_ready(self, timeout_s: float = 60.0, waiting: Callable[[str], None] = lambda _: None) -> None:
        """Return when the cluster answers. `waiting` is told once, in words, where it does not at first. Raises KafkaAway."""
        told = False
        try:
            async with asyncio.timeout(timeout_s):
                while not await self._answers():
                    if not told:
                        waiting(f"no Kafka at {self.bootstrap_servers} yet, waiting up to {timeout_s:g} s for it: {REMEDY}")
                        told = True
                    await asyncio.sleep(0.25)
        except TimeoutError:
            raise KafkaAway(await self._why_away(timeout_s)) from None

    async def _why_away(self, timeout_s: float) -> str:
        """aiokafka gives one error for a broker that is not there, and for one that refuses the login."""
        for server in self.bootstrap_servers.split(","):
            host, _, port = server.strip().rpartition(":")
            try:
                async with asyncio.timeout(_CONNECT_S):
                    _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            except (OSError, TimeoutError):
                continue
            writer.close()
            return f"{server.strip()} takes connections, but gave this client no answer of Kafka's within {timeout_s:g} s: {LOGIN_REMEDY}"
        return f"no Kafka at {self.bootstrap_servers} within {timeout_s:g} s: {REMEDY}"

    async def _answers(self) -> bool:
        try:
            async with self.admin() as admin:
                await admin.describe_cluster()
        except KafkaError as error:
            if not is_away(error):
                raise
            return False
        return True
