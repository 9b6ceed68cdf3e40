"""First attempts that wait at one endpoint: of one entity they go one after the other, of different entities side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from sinks.delivery import Delivery
from sinks.lane import PARSED_BYTES


class FirstAttempts:
    """`size`: bytes. `ready`: how many may go at once.

    `_behind` has an entity's URN while one first attempt of it is in `_ready` or in flight; what came after it waits there."""

    def __init__(self) -> None:
        self._ready: deque[Delivery] = deque()
        self._behind: dict[str, deque[Delivery]] = {}
        self._count = 0
        self.size = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Delivery]:
        """Each entity's in their order."""
        for delivery in self._ready:
            yield delivery
            yield from self._behind.get(delivery.event.subject, ())
        first = {delivery.event.subject for delivery in self._ready}
        for subject, line in self._behind.items():
            if subject not in first:
                yield from line

    @property
    def ready(self) -> int:
        return len(self._ready)

    def add(self, delivery: Delivery) -> bool:
        """Whether it may go at once."""
        self._count += 1
        self.size += delivery.size
        if self.size > PARSED_BYTES:
            delivery.event.slim()
        return self._line_up(delivery)

    def take(self, most: int) -> list[Delivery]:
        """The next, for one call. What belongs to one entity may go together in it."""
        taken: list[Delivery] = []
        while self._ready and len(taken) < most:
            taken.append(self._ready.popleft())
            if most > 1:
                line = self._behind[taken[-1].event.subject]
                while line and len(taken) < most:
                    taken.append(line.popleft())
        self._count -= len(taken)
        self.size -= sum(delivery.size for delivery in taken)
        return taken

    def made(self, subject: str) -> None:
        """The entity's first attempt has been made: its next event may go."""
        line = self._behind.get(subject)
        if line:
            self._ready.append(line.popleft())
        else:
            self._behind.pop(subject, None)

    def keep(self, belongs: Callable[[Delivery], bool], in_flight: Iterable[Delivery]) -> None:
        """Forget all others. `in_flight`: first attempts that are being made."""
        kept = [delivery for delivery in self if belongs(delivery)]
        self._ready, self._behind = deque(), {delivery.event.subject: deque() for delivery in in_flight}
        self._count, self.size = len(kept), sum(delivery.size for delivery in kept)
        for delivery in kept:
            self._line_up(delivery)

    def oldest(self) -> float | None:
        """`queued_at` of the one that has waited longest."""
        heads = [self._ready[0]] if self._ready else []
        return min((head.queued_at for head in (*heads, *(line[0] for line in self._behind.values() if line))), default=None)

    def _line_up(self, delivery: Delivery) -> bool:
        if (line := self._behind.get(delivery.event.subject)) is not None:
            line.append(delivery)
            return False
        self._behind[delivery.event.subject] = deque()
        self._ready.append(delivery)
        return True
