"""The streams worker as a process that hangs: it leaves in time, and it notices that it stands still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.kafka import Cluster
from runtime.pulse import STILL_S
from streams import worker
from tests.eventually import eventually
from tests.streams import hanging
from tests.streams.memory import PROVIDER, observed

SUPERVISOR_WAITS_S = 20
ROOT = Path(__file__).parents[2]


@contextmanager
def hanging_worker(servers: str, prefix: str, folder: Path, what: str):
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, hanging.__file__, servers, prefix, str(folder / "data"), what],
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_worker_leaves_before_its_supervisor_kills_it():
    assert worker.STOP_S < worker.LEAVE_S < SUPERVISOR_WAITS_S


@pytest.mark.parametrize("what", ["faust", "loop"])
def test_a_worker_whose_stop_hangs_leaves_all_the_same(bootstrap_servers, topic_prefix, tmp_path, what):
    with hanging_worker(bootstrap_servers, topic_prefix, tmp_path, what) as process:
        store = tmp_path / "data" / "streams" / "state" / f"{PROVIDER}-seen"
        eventually(lambda: store.exists(), what="a lane has opened its store")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=SUPERVISOR_WAITS_S) == 0


async def test_a_worker_that_stands_before_an_unread_event_ends_itself(bootstrap_servers, topic_prefix, tmp_path):
    with hanging_worker(bootstrap_servers, topic_prefix, tmp_path, "lane") as process:
        store = tmp_path / "data" / "streams" / "state" / f"{PROVIDER}-seen"
        eventually(lambda: store.exists(), what="a lane has opened its store")
        cluster = Cluster.at(bootstrap_servers, topic_prefix)
        async with cluster.producer() as producer:
            await producer.send_and_wait(cluster.topics.raw(PROVIDER).name, observed("1", 1).to_json(), partition=0)
        assert process.wait(timeout=60) == worker.EXIT_FAILED_BATCH
    assert "stands at 0 with more to read" in (tmp_path / "log").read_text()


def test_a_worker_that_stood_still_for_most_of_its_session_ends_itself(bootstrap_servers, topic_prefix, tmp_path):
    with hanging_worker(bootstrap_servers, topic_prefix, tmp_path, "faust") as process:
        store = tmp_path / "data" / "streams" / "state" / f"{PROVIDER}-seen"
        eventually(lambda: store.exists(), what="a lane has opened its store")
        process.send_signal(signal.SIGSTOP)
        time.sleep(STILL_S + 0.5)
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=20) == worker.EXIT_FAILED_BATCH
    assert "stood still" in (tmp_path / "log").read_text()


def test_a_provider_that_cannot_be_made_does_not_stop_the_others(bootstrap_servers, topic_prefix, tmp_path):
    with hanging_worker(bootstrap_servers, topic_prefix, tmp_path, "provider") as process:
        states = tmp_path / "data" / "streams" / "state"
        eventually(lambda: (states / f"{PROVIDER}-seen").exists(), within=60, what="a lane has opened its store")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=SUPERVISOR_WAITS_S) == 0
    assert "pbs can't be used with its settings" in (tmp_path / "log").read_text()
    assert not (states / "pbs-seen").exists()
