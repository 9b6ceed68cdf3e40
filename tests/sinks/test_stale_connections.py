"""A connection that the receiver closes while it is idle costs no delivery an attempt, and none is sent twice for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from runtime.clock import SystemClock
from runtime.outbound import Outbound
from runtime.rate import RateLimit
from schemas.config import Network
from schemas.delivery import ErrorClass, Outcome
from sinks import client as client_module
from sinks.answer import Meaning
from sinks.client import Paced, plain_answer
from tests.authority import Authority
from tests.raw_answers import Answering, raw_receiving
from tests.sinks.test_client import client_of
from tests.sinks.worlds import World, change_event, config_of, until, webhook

_FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _dying(*numbers: int, how: Callable[[asyncio.StreamWriter], None], after: float = 0.0, said: bytes = b"") -> Answering:
    """Takes the requests with these numbers and ends their connection without an answer; all others are fine."""

    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number not in numbers:
            writer.write(_FINE)
            return
        writer.write(said)
        await writer.drain()
        await asyncio.sleep(after)
        how(writer)

    return answer


@pytest.mark.parametrize("how", [_close, _reset])
async def test_a_reused_connection_that_ends_at_once_is_replaced_by_a_new_one(
    how: Callable[[asyncio.StreamWriter], None],
) -> None:
    async with raw_receiving(_dying(1, how=how)) as receiver, client_of(timeout="5s") as client:
        first = await client.post(receiver.url, b"1", {})
        second = plain_answer(await client.post(receiver.url, b"2", {}))
        third = await client.post(receiver.url, b"3", {})
    assert (first.note, third.note) == (None, None)
    assert second.meaning is Meaning.DELIVERED
    assert second.note == "the receiver had closed the idle connection: sent again on a new one"
    assert receiver.requests == [b"1", b"2", b"2", b"3"]
    assert receiver.connections[:3] == [0, 0, 1]


@pytest.mark.parametrize("how", [_close, _reset])
async def test_the_same_holds_over_tls(tmp_path: Path, how: Callable[[asyncio.StreamWriter], None]) -> None:
    authority = Authority(tmp_path)
    outbound = Outbound.of(Network.model_validate({"ca": authority.pem}))
    async with (
        raw_receiving(_dying(0, 2, how=how), authority.server()) as receiver,
        client_of(timeout="5s", outbound=outbound) as client,
    ):
        answers = [plain_answer(await client.post(receiver.url, b"%d" % number, {})) for number in range(3)]
    assert [answer.meaning for answer in answers] == [Meaning.FAILED, Meaning.DELIVERED, Meaning.DELIVERED]
    assert [answer.note is None for answer in answers] == [True, True, False]
    assert receiver.requests == [b"0", b"1", b"2", b"2"]


@pytest.mark.parametrize("how", [_close, _reset])
async def test_a_new_connection_that_ends_is_a_failed_attempt(how: Callable[[asyncio.StreamWriter], None]) -> None:
    async with raw_receiving(_dying(0, how=how)) as receiver, client_of(timeout="5s") as client:
        answer = plain_answer(await client.post(receiver.url, b"1", {}))
    assert (answer.meaning, answer.error_class, answer.note) == (Meaning.FAILED, ErrorClass.CONNECTION, None)
    assert receiver.requests == [b"1"]


async def test_it_is_sent_again_once() -> None:
    async with raw_receiving(_dying(1, 2, how=_close)) as receiver, client_of(timeout="5s") as client:
        await client.post(receiver.url, b"1", {})
        answer = plain_answer(await client.post(receiver.url, b"2", {}))
    assert (answer.meaning, answer.error_class) == (Meaning.FAILED, ErrorClass.CONNECTION)
    assert answer.note
    assert receiver.requests == [b"1", b"2", b"2"]


async def test_the_new_connection_is_none_of_the_other_idle_ones() -> None:
    """All of them may have been closed in the same moment."""
    both = asyncio.Event()

    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number < 2:
            if number == 1:
                both.set()
            await both.wait()
            writer.write(_FINE)
        elif number == 2:
            writer.close()
        else:
            writer.write(_FINE)

    async with raw_receiving(answer) as receiver, client_of(timeout="5s") as client:
        await asyncio.gather(client.post(receiver.url, b"1", {}), client.post(receiver.url, b"2", {}))
        reply = await client.post(receiver.url, b"3", {})
    assert reply.status == 200
    assert receiver.connections[3] == 2


async def test_a_reused_connection_that_ends_late_or_after_some_bytes_is_a_failed_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runtime.wire._STALE_S", 0.1)
    for receiving in (
        raw_receiving(_dying(1, how=_close, after=0.3)),
        raw_receiving(_dying(1, how=_close, said=b"HTTP/1.1 ")),
        raw_receiving(_dying(1, how=_reset, after=0.02, said=b"HTTP/1.1 5")),
    ):
        async with receiving as receiver, client_of(timeout="5s") as client:
            await client.post(receiver.url, b"1", {})
            answer = plain_answer(await client.post(receiver.url, b"2", {}))
        assert (answer.meaning, answer.note) == (Meaning.FAILED, None)
        assert receiver.requests == [b"1", b"2"]


async def test_the_second_request_needs_leave_of_the_rate_and_gets_it_within_the_timeout_only() -> None:
    async with raw_receiving(_dying(1, how=_close)) as receiver, client_of(timeout="500ms") as client:
        rate = RateLimit(0.01, SystemClock())
        paced = Paced(client, rate)
        async with rate.request():
            await paced.post(receiver.url, b"1", {})
            answer = plain_answer(await paced.post(receiver.url, b"2", {}))
    assert (answer.meaning, answer.error) == (Meaning.FAILED, "the receiver had closed the idle connection")
    assert receiver.requests == [b"1", b"2"]

    async with raw_receiving(_dying(1, how=_close)) as receiver, client_of(timeout="5s") as client:
        rate = RateLimit(5, SystemClock())
        paced = Paced(client, rate)
        async with rate.request():
            await paced.post(receiver.url, b"1", {})
            answer = plain_answer(await paced.post(receiver.url, b"2", {}))
        assert rate.spent == 2
    assert (answer.meaning, receiver.requests) == (Meaning.DELIVERED, [b"1", b"2", b"2"])


async def test_the_second_request_goes_past_the_guard() -> None:
    async with raw_receiving(_dying(1, how=_close)) as receiver, client_of(timeout="5s") as client:
        await client.post(receiver.url, b"1", {})
        async with client_of(allow=[]) as guarded:
            own = guarded._direct
            guarded._direct = own._replace(kept=client._direct.kept)  # the idle connection, and new ones by its own guard
            answer = plain_answer(await guarded.post(receiver.url, b"2", {}))
            guarded._direct = own
    assert (answer.meaning, answer.error_class) == (Meaning.FAILED, ErrorClass.ADDRESS_REFUSED)
    assert receiver.requests == [b"1", b"2"]


async def test_idle_connections_are_closed_before_common_servers_close_them() -> None:
    async with client_of() as client:
        connector = client._direct.kept.connector
        assert connector is not None
        assert connector._keepalive_timeout == client_module._KEEPALIVE_S < 5


@contextlib.asynccontextmanager
async def _closing_every_second() -> AsyncIterator[tuple[str, list[bytes]]]:
    async with raw_receiving(_dying(*range(1, 100, 3), how=_close)) as receiver:
        yield receiver.url, receiver.requests


async def test_the_attempt_on_record_says_so(world: World) -> None:
    async with _closing_every_second() as (url, requests):
        async with world.working(config_of(webhook("hook", url, concurrency=1))):
            await world.publish(change_event(1))
            await until(lambda: len(requests) == 1)
            await world.publish(change_event(2))
            await until(lambda: len(requests) == 3)
        attempts = await world.attempts()
        records = await world.records(world.cluster.topics.deliveries.name)
    assert [b'"note"' in record.value for record in records] == [False, True]  # older versions refuse fields that they don't know
    assert [(one.outcome, one.attempt) for one in attempts] == [(Outcome.DELIVERED, 1)] * 2
    assert [one.note for one in attempts] == [None, "the receiver had closed the idle connection: sent again on a new one"]
