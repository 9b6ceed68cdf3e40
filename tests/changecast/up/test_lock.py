import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from changecast.up.lock import AlreadyRunning, Known, UpLock, wait_for

HOLDER = """
import os, sys, time
from pathlib import Path
from changecast.up.lock import UpLock
lock = UpLock(Path({folder!r}))
lock.acquire()
lock.record({parts!r})
print("held", flush=True)
time.sleep(60)
"""


def holder(folder: Path, parts: dict[str, int] | None = None) -> subprocess.Popen[str]:
    code = HOLDER.format(folder=str(folder), parts=parts or {})
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_a_second_start_is_told_who_has_the_directory_and_what_to_do(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        with pytest.raises(AlreadyRunning) as refusal:
            UpLock(tmp_path).acquire()
        first.kill()

    assert f"process {first.pid}, since {time.strftime('%H:')}" in str(refusal.value)
    assert f"kill {first.pid}" in str(refusal.value)
    assert "--data-dir" in str(refusal.value)


@pytest.mark.parametrize("taken", [True, False])
def test_a_second_start_is_told_of_the_port_too_where_the_first_has_it(tmp_path: Path, taken: bool) -> None:
    with holder(tmp_path) as first, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        if not taken:
            listener.close()
        with pytest.raises(AlreadyRunning) as refusal:
            UpLock(tmp_path, kafka_port=port).acquire()
        first.kill()

    assert (f"since {port} is taken: kafka.embedded_port: 0" in str(refusal.value)) is taken


def test_a_stale_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()

    lock = UpLock(tmp_path)
    lock.acquire()
    lock.release()

    assert lock.left_over == ()


def test_a_lock_that_was_released_is_free(tmp_path: Path) -> None:
    first, second = UpLock(tmp_path / "data"), UpLock(tmp_path / "data")
    first.acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_torn_lock_file_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "up.lock").write_bytes(b'{"pid": 12, "parts": [["a"')
    lock = UpLock(tmp_path)
    lock.acquire()
    lock.release()


def test_living_parts_of_a_killed_run_are_known_to_the_next(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    with holder(tmp_path, {"streams": sleeper.pid}) as first:
        first.kill()

    lock = UpLock(tmp_path)
    lock.acquire()
    lock.release()

    assert [(known.name, known.pid) for known in lock.left_over] == [("streams", sleeper.pid)]


def test_a_process_that_has_the_number_of_a_former_part_is_not_taken_for_it(sleeper: subprocess.Popen[bytes]) -> None:
    created = psutil.Process(sleeper.pid).create_time()

    assert Known("streams", sleeper.pid, created).living() is not None
    assert Known("streams", sleeper.pid, created - 100).living() is None


async def test_a_part_that_outlives_its_leash_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    known = Known.of("streams", sleeper.pid)
    assert known is not None
    said: list[str] = []

    await wait_for((known,), said.append, within=0.3)

    assert said == ["streams"]
    assert sleeper.wait(timeout=5) == -signal.SIGKILL


async def test_a_part_that_ends_by_itself_is_waited_for(sleeper: subprocess.Popen[bytes]) -> None:
    known = Known.of("streams", sleeper.pid)
    assert known is not None
    sleeper.terminate()

    await wait_for((known,), lambda _: None, within=10)

    assert sleeper.wait(timeout=5) == -signal.SIGTERM


@pytest.mark.parametrize("folder", ["data", "data/sandbox"])
def test_the_data_directory_is_closed_to_others_when_it_is_taken(tmp_path: Path, folder: str) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    lock = UpLock(tmp_path / folder)
    lock.acquire()
    lock.release()

    assert lock.exposed is None
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_data_directory_that_is_not_ours_alone_is_taken_with_a_warning(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    data_dir.chmod(0o1777)
    lock = UpLock(data_dir)
    lock.acquire()
    lock.release()

    assert "chmod 700" in (lock.exposed or "")
