"""The pinned jars of Apache Kafka: `jars.lock`, one artifact a line.

    org.apache.kafka:kafka-clients:4.2.0 bcf39f… 10114091
    group:artifact:version[:classifier]  SHA-256  bytes

`python -m changecast.kafka.lock` writes the file anew: it resolves Kafka's dependencies and downloads each jar once.
Look at the difference before committing it: a changed hash of an unchanged version means a tampered artifact.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KAFKA_VERSION = "4.2.0"
LOCK_FILE = Path(__file__).with_name("jars.lock")

_KAFKA = ("org.apache.kafka", "kafka_2.13", KAFKA_VERSION)
# Kafka logs through slf4j 1.7 and brings log4j 2, but not what joins the two. Its version is that of Kafka's log4j.
_LOG_BINDING = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.3")
_RUNTIME_SCOPES = ("compile", "runtime", None)
_HEADER = f"""\
# The jars of the embedded broker, Apache Kafka {KAFKA_VERSION}: artifact, SHA-256, bytes.
# Written by `python -m changecast.kafka.lock`.
"""


@dataclass(frozen=True, order=True)
class Jar:
    """One pinned artifact; `size` in bytes."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        return "-".join(filter(None, (self.artifact, self.version, self.classifier))) + ".jar"

    @property
    def coordinate(self) -> str:
        return ":".join(filter(None, (self.group, self.artifact, self.version, self.classifier)))


def parse(text: str) -> tuple[Jar, ...]:
    """The jars of a lock file's text. ValueError with the line's number for a line of another form."""
    jars = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            coordinate, sha256, size = line.split()
            group, artifact, version, *classifier = coordinate.split(":")
            jars.append(Jar(group, artifact, version, ":".join(classifier), sha256, int(size)))
        except ValueError as error:
            raise ValueError(f"jars.lock, line {number}: expected `group:artifact:version sha256 bytes`") from error
    return tuple(jars)


def dump(jars: tuple[Jar, ...]) -> str:
    """The lock file's text; `parse` reads it back."""
    return _HEADER + "".join(f"{jar.coordinate} {jar.sha256} {jar.size}\n" for jar in sorted(jars))


def pinned() -> tuple[Jar, ...]:
    """The jars that this version of changecast runs on."""
    return parse(LOCK_FILE.read_text())


def resolve() -> tuple[Jar, ...]:
    """Ask the repository for Kafka's runtime dependencies and hash each jar. Downloads all of them (some 43 MB)."""
    from jgo.maven import Dependency, MavenContext

    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=30)

        def artifact_of(group: str, artifact: str, version: str) -> Any:
            return context.project(group, artifact).at_version(version).artifact()

        kafka, transitive = context.resolver.resolve([Dependency(artifact_of(*_KAFKA))])
        artifacts = [each.artifact for each in (*kafka, *transitive) if each.scope in _RUNTIME_SCOPES]
        # Not resolved with Kafka: its BOM would then choose other versions of what Kafka depends on.
        artifacts.append(artifact_of(*_LOG_BINDING))
        return tuple(_hashed(artifact) for artifact in artifacts)


def _hashed(artifact: Any) -> Jar:
    content = artifact.resolve().read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Jar(artifact.groupId, artifact.artifactId, artifact.version, artifact.classifier, digest, len(content))


if __name__ == "__main__":
    LOCK_FILE.write_text(dump(resolve()))
    print(f"{LOCK_FILE.name}: {len(pinned())} jars, {sum(jar.size for jar in pinned()) / 1e6:.0f} MB")
