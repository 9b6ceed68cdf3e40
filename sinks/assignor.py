"""The group's assignment of partitions, which also tells its leader which subscriptions no worker has.

Each member names, as its metadata, the subscriptions in `changecast.endpoints` that its config does not have. What all members name, no
worker has. A worker of an earlier version names none, so it counts as having all: nothing expires during a roll-out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import orjson
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata


class Assignor:
    """aiokafka's range assignor, as one object a worker. `unknown()`: what its config does not have; `unknown_to_all(names)` is called
    in the group's leader at each assignment."""

    name = RangePartitionAssignor.name

    def __init__(self, unknown: Callable[[], Iterable[str]], unknown_to_all: Callable[[set[str]], None]) -> None:
        self._unknown = unknown
        self._unknown_to_all = unknown_to_all

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        names = orjson.dumps(sorted(self._unknown()))
        return ConsumerProtocolMemberMetadata(RangePartitionAssignor.version, list(topics), names)

    def assign(
        self, cluster: object, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        self._unknown_to_all(set.intersection(*(named_in(member.user_data) for member in members.values())))
        found: dict[str, ConsumerProtocolMemberAssignment] = RangePartitionAssignor.assign(cluster, members)
        return found

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        RangePartitionAssignor.on_assignment(assignment)


def named_in(metadata: bytes | None) -> set[str]:
    """The names in a member's metadata; none in that of another version."""
    try:
        names = orjson.loads(metadata or b"[]")
    except orjson.JSONDecodeError:
        return set()
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()
