"""Which requests a server on loopback answers."""

from __future__ import annotations

import pytest

from runtime.rebinding import is_loopback, loopback_only, refusal

HERE = [
    "127.0.0.1",
    "127.0.0.1:8787",
    "localhost",
    "LocalHost.:80",
    "sandbox.localhost:1",
    "[::1]:80",
    "127.1.2.3",
    "[::ffff:127.0.0.1]",
]
ELSEWHERE = [
    "evil.example",
    "evil.example:8787",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "10.0.0.1",
    "0.0.0.0",
    "[::]",
    "",
    "[",
    "a b",
]


@pytest.mark.parametrize("host", HERE)
def test_a_request_to_this_machine_by_a_name_of_its_own_is_answered(host: str) -> None:
    assert refusal(host, None) is None
    assert refusal("127.0.0.1", f"http://{host}") is None
    assert refusal(None, None) is None


@pytest.mark.parametrize("host", ELSEWHERE)
def test_a_name_that_somebody_else_may_own_is_refused_as_host_and_as_origin(host: str) -> None:
    assert refusal(host, None) is not None
    assert refusal("127.0.0.1", f"http://{host}") is not None


@pytest.mark.parametrize("origin", ["null", "file://", "chrome-extension://abc", "https://evil.example"])
def test_an_origin_that_is_no_server_of_this_machine_is_refused(origin: str) -> None:
    assert refusal("localhost:8787", origin) is not None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.7", "workers.example"])
def test_a_server_that_is_meant_for_others_is_open(host: str) -> None:
    assert not is_loopback(host)
    assert loopback_only(host) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_server_on_loopback_is_guarded(host: str) -> None:
    assert len(loopback_only(host)) == 1
