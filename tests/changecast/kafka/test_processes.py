from __future__ import annotations

import socket

import pytest

from changecast.kafka import processes


def test_a_port_that_the_system_names_twice_is_not_taken_for_two_things(monkeypatch: pytest.MonkeyPatch) -> None:
    named = iter([40001, 40001, 40002])

    class Probe(socket.socket):
        def getsockname(self) -> tuple[str, int]:
            return "127.0.0.1", next(named)

    monkeypatch.setattr(processes.socket, "socket", Probe)
    port = processes.free_port()
    assert (port, processes.free_port(besides=port)) == (40001, 40002)
