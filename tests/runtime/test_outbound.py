"""Which CAs the HTTP clients trust, and which proxy they use: providers, webhooks and downloads, with real TLS and a real proxy."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from changecast.kafka.fetch import maven_fetch
from changecast.kafka.lock import Jar
from runtime.http import ProviderUnavailable
from runtime.outbound import Outbound, Proxy, is_loopback
from schemas import redaction
from schemas.config import Delivery
from schemas.delivery import ErrorClass
from sinks.client import Client
from tests.authority import Authority
from tests.producers.answering import answering, json_answer
from tests.proxying import place_of, proxying
from tests.runtime.serving import always, client
from tests.schemas.config.samples import errors, load
from tests.sinks.worlds import receiving

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    yield monkeypatch


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def outbound(folder: Path, **network: object) -> Outbound:
    return Outbound.of(load(folder, f"network: {network}").network)


async def test_a_provider_is_reached_with_the_ca_of_the_config_and_not_without(tmp_path: Path, authority: Authority) -> None:
    async with answering(always({"id": 1}), tls=authority.server()) as server:
        trusting = client(server.url, outbound=outbound(tmp_path, ca_file="ca.pem"))
        assert (await trusting.get("x")).json() == {"id": 1}
        await trusting.aclose()
        other = client(server.url, attempts=1, outbound=outbound(tmp_path))
        with pytest.raises(ProviderUnavailable, match="certificate"):
            await other.get("x")
        await other.aclose()


async def test_a_webhook_is_reached_with_the_ca_of_the_config_and_not_without(tmp_path: Path, authority: Authority) -> None:
    async with receiving(tls=authority.server()) as receiver:
        for policy, status in ((outbound(tmp_path, ca_file="ca.pem"), 200), (outbound(tmp_path), None)):
            sending = Client(Delivery(), LOOPBACK, outbound=policy)
            reply = await sending.post(f"{receiver.url}/x", b"{}", {})
            await sending.aclose()
            assert reply.status == status
    assert reply.error_class is ErrorClass.TLS
    assert len(receiver.calls) == 1


JAR = Jar("org.example", "alpha", "1.0", "", hashlib.sha256(b"jar").hexdigest(), 3)


async def download(policy: Outbound, url: str, folder: Path) -> bytes:
    """In a thread, as the cache does."""
    import asyncio

    folder.mkdir()
    return (await asyncio.to_thread(maven_fetch(policy, [url]), JAR, folder, lambda _: None)).read_bytes()


async def jar(request: web.Request) -> web.Response:
    assert request.path.endswith("/org/example/alpha/1.0/alpha-1.0.jar")
    return web.Response(body=b"jar")


async def test_a_download_uses_the_ca_of_the_config(tmp_path: Path, authority: Authority) -> None:
    async with answering(jar, tls=authority.server()) as server:
        assert await download(outbound(tmp_path, ca_file="ca.pem"), f"{server.url}/maven2", tmp_path / "a") == b"jar"
        with pytest.raises(ConnectionError, match=r"a CA that is not trusted \(network.ca_file adds one\)"):
            await download(outbound(tmp_path), f"{server.url}/maven2", tmp_path / "b")


def test_the_systems_cas_stay_trusted_and_certifis_serve_where_there_are_none(
    tmp_path: Path, authority: Authority, no_proxies: pytest.MonkeyPatch
) -> None:
    def trusted(policy: Outbound) -> int:
        return len(policy.ssl_context.get_ca_certs())

    own = Authority(tmp_path_of(tmp_path, "system"))
    no_proxies.setenv("SSL_CERT_FILE", str(own.ca_file))
    no_proxies.setenv("SSL_CERT_DIR", str(tmp_path_of(tmp_path, "empty")))
    assert trusted(outbound(tmp_path)) == 1
    assert trusted(outbound(tmp_path, ca_file="ca.pem")) == 2
    no_proxies.setenv("SSL_CERT_FILE", str(tmp_path / "nothing"))
    assert trusted(outbound(tmp_path)) > 50


def tmp_path_of(folder: Path, name: str) -> Path:
    (folder / name).mkdir(exist_ok=True)
    return folder / name


def test_a_ca_file_may_be_a_bundle_with_comments_and_must_hold_certificates(tmp_path: Path, authority: Authority) -> None:
    bundle = f"# Zertifikate für uns\n{authority.pem}\n# und noch eines\n{Authority(tmp_path_of(tmp_path, 'b')).pem}"
    (tmp_path / "bundle.pem").write_text(bundle)
    assert load(tmp_path, "network: {ca_file: bundle.pem}").network.ca
    for wrong in ("not PEM", authority.pem[:200], authority.pem.replace("MII", "AAA")):
        (tmp_path / "wrong.pem").write_text(wrong)
        (told,) = errors(tmp_path, "network: {ca_file: wrong.pem}")
        assert told.startswith("changecast.yaml:1:20: network.ca_file: not certificates in PEM")
    (told,) = errors(tmp_path, "network: {ca_file: nowhere.pem}")
    assert "network.ca_file: the file does not exist" in told


@pytest.mark.parametrize(
    "wrong", ["socks5://x:1", "proxy:3128", "http://", "http://x/path", "http://x:0", "'http://a b'", "'http://[x'"]
)
def test_what_is_no_http_proxy_is_a_config_error(tmp_path: Path, wrong: str) -> None:
    for key in ("network", "delivery"):
        (told,) = errors(tmp_path, f"{key}: {{proxy: {wrong}}}")
        assert f"{key}.proxy: not an HTTP proxy" in told


ENVIRON = {"https": "http://s:1", "http": "http://h:1", "all": "http://a:1"}


@pytest.mark.parametrize(
    ("url", "configured", "environ", "expected"),
    [
        ("https://api.example/x", None, {}, None),
        ("https://api.example/x", None, ENVIRON, "http://s:1"),
        ("http://api.example/x", None, ENVIRON, "http://h:1"),
        ("http://api.example/x", None, {"all": "proxy.lan:3128"}, "http://proxy.lan:3128"),
        ("https://api.example/x", "http://c:1", ENVIRON, "http://c:1"),
        ("https://api.example/x", "http://c:1", {"no": "other, .example"}, None),
        ("https://api.example:8443/x", "http://c:1", {"no": "api.example:8443"}, None),
        ("https://api.example/x", "http://c:1", {"no": "*"}, None),
        ("https://api.example/x", "http://c:1", {"no": "ample"}, "http://c:1"),
        ("https://10.1.2.3/x", "http://c:1", {"no": "10.0.0.0/8"}, None),
        ("https://11.1.2.3/x", "http://c:1", {"no": "10.0.0.0/8,rubbish/x"}, "http://c:1"),
        ("https://[fd00::1]:8443/x", "http://c:1", {"no": "fd00::/8"}, None),
        ("https://api.example/x", None, {"https": "socks5://s:1"}, None),
        ("http://localhost:80/x", "http://c:1", ENVIRON, None),
        ("http://api.localhost./x", "http://c:1", ENVIRON, None),
        ("http://127.9.9.9/x", "http://c:1", ENVIRON, None),
        ("http://[::1]/x", "http://c:1", ENVIRON, None),
        ("http://[::ffff:127.0.0.1]/x", "http://c:1", ENVIRON, None),
        ("http://0.0.0.0/x", "http://c:1", ENVIRON, None),
        ("http://127.1/x", "http://c:1", ENVIRON, None),
        ("http://2130706433/x", "http://c:1", ENVIRON, None),
    ],
)
def test_the_proxy_for_an_address(url: str, configured: str | None, environ: dict[str, str], expected: str | None) -> None:
    found = Outbound(proxy=configured, environ=environ).proxy_for(url)
    assert (found.url if found else None) == expected


def test_the_usual_variables_count(no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("HTTPS_PROXY", "http://upper:1")
    no_proxies.setenv("NO_PROXY", "direct.example")
    assert (found := Outbound().proxy_for("https://api.example/")) is not None
    assert found.url == "http://upper:1"
    assert Outbound().proxy_for("https://direct.example/") is None
    no_proxies.setenv("https_proxy", "http://lower:1")
    assert (found := Outbound().proxy_for("https://api.example/")) is not None
    assert found.url == "http://lower:1"


def test_a_proxys_password_is_a_secret() -> None:
    proxy = Proxy.of("http://us%40er:hunter2%2Fhunter2@proxy.lan:3128")
    assert (proxy.url, proxy.user, proxy.password) == ("http://proxy.lan:3128", "us@er", "hunter2/hunter2")
    assert "hunter2" not in repr(proxy)
    assert redaction.redact("Basic dXNAZXI6aHVudGVyMi9odW50ZXIy, or hunter2/hunter2") == "Basic ***, or ***"


def test_names_of_loopback() -> None:
    assert not any(map(is_loopback, ["local", "localhost.example", "128.0.0.1", "", "::2", "127.0.0.1.example"]))


@pytest.mark.parametrize("proxy_tls", [False, True])
async def test_a_provider_is_reached_by_way_of_the_proxy(tmp_path: Path, authority: Authority, proxy_tls: bool) -> None:
    secret = "user:hunter2hunter2"
    async with answering(always({"id": 1}), tls=authority.server("api.example")) as server:
        hosts = {"api.example": place_of(server.url)}
        async with proxying(hosts, secret, authority.server() if proxy_tls else None) as proxy:
            scheme, address = proxy.url.split("://")
            policy = outbound(tmp_path, ca_file="ca.pem", proxy=f"{scheme}://{secret}@{address}")
            reaching = client("https://api.example", outbound=policy)
            assert (await reaching.get("x")).json() == {"id": 1}
            await reaching.aclose()
            assert proxy.asked == ["CONNECT api.example:443"]
            wrong = outbound(tmp_path, ca_file="ca.pem", proxy=f"{scheme}://user:wrong-password@{address}")
            refused = client("https://api.example", attempts=1, outbound=wrong)
            with pytest.raises(ProviderUnavailable, match="407") as caught:
                await refused.get("x")
            await refused.aclose()
    assert "wrong-password" not in str(caught.value)


async def test_a_plain_http_provider_goes_through_the_proxy_too(tmp_path: Path) -> None:
    async with answering(always({"id": 1})) as server, proxying({"api.example": place_of(server.url)}, "user:secret") as proxy:
        reaching = client("http://api.example/3", outbound=outbound(tmp_path, proxy=proxy.url.replace("//", "//user:secret@")))
        assert (await reaching.get("x", {"page": 2})).json() == {"id": 1}
        await reaching.aclose()
        assert proxy.asked == ["GET http://api.example/3/x?page=2"]
        refused = client("http://api.example", attempts=1, outbound=outbound(tmp_path, proxy=proxy.url))
        with pytest.raises(ProviderUnavailable, match="the proxy does not accept our credentials"):
            await refused.get("x")
        await refused.aclose()


async def test_a_provider_on_loopback_is_never_reached_by_way_of_a_proxy(tmp_path: Path, no_proxies: pytest.MonkeyPatch) -> None:
    async with answering(always({"id": 1})) as server, proxying({"127.0.0.1": place_of(server.url)}) as proxy:
        no_proxies.setenv("HTTP_PROXY", proxy.url)
        for policy in (outbound(tmp_path, proxy=proxy.url), outbound(tmp_path), None):
            direct = client(server.url, outbound=policy)
            assert (await direct.get("x")).status == 200
            await direct.aclose()
    assert proxy.asked == []


async def test_a_download_goes_through_the_proxy_of_the_environment(
    tmp_path: Path, authority: Authority, no_proxies: pytest.MonkeyPatch
) -> None:
    async with answering(jar, tls=authority.server("maven.example")) as server:  # noqa: SIM117 - the proxy needs its address
        async with proxying({"maven.example": place_of(server.url)}) as proxy:
            no_proxies.setenv("HTTPS_PROXY", proxy.url)
            content = await download(outbound(tmp_path, ca_file="ca.pem"), "https://maven.example/maven2", tmp_path / "a")
            assert content == b"jar"
            assert proxy.asked == ["CONNECT maven.example:443"]
            with pytest.raises(ConnectionError, match="the proxy does not let us through"):
                await download(outbound(tmp_path), "https://elsewhere.example/maven2", tmp_path / "b")


async def test_a_repository_that_has_not_the_jar_is_said_so(tmp_path: Path) -> None:
    async def missing(request: web.Request) -> web.Response:
        return json_answer({}, 404)

    async with answering(missing) as server:
        with pytest.raises(ConnectionError, match="answers with status 404"):
            await download(Outbound(), server.url, tmp_path / "a")


async def test_webhooks_use_no_proxy_of_the_environment_and_not_the_providers(
    tmp_path: Path, no_proxies: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver, proxying({"192.0.2.1": place_of(receiver.url)}) as proxy:
        for name in _VARIABLES[:3]:
            no_proxies.setenv(name, proxy.url)
        sending = Client(Delivery(), LOOPBACK, outbound=outbound(tmp_path, proxy=proxy.url))
        for url in (receiver.url, "http://192.0.2.1/x"):
            reply = await sending.post(url, b"{}", {})
        await sending.aclose()
    assert reply.error_class is ErrorClass.ADDRESS_REFUSED
    assert len(receiver.calls) == 1
    assert proxy.asked == []


async def test_webhooks_go_through_a_proxy_where_the_config_says_so(tmp_path: Path, authority: Authority) -> None:
    async with receiving(tls=authority.server("hook.example")) as receiver, receiving() as plain:
        hosts = {"hook.example": place_of(receiver.url), "plain.example": place_of(plain.url)}
        async with proxying(hosts, "user:secret") as proxy:
            config = load(
                tmp_path, f"{{network: {{ca_file: ca.pem}}, delivery: {{proxy: '{proxy.url.replace('//', '//user:secret@')}'}}}}"
            )
            sending = Client(config.delivery, config.network.allow, outbound=Outbound.of(config.network))
            for url in ("https://hook.example/x?y=1", "http://plain.example/x"):
                reply = await sending.post(url, b"{}", {})
                assert (reply.status, reply.address) == (200, None)
            assert proxy.asked == ["CONNECT hook.example:443", "POST http://plain.example/x"]
            away = await sending.post("https://away.example/secret-path", b"{}", {})
            assert away.error == "no connection: the proxy answered with status 502"
            assert away.error_class is ErrorClass.CONNECTION
            asked = len(proxy.asked)
            # what is written as an address is checked here; the guard looks at loopback itself
            for host in ("10.0.0.1", "0x0a.1", "[fd00::1]", "0x7f.1", "127.0.0.1", "localhost", "169.254.169.254"):
                reply = await sending.post(f"http://{host}/", b"{}", {})
                assert reply.error_class is ErrorClass.ADDRESS_REFUSED, host
            assert len(proxy.asked) == asked
            await sending.aclose()
    gone = Client(Delivery.model_validate({"proxy": proxy.url}), LOOPBACK)
    reply = await gone.post("http://plain.example/x", b"{}", {})
    await gone.aclose()
    assert f"no connection to the proxy 127.0.0.1:{proxy.port}" in str(reply.error)


async def test_a_receiver_on_loopback_that_is_allowed_is_reached_without_the_proxy() -> None:
    async with receiving() as receiver, proxying({}) as proxy:
        sending = Client(Delivery.model_validate({"proxy": proxy.url}), LOOPBACK)
        for host in ("127.0.0.1", "localhost.", "0x7f.1"):
            await sending.post(receiver.url.replace("127.0.0.1", host), b"{}", {})
        await sending.aclose()
    assert len(receiver.calls) == 3
    assert proxy.asked == []
