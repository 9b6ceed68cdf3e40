"""Fixtures of all tests, and what every run does: which Kafka it uses, in which order tests begin, what a failure shows."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from changecast import operating
from schemas import redaction
from tests import evidence
from tests.broker import EMBEDDED, NONE, SERVERS_VARIABLE, RunKafka, running_broker
from tests.condition import no_garbage_collected
from tests.eventually import HANGS_AFTER_S

FULL_VARIABLE = "CI_FULL"
"""Set to 1, a test that cannot run for want of a runtime (Node, Docker Compose, a browser) fails instead of being left out."""

_APART = 20
_KAFKA = pytest.StashKey[RunKafka]()
_started = ExitStack()

# what a property test proves does not depend on how busy the machine is
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


def pytest_configure() -> None:
    """A shell without job control starts what runs in its background with SIGINT ignored, and every process of the tests would inherit
    that: what they test with Ctrl-C would wait for ever."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kafka",
        default=os.environ.get(SERVERS_VARIABLE) or EMBEDDED,
        metavar="embedded|docker|none|HOST:PORT",
        help=f"The Kafka of the run; none: leave out the tests that need one. Default: ${SERVERS_VARIABLE}, else embedded.",
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    """With -n, the controller starts one broker for all of its processes."""
    if hasattr(session.config, "workerinput"):
        session.config.stash[_KAFKA] = RunKafka(**session.config.workerinput["kafka"])
    elif getattr(session.config.option, "numprocesses", None) and session.config.option.kafka != NONE:
        kafka = session.config.stash[_KAFKA] = _started.enter_context(running_broker(session.config.option.kafka))
        print(f"Kafka of this run: {kafka}", flush=True)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    kafka = node.config.stash.get(_KAFKA, RunKafka("", NONE))
    node.workerinput["kafka"] = vars(kafka)


def pytest_sessionfinish() -> None:
    _started.close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "bootstrap_servers" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")
    if config.option.kafka == NONE:
        left_out = [item for item in items if item.get_closest_marker("kafka")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("kafka")]
    _spread_long_ones(items)


def _spread_long_ones(items: list[pytest.Item]) -> None:
    """The long ones begin early, and apart from each other: at the end of a run everything would wait for them."""
    long = [item for item in items if item.get_closest_marker("long") or item.get_closest_marker("timeout")]
    if len(items) > _APART * len(long):
        others = [item for item in items if item not in set(long)]
        for number, item in enumerate(long):
            others.insert(number * _APART, item)
        items[:] = others


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    evidence.forget()
    kafka = item.config.stash.get(_KAFKA, None)
    if kafka is not None and item.get_closest_marker("kafka") and (trouble := kafka.trouble()):
        pytest.fail(f"The Kafka of this run is gone: {kafka} ({trouble})", pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """A failure shows the logs of the processes that took part, and the state of the run's Kafka where the test uses it."""
    with no_garbage_collected():
        report: pytest.TestReport = yield
    if report.skipped and os.environ.get(FULL_VARIABLE) == "1":
        report.outcome, report.longrepr = "failed", f"{FULL_VARIABLE}=1, and this did not run: {_reason(report)}"
    if report.failed:
        report.sections += evidence.sections(getattr(item, "funcargs", {}).get("tmp_path"))
        kafka = item.config.stash.get(_KAFKA, None)
        if kafka is not None and item.get_closest_marker("kafka"):
            report.sections.append(("Kafka of this run", kafka.report()))
    return report


@pytest.fixture(autouse=True)
def _own_secrets() -> Iterator[None]:
    """A process redacts the secrets of every config that it has loaded: one test's must not be redacted in another's texts."""
    yield
    redaction.PROCESS.forget()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What could not run here, in the last lines."""
    for report in terminalreporter.stats.get("skipped", ()):
        terminalreporter.write_line(f"NOT RUN {report.nodeid}: {_reason(report)}")


def _reason(report: pytest.TestReport) -> str:
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr).removeprefix("Skipped: ")


@pytest.fixture(autouse=True)
def _patient_commands(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator at a terminal waits five seconds for Kafka; on a busy machine the broker of the run may need longer to answer."""
    if request.node.get_closest_marker("kafka"):
        monkeypatch.setattr(operating, "KAFKA_WAIT_S", HANGS_AFTER_S)


@pytest.fixture(scope="session")
def bootstrap_servers(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a real Kafka, one for the whole run. Use it with `topic_prefix`."""
    config = request.config
    if _KAFKA in config.stash:
        yield config.stash[_KAFKA].servers
        return
    with running_broker(config.option.kafka) as kafka:
        config.stash[_KAFKA] = kafka
        with _uncaptured(config) as terminal:
            terminal.ensure_newline()
            terminal.write_line(f"Kafka of this run: {kafka}")
        yield kafka.servers
        del config.stash[_KAFKA]


@contextmanager
def _uncaptured(config: pytest.Config) -> Iterator[Any]:
    with config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        yield config.pluginmanager.get_plugin("terminalreporter")


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test has: its topics, groups and transactional ids are then its own."""
    return f"test-{uuid.uuid4().hex[:10]}"
