"""Look-ups of host names against a real DNS server on loopback, good and bad."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runtime.clock import Clock, ManualClock
from runtime.dns import LookupFailed, Resolver
from tests.eventually import HANGS_AFTER_S, until
from tests.nameserver import Nameserver, naming

GOOD = "192.0.2.7"
SHORT_S = 0.2
"""The bound of look-ups that end at it. One that is answered has the default bound: how soon that happens is the machine's business."""


@contextlib.asynccontextmanager
async def resolver_of(
    server: Nameserver, timeout_s: float = HANGS_AFTER_S, clock: Clock | None = None
) -> AsyncIterator[Resolver]:
    resolver = Resolver(timeout_s, [server.address], clock)
    try:
        yield resolver
    finally:
        await resolver.close()


async def addresses(resolver: Resolver, name: str) -> list[str]:
    return [found["host"] for found in await resolver.resolve(name, 443)]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | threading.Event]:
    """What the system's getaddrinfo knows, by name: an address, or an event until which it hangs."""
    known: dict[str, str | threading.Event] = {}

    def getaddrinfo(host: str, *args: object, **kwargs: object) -> list[Any]:
        del args, kwargs
        found = known.get(host)
        if isinstance(found, threading.Event):
            found.wait()
        if not isinstance(found, str):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.fixture
def endless_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A query without an answer never ends by itself: only the bound of its look-up ends it, or what the test is about."""
    monkeypatch.setattr("runtime.dns._QUERY_TRIES", 20)  # each lasts twice as long as the one before it


@pytest.mark.parametrize("count", [8, 16, 100])
async def test_names_that_hang_delay_no_other(endless_tries: None, count: int) -> None:
    names: dict[str, str] = {f"h{number}.example": "hang" for number in range(count)}
    async with naming({"good.example": GOOD, **names}) as server, resolver_of(server) as resolver:
        hung = [asyncio.create_task(addresses(resolver, name)) for name in names]
        await until(lambda: len(set(server.asked)) == count)
        assert await addresses(resolver, "good.example") == [GOOD]
        assert not any(task.done() for task in hung)
        for task in hung:
            task.cancel()
        await asyncio.gather(*hung, return_exceptions=True)


async def test_a_name_that_hangs_fails_at_its_bound_and_says_so() -> None:
    async with naming({"h.example": "hang"}) as server, resolver_of(server, SHORT_S) as resolver:
        with pytest.raises(LookupFailed, match=r"no answer from DNS within 0\.2 s"):
            await addresses(resolver, "h.example")


async def test_a_name_server_that_never_answers_aaaa_costs_no_name(endless_tries: None) -> None:
    async with naming({"good.example": GOOD}, silent_ipv6=True) as server, resolver_of(server) as resolver:
        assert await addresses(resolver, "good.example") == [GOOD]


@pytest.mark.parametrize("trouble", ["hang", "SERVFAIL"])
async def test_the_last_good_answer_serves_time_outs_and_servfail_for_an_hour(trouble: str) -> None:
    clock = ManualClock()
    async with naming({"good.example": GOOD}) as server, resolver_of(server, clock=clock) as resolver:
        assert await addresses(resolver, "good.example") == [GOOD]
        server.answers["good.example"] = trouble
        if trouble == "hang":
            resolver.timeout_s = SHORT_S
        await clock.sleep(3600)
        assert await addresses(resolver, "good.example") == [GOOD]
        await clock.sleep(1)
        with pytest.raises(LookupFailed, match="DNS"):
            await addresses(resolver, "good.example")


async def test_the_last_good_answer_does_not_serve_a_name_that_is_gone_nor_after_it_was_gone(system: object) -> None:
    async with naming({"good.example": GOOD}) as server, resolver_of(server) as resolver:
        assert await addresses(resolver, "good.example") == [GOOD]
        server.answers["good.example"] = "NXDOMAIN"
        with pytest.raises(LookupFailed, match="not found"):
            await addresses(resolver, "good.example")
        server.answers["good.example"] = "hang"
        resolver.timeout_s = SHORT_S
        with pytest.raises(LookupFailed, match="no answer"):
            await addresses(resolver, "good.example")


async def test_an_answer_that_changes_is_taken_at_once() -> None:
    async with naming({"good.example": GOOD}) as server, resolver_of(server) as resolver:
        assert await addresses(resolver, "good.example") == [GOOD]
        server.answers["good.example"] = "192.0.2.8"
        assert await addresses(resolver, "good.example") == ["192.0.2.8"]


@pytest.mark.parametrize("refusal", ["NXDOMAIN", "REFUSED"])
async def test_what_dns_can_not_find_is_asked_of_the_system(system: dict[str, Any], refusal: str) -> None:
    system["printer"] = "192.0.2.9"
    async with naming({"printer": refusal}) as server, resolver_of(server) as resolver:
        assert await addresses(resolver, "printer") == ["192.0.2.9"]


@pytest.mark.parametrize("trouble", ["hang", "SERVFAIL"])
async def test_a_name_that_dns_does_not_answer_for_is_not_asked_of_the_system(system: dict[str, Any], trouble: str) -> None:
    system["h.example"] = "192.0.2.9"
    timeout_s = SHORT_S if trouble == "hang" else HANGS_AFTER_S
    async with naming({"h.example": trouble}) as server, resolver_of(server, timeout_s) as resolver:
        with pytest.raises(LookupFailed, match="DNS"):
            await addresses(resolver, "h.example")


async def test_names_that_hang_in_the_system_delay_no_name_of_dns_and_each_holds_one_thread(system: dict[str, Any]) -> None:
    hang = threading.Event()
    system.update({f"nas{n}": hang for n in range(3)}, printer="192.0.2.9")
    async with naming({"good.example": GOOD}) as server, resolver_of(server, SHORT_S) as resolver:
        try:
            for _ in range(3):
                asked = [addresses(resolver, f"nas{n}") for n in range(3)]
                ended = await asyncio.gather(*asked, return_exceptions=True)
                assert all(isinstance(one, LookupFailed) for one in ended)
            resolver.timeout_s = HANGS_AFTER_S
            # nine look-ups of three names hold three of the four threads
            assert await addresses(resolver, "printer") == ["192.0.2.9"]
            assert await addresses(resolver, "good.example") == [GOOD]
        finally:
            hang.set()


@pytest.mark.parametrize(
    ("name", "found"),
    [("localhost", ["127.0.0.1", "::1"]), ("app.localhost.", ["127.0.0.1", "::1"]), ("::1", ["::1"])],
)
async def test_localhost_and_literals_need_no_resolver(name: str, found: list[str]) -> None:
    async with naming({}) as server, resolver_of(server) as resolver:
        assert await addresses(resolver, name) == found
        assert server.asked == []


async def test_a_name_in_the_hosts_file_is_not_asked_of_dns() -> None:
    lines = [line.split("#")[0].split() for line in Path("/etc/hosts").read_text(encoding="utf-8").splitlines()]
    names = [(line[0], name) for line in lines if line for name in line[1:] if "localhost" not in name]
    if not names:
        pytest.skip("/etc/hosts holds nothing but localhost")
    address, name = names[0]
    async with naming({name: GOOD}) as server, resolver_of(server) as resolver:
        assert address in await addresses(resolver, name)
        assert server.asked == []
