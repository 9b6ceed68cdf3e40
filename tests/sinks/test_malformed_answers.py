"""Answers that are no valid HTTP behind their status line. For 2xx that line decides; and no connection is used again after one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.outbound import Outbound
from runtime.wire import StatusLine
from schemas.config import Delivery, Network
from schemas.delivery import ErrorClass
from sinks.answer import Answer, Meaning
from sinks.client import Client, Reply, plain_answer
from sinks.slack import answer_of as slack_answer
from tests.authority import Authority
from tests.raw_answers import MALFORMED, ODD, answer_of, raw_receiving, saying
from tests.sinks.test_client import LOOPBACK, client_of


@contextlib.asynccontextmanager
async def client(**settings: object) -> AsyncIterator[Client]:
    made = Client(Delivery.model_validate({"timeout": "5s", **settings}), LOOPBACK)
    try:
        yield made
    finally:
        await made.aclose()


async def _answer(kind: str, status: int) -> Answer:
    async with raw_receiving(saying(answer_of(kind, status))) as receiver, client() as posting:
        reply = await posting.post(f"{receiver.url}/secret", b"{}", {})
        assert len(receiver.requests) == 1
    return plain_answer(reply)


def test_there_are_at_least_31_kinds() -> None:
    assert len(MALFORMED) >= 31


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize("kind", [*MALFORMED, *ODD])
async def test_for_2xx_the_status_line_decides(kind: str, status: int) -> None:
    answer = await _answer(kind, status)
    assert (answer.meaning, answer.status, answer.address) == (Meaning.DELIVERED, status, "127.0.0.1")


async def test_the_same_holds_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    outbound = Outbound.of(Network.model_validate({"ca": authority.pem}))
    tls = authority.server()
    async with client_of(timeout="5s", outbound=outbound) as posting:
        for kind in MALFORMED:
            async with raw_receiving(saying(answer_of(kind, 200)), tls) as receiver:
                reply = await posting.post(receiver.url, b"{}", {})
                assert (reply.status, len(receiver.requests)) == (200, 1), kind


_READABLE = {"a second answer", "bytes after the body, later"}
"""Answers that are whole: what is wrong comes behind them."""


@pytest.mark.parametrize("kind", sorted(MALFORMED.keys() - _READABLE))
async def test_a_malformed_410_is_a_failed_attempt_and_ends_no_endpoint(kind: str) -> None:
    answer = await _answer(kind, 410)
    assert answer.meaning is Meaning.FAILED
    assert answer.error
    assert "secret" not in answer.error


@pytest.mark.parametrize("kind", sorted(ODD))
async def test_a_strange_410_that_is_http_still_ends_the_endpoint(kind: str) -> None:
    assert (await _answer(kind, 410)).meaning is Meaning.GONE


@pytest.mark.parametrize("kind", sorted(MALFORMED))
async def test_a_malformed_503_has_failed(kind: str) -> None:
    answer = await _answer(kind, 503)
    assert answer.meaning is Meaning.FAILED
    assert answer.error_class in (ErrorClass.PROTOCOL, ErrorClass.STATUS, ErrorClass.CONNECTION)


@pytest.mark.parametrize("kind", sorted(MALFORMED))
async def test_no_connection_is_used_again_after_a_malformed_answer(kind: str) -> None:
    """The receiver leaves each connection open, and says more only when asked again."""
    packets = answer_of(kind, 200)
    may_go_on = asyncio.Event()

    async def open_ended(number: int, writer: asyncio.StreamWriter) -> None:
        for packet in packets if number == 0 else answer_of("no reason", 500):
            writer.write(packet)
            await writer.drain()
            await asyncio.sleep(0.005)  # a packet of its own
        may_go_on.set()

    async with raw_receiving(open_ended) as receiver, client(timeout="1500ms") as posting:
        first = plain_answer(await posting.post(receiver.url, b"1", {}))
        await may_go_on.wait()
        second = plain_answer(await posting.post(receiver.url, b"2", {}))
    assert (first.meaning, first.status) == (Meaning.DELIVERED, 200)
    assert (second.meaning, second.status) == (Meaning.FAILED, 500)
    assert (receiver.requests, receiver.connections) == ([b"1", b"2"], [0, 1])


@pytest.mark.parametrize("status", [204, 304])
async def test_a_body_where_none_may_be_is_nobodys_next_answer(status: int) -> None:
    def bodied(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %d None\r\nContent-Length: 38\r\n\r\n" % (status if number == 0 else 500))
        asyncio.get_running_loop().call_later(0.05, writer.write, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with raw_receiving(bodied) as receiver, client() as posting:
        first = await posting.post(receiver.url, b"1", {})
        second = await posting.post(receiver.url, b"2", {})
    assert (first.status, second.status, receiver.connections) == (status, 500, [0, 1])


async def test_an_answer_that_comes_unasked_on_an_idle_connection_is_nobodys() -> None:
    unasked = asyncio.Event()

    async def twice(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %d OK\r\nContent-Length: 0\r\n\r\n" % (200 if number == 0 else 503))
        if number == 0:
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
            unasked.set()

    async with raw_receiving(twice) as receiver, client() as posting:
        first = await posting.post(receiver.url, b"1", {})
        await unasked.wait()
        await asyncio.sleep(0.05)  # until it has arrived
        second = await posting.post(receiver.url, b"2", {})
    assert (first.status, second.status) == (200, 503)


@pytest.mark.parametrize("interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"])
async def test_interim_answers_without_end_are_bounded_in_bytes(interim: bytes) -> None:
    sent = 0

    async def flood(number: int, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        del number
        while True:
            writer.write(interim * 1000)
            await writer.drain()
            sent += 1000 * len(interim)

    async with raw_receiving(flood) as receiver, client(timeout="15s") as posting:
        async with asyncio.timeout(10):
            answer = plain_answer(await posting.post(receiver.url, b"{}", {}))
    assert answer.meaning is Meaning.FAILED
    assert sent < 32 * 1024 * 1024


async def test_headers_that_drip_behind_a_200_are_not_waited_for_longer_than_the_timeout() -> None:
    async def drip(number: int, writer: asyncio.StreamWriter) -> None:
        del number
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with raw_receiving(drip) as receiver, client(timeout="300ms") as posting:
        answer = plain_answer(await posting.post(receiver.url, b"{}", {}))
    assert (answer.meaning, answer.status) == (Meaning.DELIVERED, 200)


def test_slacks_word_in_a_malformed_answer_ends_no_endpoint() -> None:
    whole = Reply(1.0, 404, {}, b"channel_not_found")
    assert slack_answer(whole, is_api=False).meaning is Meaning.GONE
    assert slack_answer(whole._replace(is_malformed=True), is_api=False).meaning is Meaning.FAILED


_JSON = st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=9), st.lists, max_leaves=4)
_SLACKS = st.dictionaries(st.sampled_from(["ok", "error", "warning"]), _JSON | st.sampled_from(["invalid_blocks", "is_archived"]))


@given(
    st.one_of(st.binary(max_size=99), _SLACKS.map(orjson.dumps), _JSON.map(orjson.dumps)),
    st.integers(200, 599),
    st.dictionaries(st.sampled_from(["Retry-After", "Date"]), st.text(max_size=30)),
    st.booleans(),
)
def test_no_answer_of_slack_does_harm(body: bytes, status: int, headers: dict[str, str], is_api: bool) -> None:
    answer = slack_answer(Reply(1.0, status, headers, body), is_api=is_api)
    assert answer.meaning is not Meaning.DELIVERED or 200 <= status < 300
    orjson.dumps([answer.error, answer.text])  # as its record is written


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"HTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.1 204\r\n", 204),
        (b"\r\n\r\nHTTP/1.0 201 Created\n", 201),
        (b" \tHTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 P\r\nA: b\r\n\r\nHTTP/1.1 410 Gone\r\n", 410),
        (b"HTTP/1.1 100 Continue\nA: b\n\nHTTP/1.1 200 OK\n", 200),
        (b"HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 101),
        (b"HTTP/1.1 200", None),
        (b"HTTP/1.1 2000 OK\r\n", None),
        (b"HTTP/1.1 20 OK\r\n", None),
        (b"ICY 200 OK\r\n", None),
        (b"<html>\r\nHTTP/1.1 200 OK\r\n", None),
        (b"HTTP/1.1 100 Continue\r\nX: HTTP/1.1 200 OK\r\n", None),
        (b"\x15\x03\x01\x00\x02\x02", None),
        (b"", None),
    ],
)
def test_the_status_line_is_found_however_the_bytes_are_cut(said: bytes, code: int | None) -> None:
    for size in range(1, len(said) + 2):
        line = StatusLine()
        for start in range(0, len(said), size):
            line.feed(said[start : start + size])
        assert line.code == code


@given(st.lists(st.binary(max_size=40)))
def test_no_bytes_do_harm_and_their_cuts_make_no_difference(packets: list[bytes]) -> None:
    whole, cut = StatusLine(), StatusLine()
    whole.feed(b"".join(packets))
    for packet in packets:
        cut.feed(packet)
    assert whole.code == cut.code
