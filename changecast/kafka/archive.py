"""An archive of the broker's classes (Java's class data sharing), which halves its start.

Measured on two cores, with both of Java's compilers at work: 3.1 s without, 1.6 s with it, and half of the processor time; 200 MB
resident instead of 229. It is built once for each Java and set of jars, in the background while a first broker runs: 8 s at the lowest
priority, 62 MB of cache.
A Java that finds it unfit ignores it, so it can only help.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from changecast.kafka.filelock import FileLock
from changecast.kafka.java import Java
from changecast.kafka.jvm import archive_command, environment
from changecast.leash import leashed

_SETTLED = 20
"""Seconds from the start to the build: the first look at the program comes first, and a broker that lives shorter than that
(a test's) doesn't begin what it can't end. By then the broker has also loaded what transactions and groups need."""

# Arguments: recorded classes, list, draft, archive, then the command. The broker goes on recording, so the last line may be
# half written. Renamed only when whole; nothing is left behind otherwise.
_BUILD = """\
recorded=$1 list=$2 draft=$3 archive=$4; shift 4
sleep {seconds} && sed '$d' "$recorded" > "$list" && nice -n 19 "$@" && mv -f "$draft" "$archive"
rm -f "$recorded" "$list" "$draft"
"""


class ClassArchive:
    """The archive of one Java and one class path, in the folder of the jars. One process at a time builds it."""

    def __init__(self, folder: Path, java: Java, jars: Sequence[Path]) -> None:
        self._java = java
        self._jars = jars
        key = hashlib.sha256("\n".join(map(str, (java.path.resolve(), java.version, *jars))).encode())
        name = folder / f"classes-{key.hexdigest()[:16]}"
        self._path = name.with_suffix(".jsa")
        self._draft = name.with_suffix(".draft")
        self._recorded = name.with_suffix(".recorded")
        self._list = name.with_suffix(".list")
        self._lock = FileLock(name.with_suffix(".lock"))
        self._building: subprocess.Popen[bytes] | None = None

    def found(self) -> Path | None:
        """The archive, when there is one."""
        return self._path if self._path.exists() else None

    def record(self) -> Path | None:
        """The file in which a broker shall record the classes that it loads; None when there is nothing to be built, or
        another process is at it."""
        if self.found() or not self._lock.try_acquire():
            return None
        return self._recorded

    def build(self) -> None:
        """Begin to build from what is recorded, a while from now. Does nothing when nothing was to be recorded."""
        if not self._recorded.exists():
            return
        command = archive_command(self._java.path, self._jars, self._list, self._draft)
        files = (self._recorded, self._list, self._draft, self._path)
        self._building = subprocess.Popen(  # noqa: S603 - our own words and paths
            leashed(
                ["/bin/sh", "-c", _BUILD.format(seconds=_SETTLED), "sh", *map(str, files), *command],
                grace=1,
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # hundreds of lines on classes that can't be archived
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
        )

    def distrust(self) -> None:
        """Remove the archive: a broker that used it crashed at its start, and Java checks an archive only roughly."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """End a build that is under way; a later start begins it anew."""
        if self._building is not None:
            self._building.terminate()
            self._building.wait()
            if self._building.stdin:
                self._building.stdin.close()
            self._building = None
        if self._lock.held:
            for leftover in (self._recorded, self._list, self._draft):
                leftover.unlink(missing_ok=True)
        self._lock.release()
