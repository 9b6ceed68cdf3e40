"""Whatever bytes a provider answers with, a request ends in an answer or in a ProviderError, and the next one is not harmed."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.http import Answer, BadResponse, ProviderError
from tests.raw_answers import MALFORMED, ODD, answer_of, raw_receiving
from tests.runtime.serving import client

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize("status", [200, 404, 503])
@pytest.mark.parametrize("kind", [*MALFORMED, *ODD])
async def test_a_malformed_answer_is_a_providers_error_and_no_other(kind: str, status: int) -> None:
    packets = answer_of(kind, status)

    async def answer(number: int, writer: asyncio.StreamWriter) -> bool:
        for packet in packets if number == 0 else (FINE,):
            writer.write(packet)
            await writer.drain()
            await asyncio.sleep(0.005)  # a packet of its own
        return number == 0

    async with raw_receiving(answer) as server:
        http = client(server.url, attempts=2, timeout_s=2.0)
        try:
            with contextlib.suppress(ProviderError):
                assert isinstance(await http.get("x"), Answer)
            assert (await http.get("y")).body == b"{}"
        finally:
            await http.aclose()


async def test_an_answer_that_comes_unasked_on_an_idle_connection_is_nobodys() -> None:
    unasked = asyncio.Event()

    async def twice(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
        if number == 0:
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n9")
            unasked.set()

    async with raw_receiving(twice) as server:
        http = client(server.url, attempts=2, timeout_s=2.0)
        first = await http.get("x")
        await unasked.wait()
        await asyncio.sleep(0.05)  # until it has arrived
        second = await http.get("y")
        await http.aclose()
    assert (first.body, second.body) == (b"0", b"1")


_PARTS = st.sampled_from(["//", "xn--", ".", ":", "@", "[", "]", "::", "%", "é", "api.example", "80", "/", "?", "#", "\\", "\t"])
_LINKS = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60).map(lambda data: data.decode("utf-8", "replace")),
    st.lists(_PARTS, max_size=8).map("".join),
)


@given(st.sampled_from(["http://", "https://", "https://api.example", "https://api.example/3/"]), _LINKS)
@example("https://", "xn--/x")
@example("https://", "xn--é/x")
@example("https://api.example/", "x" * 70_000)
def test_a_link_of_any_bytes_leads_to_the_provider_or_is_a_bad_response(start: str, link: str) -> None:
    http = client("https://api.example/3")
    try:
        assert httpx.URL(http._url(start + link)).host == "api.example"
    except BadResponse:
        return
