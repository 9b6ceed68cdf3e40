"""What can keep the embedded broker from running. Each error names what happened and, apart from it, the way out."""

from __future__ import annotations


class EmbeddedKafkaError(Exception):
    """`what` happened to what, in a sentence or two; `remedy` is what the reader can do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}\n{remedy}")
        self.what = what
        self.remedy = remedy


class JarsUnavailable(EmbeddedKafkaError):
    """Kafka's jars are not in the cache and could not be put there."""


class NoNetwork(JarsUnavailable):
    """The repository of the jars did not answer."""


class WrongHash(JarsUnavailable):
    """A jar came whole, and is not the one that jars.lock pins."""


class CacheUnwritable(JarsUnavailable):
    """The cache folder cannot be made or written."""


class DiskFull(JarsUnavailable):
    """No room for the jars or for the broker's data."""


class NoJava(EmbeddedKafkaError):
    """No Java of version 17 or later on this machine."""


class PortTaken(EmbeddedKafkaError):
    """The broker's port is used by something else."""


class BrokerFailed(EmbeddedKafkaError):
    """The broker did not start, or ended by itself."""
