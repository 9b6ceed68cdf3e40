"""Fixtures of all tests."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings

from schemas import redaction
from tests.broker import SERVERS_VARIABLE, running_broker

_APART = 20
_broker = ExitStack()

# what a property test proves does not depend on how busy the machine is
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Tests in several processes (-n) share one broker: the process that hands them out starts it, and tells them where it is."""
    if getattr(session.config.option, "numprocesses", None) and not hasattr(session.config, "workerinput"):
        os.environ[SERVERS_VARIABLE] = _broker.enter_context(running_broker(lambda text: print(text, flush=True)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones begin early, and apart from each other: at the end of a run everything would wait for them."""
    long = [item for item in items if item.get_closest_marker("long") or item.get_closest_marker("timeout")]
    if len(items) > _APART * len(long):
        others = [item for item in items if item not in set(long)]
        for number, item in enumerate(long):
            others.insert(number * _APART, item)
        items[:] = others


def pytest_sessionfinish() -> None:
    _broker.close()


@pytest.fixture(autouse=True)
def _own_secrets() -> Iterator[None]:
    """A process redacts the secrets of every config that it has loaded: one test's must not be redacted in another's texts."""
    yield
    redaction.PROCESS.forget()


@pytest.fixture(scope="session")
def bootstrap_servers(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a real Kafka, one for the whole run. Use it with `topic_prefix`."""
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")

    def say(text: str) -> None:
        with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
            terminal.ensure_newline()
            terminal.write_line(text)

    with running_broker(say) as servers:
        yield servers


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test has: its topics, groups and transactional ids are then its own."""
    return f"test-{uuid.uuid4().hex[:10]}"
