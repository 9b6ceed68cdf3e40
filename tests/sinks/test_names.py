"""Deliveries to hosts whose names hang, fail or move, through a real DNS server on loopback."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import AsyncIterator

import pytest

from schemas.config import Delivery
from schemas.delivery import ErrorClass
from sinks.client import Client
from tests.nameserver import Nameserver, naming
from tests.sinks.worlds import World, change_event, config_of, receiving, until, webhook


@contextlib.asynccontextmanager
async def client_of(server: Nameserver, allow: str = "127.0.0.0/8", connect_timeout: str = "60s") -> AsyncIterator[Client]:
    settings = Delivery.model_validate({"timeout": "60s", "connect_timeout": connect_timeout})
    client = Client(settings, [ipaddress.ip_network(allow)], [server.address])
    try:
        yield client
    finally:
        await client.aclose()


def port_of(url: str) -> str:
    return url.rsplit(":", 1)[1]


@pytest.mark.parametrize(
    ("trouble", "connect_timeout", "words"),
    [
        ("hang", "1s", "no answer from DNS within 1 s"),
        ("SERVFAIL", "60s", "DNS answers SERVFAIL"),
        ("NXDOMAIN", "60s", "not found"),
    ],
)
async def test_a_name_without_an_address_is_a_failure_of_dns_in_plain_words(
    trouble: str, connect_timeout: str, words: str
) -> None:
    async with naming({"bad.invalid": trouble}) as server, client_of(server, connect_timeout=connect_timeout) as client:
        reply = await client.post("http://bad.invalid/secret-path", b"{}", {})
    assert reply.error_class is ErrorClass.DNS
    assert "bad.invalid" in str(reply.error)
    assert words in str(reply.error)
    assert "secret-path" not in str(reply.error)


async def test_a_name_that_moves_to_a_private_address_is_refused_when_it_is_connected_to() -> None:
    async with (
        naming({"moves.example": "127.0.0.1"}) as server,
        client_of(server, "127.0.0.1/32") as client,
        receiving() as first,
        receiving() as second,
    ):
        before = await client.post(f"http://moves.example:{port_of(first.url)}/", b"{}", {})
        server.answers["moves.example"] = "127.0.0.2"
        after = await client.post(f"http://moves.example:{port_of(second.url)}/", b"{}", {})
    assert before.status == 200
    assert after.error == "address 127.0.0.2 is loopback: add it to network.allow to let webhooks reach it"
    assert second.calls == []


async def test_endpoints_whose_names_hang_delay_no_healthy_one(world: World) -> None:
    names = [f"dead{number}" for number in range(16)]
    answers = {"good.example": "127.0.0.1", **{f"{name}.example": "hang" for name in names}}
    async with naming(answers) as server, receiving() as receiver:
        subscriptions = [webhook(name, f"http://{name}.example/") for name in names]
        subscriptions.append(webhook("good", f"http://good.example:{port_of(receiver.url)}/"))
        config = config_of(*subscriptions, timeout="60s", connect_timeout="60s")
        network = config.network.model_copy(update={"nameservers": [server.address]})
        async with world.working(config.model_copy(update={"network": network})):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(40)))
            await until(lambda: {f"{name}.example" for name in names} <= set(server.asked))
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(40, 80)))
            await until(lambda: len({call.id for call in receiver.calls}) == 80)
            server.answers.update(dict.fromkeys((f"{name}.example" for name in names), "NXDOMAIN"))  # ends what is in flight
