"""A `changecast up` that is refused leaves the one that runs as it was."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from changecast.up.lock import UpLock
from changecast.up.plan import make_plan, settled

CREDENTIALS = ("TMDB_TOKEN", "PBS_KEY", "PBS_SECRET", "TVDB_APIKEY")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "changecast.yaml"
    path.write_text("data_dir: data\nproviders: {tmdb: {token: '${TMDB_TOKEN}'}}\n")
    return path


def up(config: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in CREDENTIALS}
    command = [sys.executable, "-m", "changecast", "up", "-c", str(config)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("sandbox_runs", [True, False], ids=["while it runs", "while it still starts"])
def test_a_second_up_writes_nothing_into_the_data_directory_of_the_first(
    config: Path, monkeypatch: pytest.MonkeyPatch, sandbox_runs: bool
) -> None:
    monkeypatch.delenv("TMDB_TOKEN", raising=False)
    lock = UpLock(config.parent / "data" / "sandbox", config)
    lock.acquire()
    sandbox = settled(make_plan(config)).sandbox if sandbox_runs else None
    with socket.socket() as listener:
        if sandbox is not None:
            listener.bind(("127.0.0.1", sandbox.port))
            listener.listen()
        before = files(config.parent)
        refused = up(config)
        after = files(config.parent)
    lock.release()

    assert refused.returncode == 1
    assert "already runs" in refused.stdout
    assert after == before
