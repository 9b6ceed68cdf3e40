from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.eventually import eventually

PROGRAM = "from changecast.commands.sandbox import command; command()"


@contextmanager
def running(*arguments: str, data_dir: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    log = data_dir.parent / f"log-{len(list(data_dir.parent.iterdir()))}"
    with log.open("wb") as output:
        command = [sys.executable, "-c", PROGRAM, "--data-dir", str(data_dir), *arguments]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process, log
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_it_says_where_it_listens_and_ends_cleanly_on_a_signal(tmp_path: Path):
    port = free_port()
    with running("--port", str(port), "--edits-per-minute", "3000", data_dir=tmp_path / "sandbox") as (process, log):
        eventually(lambda: log.read_text().count(" edit ") > 5, what="edits on the console")
        text = log.read_text()
        assert f"SANDBOX_WEBHOOK_URL=http://127.0.0.1:{port}/webhook" in text
        assert "whsec_" not in text
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
            assert page.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert log.read_text().endswith("sandbox: ended\n")


def test_a_kill_loses_no_edit_that_was_shown(tmp_path: Path):
    arguments = ("--port", str(free_port()), "--edits-per-minute", "6000")
    with running(*arguments, data_dir=tmp_path / "sandbox") as (process, log):
        eventually(lambda: log.read_text().count(" edit ") > 20, what="edits on the console")
        process.kill()
        process.wait()
        shown = log.read_text().count(" edit ")
    lines = (tmp_path / "sandbox" / "journal.jsonl").read_bytes().splitlines()
    assert len(lines) - 1 >= shown


def test_a_taken_port_says_what_to_do(tmp_path: Path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with running("--port", str(port), data_dir=tmp_path / "sandbox") as (process, log):
            assert process.wait(60) == 1
            assert f"port {port} is taken" in log.read_text()
            assert "--port" in log.read_text()
