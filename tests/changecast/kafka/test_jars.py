"""The cache, filled from a folder instead of the network. The jars are small files."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from changecast.kafka.errors import CacheUnwritable, DiskFull, JarsUnavailable, NoNetwork, WrongHash
from changecast.kafka.fetch import Fetch
from changecast.kafka.jars import JarCache, cache_root
from changecast.kafka.lock import Jar, dump, pinned

CONTENTS = {"alpha": b"alpha" * 1000, "beta": b"beta" * 2000, "gamma": b"gamma"}
JARS = tuple(
    Jar("org.example", name, "1.0", "", hashlib.sha256(content).hexdigest(), len(content)) for name, content in CONTENTS.items()
)


class Repository:
    """Serves the jars' bytes; `disturb(jar, call number)` may raise, or return other bytes."""

    def __init__(self, disturb: Callable[[Jar, int], bytes | None] = lambda *_: None) -> None:
        self.served: list[str] = []
        self._disturb = disturb

    def __call__(self, jar: Jar, folder: Path, on_bytes: Callable[[int], None]) -> Path:
        assert not list(folder.iterdir())
        self.served.append(jar.artifact)
        content = self._disturb(jar, self.served.count(jar.artifact)) or CONTENTS[jar.artifact]
        path = folder / jar.file_name
        for at in range(0, len(content), 1000):
            chunk = content[at : at + 1000]
            with path.open("ab") as file:
                file.write(chunk)
            on_bytes(len(chunk))
        return path


def cache_of(root: Path, fetch: Fetch, jars: tuple[Jar, ...] = JARS) -> JarCache:
    return JarCache(jars, root, fetch, pauses=(0.0, 0.0, 0.0))


def test_missing_jars_are_fetched_and_a_second_start_needs_no_repository(tmp_path: Path) -> None:
    repository = Repository()
    paths = cache_of(tmp_path, repository).ensure()
    assert [path.read_bytes() for path in paths] == list(CONTENTS.values())
    assert sorted(repository.served) == sorted(CONTENTS)

    again = Repository()
    assert cache_of(tmp_path, again).ensure() == paths
    assert again.served == []


@pytest.mark.parametrize("damage", [b"", b"alpha", b"ALPHA" * 1000], ids=["empty", "half", "altered"])
def test_a_damaged_jar_is_found_and_fetched_again(tmp_path: Path, damage: bytes) -> None:
    path = cache_of(tmp_path, Repository()).ensure()[0]
    path.write_bytes(damage)
    os.utime(path, (0, 0))

    repository = Repository()
    cache_of(tmp_path, repository).ensure()

    assert repository.served == ["alpha"]
    assert path.read_bytes() == CONTENTS["alpha"]


def test_a_lost_marker_costs_a_hash_and_no_download(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, Repository())
    cache.ensure()
    (cache.folder / "verified.json").write_text("{ torn")
    repository = Repository()
    cache_of(tmp_path, repository).ensure()
    assert repository.served == []


def test_what_a_killed_download_left_is_swept_away(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, Repository())
    half = cache.folder / "staging" / "alpha-1.0.jar" / "alpha-1.0.jar"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"alp")
    cache.ensure()
    assert not (cache.folder / "staging").exists()
    assert cache.missing() == []


def test_progress_ends_at_the_total_even_when_a_jar_was_fetched_twice(tmp_path: Path) -> None:
    def broken_off(jar: Jar, call: int) -> bytes | None:
        return CONTENTS["alpha"][:2500] if jar.artifact == "alpha" and call == 1 else None

    told: list[tuple[int, int]] = []
    cache_of(tmp_path, Repository(broken_off)).ensure(lambda done, total: told.append((done, total)))
    total = sum(map(len, CONTENTS.values()))
    assert told[0] == (0, total)
    assert told[-1] == (total, total)
    assert all(0 <= done <= total for done, _ in told)


def test_a_connection_that_breaks_is_tried_again_and_then_named(tmp_path: Path) -> None:
    def flaky(jar: Jar, call: int) -> bytes | None:
        if call < 3:
            raise ConnectionError("the repository does not answer in time")
        return None

    cache_of(tmp_path / "flaky", Repository(flaky)).ensure()

    def dead(jar: Jar, call: int) -> bytes | None:
        raise ConnectionError("the repository's name is not found")

    with pytest.raises(NoNetwork, match=r"org\.example:.*name is not found") as caught:
        cache_of(tmp_path / "dead", Repository(dead)).ensure()
    assert "kafka.bootstrap_servers" in caught.value.remedy


def test_another_content_is_refused_and_never_put_in_place(tmp_path: Path) -> None:
    repository = Repository(lambda jar, _: b"EVIL" * 2000 if jar.artifact == "beta" else None)
    cache = cache_of(tmp_path, repository)
    with pytest.raises(WrongHash, match=r"beta:1\.0 has the SHA-256"):
        cache.ensure()
    assert not cache.paths()[1].exists()
    assert repository.served.count("beta") == 2


def test_a_disk_without_room_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    repository = Repository()
    huge = (replace(JARS[0], size=10**18),)
    with pytest.raises(DiskFull, match="MB are free"):
        cache_of(tmp_path, repository, huge).ensure()
    assert repository.served == []


def test_a_disk_that_fills_up_meanwhile_is_told_as_such(tmp_path: Path) -> None:
    def full(jar: Jar, call: int) -> bytes | None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFull, match="became full"):
        cache_of(tmp_path, Repository(full)).ensure()


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheUnwritable, match="file") as caught:
        cache_of(tmp_path / "file", Repository()).ensure()
    assert "CHANGECAST_CACHE" in caught.value.remedy


def test_stop_ends_a_download_and_what_came_stays(tmp_path: Path) -> None:
    stop = threading.Event()
    repository = Repository()

    def stop_early(done: int, _: int) -> None:
        if done:
            stop.set()

    with pytest.raises(JarsUnavailable, match="stopped"):
        cache_of(tmp_path, repository).ensure(stop_early, stop)
    cache_of(tmp_path, Repository()).ensure()


RACER = """
import pathlib, shutil, sys
from changecast.kafka.fetch import Fetch
from changecast.kafka.jars import JarCache
from changecast.kafka.lock import parse
root, source, lock, log = map(pathlib.Path, sys.argv[1:])
def fetch(jar, folder, on_bytes):
    with log.open("a") as file:
        file.write(jar.artifact + "\\n")
    return pathlib.Path(shutil.copy(source / jar.file_name, folder))
JarCache(parse(lock.read_text()), root, fetch).ensure()
"""


def test_processes_that_start_at_once_fetch_each_jar_once(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for jar in JARS:
        (source / jar.file_name).write_bytes(CONTENTS[jar.artifact])
    lock, log = tmp_path / "lock", tmp_path / "log"
    lock.write_text(dump(JARS))
    command = [sys.executable, "-c", RACER, *map(str, (tmp_path / "cache", source, lock, log))]
    racers = [subprocess.Popen(command) for _ in range(3)]
    assert [racer.wait(30) for racer in racers] == [0, 0, 0]
    assert sorted(log.read_text().split()) == sorted(CONTENTS)


def test_a_half_finished_jar_of_kafka_itself_is_found(tmp_path: Path) -> None:
    """The real jars: the cache that the broker's tests use, linked into one of our own."""
    real = JarCache(pinned())
    real.ensure()
    cache = JarCache(pinned(), tmp_path)
    folder = cache.folder / "jars"
    folder.mkdir(parents=True)
    for path in real.paths():
        shutil.copy(path, folder)
    assert cache.missing() == []
    victim = cache.paths()[3]
    with victim.open("r+b") as file:
        file.truncate(victim.stat().st_size // 2)
    assert [jar.file_name for jar in cache.missing()] == [victim.name]


def test_the_cache_is_where_the_environment_says() -> None:
    assert cache_root({"CHANGECAST_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert cache_root({"XDG_CACHE_HOME": "/b"}) == Path("/b/changecast")
    assert cache_root({}) == Path.home() / ".cache" / "changecast"
