"""Kafka's jars on this machine: in the cache, complete and verified, or downloaded into it.

    <cache>/kafka-4.2.0/jars/*.jar       only whole files whose SHA-256 is the pinned one
                        verified.json    file name -> mtime (ns) at which its hash was right
                        staging/         downloads on their way
                        lock             held by the process that fills the cache

A start with a full cache only looks at sizes and times. A file of another size or time is hashed again, and fetched
again when the hash is wrong.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import orjson

from changecast.kafka.errors import CacheUnwritable, DiskFull, JarsUnavailable
from changecast.kafka.fetch import PAUSES, Fetch, FetchStopped, fetch_verified, maven_fetch
from changecast.kafka.filelock import FileLock
from changecast.kafka.lock import KAFKA_VERSION, Jar
from runtime.outbound import Outbound

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes that were missing at the start, from several threads in turn."""

_THREADS = 4  # one connection gets a tenth of a fast line; more than four is impolite to a public repository
_HEADROOM = 64 * 2**20  # bytes that shall stay free beside the jars: a full disk breaks more than this download
_LOCK_POLL = 0.2  # seconds


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """`$CHANGECAST_CACHE`, else `$XDG_CACHE_HOME/changecast`, else `~/.cache/changecast`."""
    if own := environ.get("CHANGECAST_CACHE"):
        return Path(own).expanduser()
    if shared := environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "changecast"
    return Path.home() / ".cache" / "changecast"


class JarCache:
    """The jars of one Kafka version in one cache folder. `fetch` downloads one jar; tests give their own."""

    def __init__(
        self,
        jars: tuple[Jar, ...],
        root: Path | None = None,
        fetch: Fetch | None = None,
        version: str = KAFKA_VERSION,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self.folder = (root or cache_root()) / f"kafka-{version}"
        self._jars = jars
        self._fetch = fetch or maven_fetch(Outbound())
        self._pauses = pauses
        self._jar_folder = self.folder / "jars"
        self._marker = self.folder / "verified.json"

    def paths(self) -> list[Path]:
        """Where the jars are (or will be), in the lock file's order: the broker's class path."""
        return [self._jar_folder / jar.file_name for jar in self._jars]

    def missing(self) -> list[Jar]:
        """The jars that are absent or not the pinned ones. Hashes only files that changed since they were last verified."""
        with self._cache_errors():
            verified = self._read_marker()
            return [jar for jar in self._jars if not self._is_good(jar, verified)]

    def ensure(self, on_progress: Progress | None = None, stop: threading.Event | None = None) -> list[Path]:
        """Download what is missing and return the class path. Blocks; `stop` set from another thread ends it early.

        Raises NoNetwork, WrongHash, DiskFull, CacheUnwritable, or JarsUnavailable when stopped."""
        stop = stop or threading.Event()
        if not self.missing():
            return self.paths()
        with self._cache_errors():
            self._jar_folder.mkdir(parents=True, exist_ok=True)
            with self._locked(stop):
                # Asked again under the lock: another process may have filled the cache meanwhile.
                missing = self.missing()
                if missing:
                    self._require_space(missing)
                    self._download(missing, on_progress or (lambda *_: None), stop)
                self._write_marker()
        return self.paths()

    def _download(self, missing: list[Jar], on_progress: Progress, stop: threading.Event) -> None:
        staging = self.folder / "staging"
        shutil.rmtree(staging, ignore_errors=True)  # of a process that died: nobody else is here, we hold the lock
        staging.mkdir()
        tally = _Tally(sum(jar.size for jar in missing), on_progress, stop)

        def one(jar: Jar) -> None:
            fetched = fetch_verified(self._fetch, jar, staging / jar.file_name, tally.add, stop, self._pauses)
            fetched.replace(self._jar_folder / jar.file_name)

        on_progress(0, tally.total)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="jars") as pool:
            futures = [pool.submit(one, jar) for jar in sorted(missing, key=lambda jar: -jar.size)]
            try:
                for future in futures:
                    future.result()
            except BaseException:  # whatever it is, Ctrl-C too: the other downloads end before it is passed on
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        shutil.rmtree(staging)

    def _is_good(self, jar: Jar, verified: Mapping[str, int]) -> bool:
        path = self._jar_folder / jar.file_name
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        if found.st_size != jar.size:
            return False
        return verified.get(jar.sha256) == found.st_mtime_ns or sha256_of(path) == jar.sha256

    def _read_marker(self) -> dict[str, int]:
        try:
            marker = orjson.loads(self._marker.read_bytes())
        except (FileNotFoundError, NotADirectoryError, orjson.JSONDecodeError):
            return {}  # absent or torn: every jar is hashed again, which takes a fifth of a second
        return marker if isinstance(marker, dict) else {}

    def _write_marker(self) -> None:
        marker = {jar.sha256: path.stat().st_mtime_ns for jar, path in zip(self._jars, self.paths(), strict=True)}
        draft = self._marker.with_suffix(".new")
        draft.write_bytes(orjson.dumps(marker))
        draft.replace(self._marker)

    def _require_space(self, missing: list[Jar]) -> None:
        needed = sum(jar.size for jar in missing) + _HEADROOM
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise DiskFull(
                f"Kafka's jars need {needed // 2**20} MB in {self.folder}, and {free // 2**20} MB are free.",
                "Free some space, or put the cache on another disk with CHANGECAST_CACHE=/another/folder.",
            )

    @contextmanager
    def _locked(self, stop: threading.Event) -> Iterator[None]:
        lock = FileLock(self.folder / "lock")
        while not lock.try_acquire():
            if stop.wait(_LOCK_POLL):
                raise FetchStopped
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _cache_errors(self) -> Iterator[None]:
        """Turn what the file system refuses into an error with a remedy."""
        try:
            yield
        except FetchStopped as stopped:
            raise JarsUnavailable(
                "The download of Kafka's jars was stopped.", "Start again: what is there already stays."
            ) from stopped
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(
                    f"The disk of {self.folder} became full while Kafka's jars were written.",
                    "Free some space, or put the cache on another disk with CHANGECAST_CACHE=/another/folder.",
                ) from error
            raise CacheUnwritable(
                f"The cache folder {self.folder} cannot be used: {error.strerror}"
                + (f" ({error.filename})." if error.filename else "."),
                "Make it writable for you, or name another one with CHANGECAST_CACHE=/another/folder.",
            ) from error


class _Tally:
    """Adds up the bytes of all threads and tells them on."""

    def __init__(self, total: int, on_progress: Progress, stop: threading.Event) -> None:
        self.total = total
        self._done = 0
        self._on_progress = on_progress
        self._stop = stop
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """`count` bytes came (or, below zero, are to be fetched again). FetchStopped when nobody waits for them any more."""
        if self._stop.is_set():
            raise FetchStopped
        with self._lock:
            self._done += count
            self._on_progress(self._done, self.total)


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
