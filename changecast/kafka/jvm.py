"""The command lines of the broker's JVM."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from changecast.kafka.home import Home
from changecast.kafka.processes import MAIN_CLASS

_LOG_CONFIG = Path(__file__).with_name("log4j2.properties")


@dataclass(frozen=True)
class Jvm:
    """A Java, the class path, and, where there are such, the class archive to use and the file to record classes in."""

    java: Path
    jars: Sequence[Path]
    archive: Path | None = None
    record: Path | None = None


def broker_command(jvm: Jvm, home: Home, heap: str) -> list[str]:
    """Start the broker. The last two words, main class and properties file, are what `find_running` knows it by."""
    return [
        *_base(jvm.java, jvm.jars),
        *([f"-XX:SharedArchiveFile={jvm.archive}", "-Xshare:auto"] if jvm.archive else []),
        *([f"-XX:DumpLoadedClassList={jvm.record}"] if jvm.record else []),
        f"-Xmx{heap}",
        # A broker without memory is neither dead nor alive: end it, so that it is started again.
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:ErrorFile={home.crash_report('%p')}",
        f"-Dchangecast.kafka.logs={home.logs}",
        f"-Dlog4j2.configurationFile={_LOG_CONFIG.as_uri()}",
        MAIN_CLASS,
        str(home.properties),
    ]


def format_command(jvm: Jvm, home: Home, cluster_id: str) -> list[str]:
    """Lay out an empty storage folder (once in its life)."""
    return [
        *_base(jvm.java, jvm.jars),
        "-Dlog4j2.level=OFF",  # its own words come on stdout; without a log file log4j would add to them
        "kafka.tools.StorageTool",
        "format",
        "--ignore-formatted",
        "--cluster-id",
        cluster_id,
        "--config",
        str(home.properties),
    ]


def archive_command(java: Path, jars: Sequence[Path], class_list: Path, target: Path) -> list[str]:
    """Write the class archive for the classes of a list."""
    return [
        *_base(java, jars),
        "-Xshare:dump",
        f"-XX:SharedClassListFile={class_list}",
        f"-XX:SharedArchiveFile={target}",
    ]


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The JVM's environment. Under the C locale Java could not open a path with a letter beyond ASCII."""
    return {**environ, "LC_ALL": "C.UTF-8"} if sys.platform == "linux" else dict(environ)


def class_path(jars: Sequence[Path]) -> str:
    return os.pathsep.join(str(jar) for jar in jars)


def _base(java: Path, jars: Sequence[Path]) -> list[str]:
    """What an archive must have in common with the broker that uses it, and more."""
    return [
        str(java),
        # One collector thread and 30 MB less than G1; pauses of a 256 MB heap are a few milliseconds.
        "-XX:+UseSerialGC",
        # The fast compiler alone: a third less time and 30 MB less for the start. The better one pays after minutes of full load,
        # and at that, streams and sinks are held up by themselves.
        "-XX:TieredStopAtLevel=1",
        "-Djava.net.preferIPv4Stack=true",  # 127.0.0.1 as an IPv4 socket, which others see as what it is
        "-Djava.awt.headless=true",
        "-cp",
        class_path(jars),
    ]
