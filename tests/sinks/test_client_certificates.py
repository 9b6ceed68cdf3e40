"""Webhooks to a receiver that wants a client certificate (mutual TLS)."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from runtime.outbound import Outbound
from schemas.config import Config
from schemas.delivery import ErrorClass
from sinks.answer import Answer, Meaning
from sinks.client import Client
from sinks.event import read_event
from sinks.senders import sender_of
from tests.authority import Authority
from tests.proxying import place_of, proxying
from tests.schemas.config.samples import SECRET, load
from tests.sinks.worlds import change_event, receiving


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def config(folder: Path, url: str, *certificates: str | None) -> Config:
    """A subscription for each of the certificates."""
    hooks = [
        {"name": f"hook{number}", "webhook": {"url": url, "secret": SECRET, **({} if name is None else shown(name))}}
        for number, name in enumerate(certificates)
    ]
    return load(
        folder, str({"network": {"ca_file": "ca.pem", "allow": "127.0.0.0/8"}, "subscriptions": hooks}).replace("None", "null")
    )


def shown(name: str) -> dict[str, object]:
    return {"client_certificate": {"cert_file": f"{name}.crt", "key_file": f"{name}.key"}}


async def answers(settings: Config) -> list[Answer]:
    """What each subscription's endpoint says, by one client for all."""
    network = settings.network
    client = Client(settings.delivery, network.allow, outbound=Outbound.of(network))
    event = read_event(change_event(1).to_json())
    try:
        return [await sender_of(one, settings, client, None).send([event]) for one in settings.subscriptions]
    finally:
        await client.aclose()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_each_webhook_shows_its_own_certificate(tmp_path: Path, authority: Authority, version: ssl.TLSVersion) -> None:
    """The connections of one are not used for the other, though the address is the same."""
    (tmp_path / "others").mkdir()
    theirs = Authority(tmp_path / "others")
    authority.client("us")
    for file in theirs.client("stranger"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    context = authority.server(client_ca=authority)
    context.maximum_version = version
    async with receiving(tls=context) as receiver:
        found = await answers(config(tmp_path, receiver.url, "us", None, "stranger", "us"))
    assert [answer.meaning is Meaning.DELIVERED for answer in found] == [True, False, False, True]
    assert len(receiver.calls) == 2
    for refused in found[1:3]:
        assert refused.status is None
        # the alert that says why may be overtaken by the end of the connection
        assert refused.error_class in (ErrorClass.TLS, ErrorClass.CONNECTION)
        assert "not permitted" not in str(refused.error)


async def test_the_receivers_certificate_is_checked_all_the_same(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "others").mkdir()
    theirs = Authority(tmp_path / "others")
    authority.client("us")
    async with receiving(tls=theirs.server(client_ca=authority)) as receiver:
        (found,) = await answers(config(tmp_path, receiver.url, "us"))
    assert (found.meaning, found.error_class) == (Meaning.FAILED, ErrorClass.TLS)
    assert "the certificate has an unknown issuer (network.ca_file adds CAs to those of the system)" in str(found.error)
    assert receiver.calls == []


async def test_the_certificate_is_shown_by_way_of_a_proxy_too(tmp_path: Path, authority: Authority) -> None:
    authority.client("us")
    async with receiving(tls=authority.server("hook.example", client_ca=authority)) as receiver:  # noqa: SIM117
        async with proxying({"hook.example": place_of(receiver.url)}) as proxy:
            settings = config(tmp_path, "https://hook.example/x", "us", None)
            delivery = settings.delivery.model_copy(update={"proxy": SecretStr(proxy.url)})
            found = await answers(settings.model_copy(update={"delivery": delivery}))
    assert [answer.meaning is Meaning.DELIVERED for answer in found] == [True, False]
    assert proxy.asked[0] == "CONNECT hook.example:443"


async def test_no_file_with_the_key_is_left_behind(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    own = tmp_path / "tmp"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    authority.client("us")
    async with receiving(tls=authority.server(client_ca=authority)) as receiver:
        (found,) = await answers(config(tmp_path, receiver.url, "us"))
    assert found.meaning is Meaning.DELIVERED
    assert list(own.iterdir()) == []
