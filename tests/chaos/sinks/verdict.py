"""What the receivers got, held against what was accepted. Pure.

A delivery is one event for one subscription. One that was in flight when a fault struck may come again, and only such a one: so every
call is first asked whether a fault fell between its arrival and the commit that settles it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

from schemas.delivery import Attempt
from tests.chaos.sinks.endpoints import ATTEMPTS, GONE, TIMEOUT_S, Endpoint
from tests.chaos.sinks.limits import over_limits
from tests.chaos.sinks.receivers import Received
from tests.chaos.sinks.windows import SETTLES_WITHIN_S, Windows

EXHAUSTED = "attempts-exhausted"
_THROTTLED = 429
_ENDED = ("endpoint-gone", "endpoint-disabled")

Key = tuple[str, str]
"""A subscription and an event's id."""


@dataclass(frozen=True)
class Accepted:
    """An event that a read_committed consumer finds in the changes. `digest`: of its bytes."""

    event_id: str
    subject: str
    provider: str
    key: str
    digest: str


@dataclass(frozen=True)
class Dead:
    """A delivery in the dead topic."""

    subscription: str
    event_id: str
    reason: str
    attempts: int


@dataclass
class Verdict:
    """Each list names what is wrong; all of them are empty where the guarantees held."""

    undelivered: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    misordered: list[str] = field(default_factory=list)
    miscounted: list[str] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    crowded: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    calls: int = 0
    delivered: int = 0
    again: int = 0
    in_flight: int = 0
    dead: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        return not any(self.told().values())

    def told(self) -> dict[str, list[str]]:
        names = ("undelivered", "unexpected", "repeated", "misordered", "miscounted", "unsigned", "renamed", "crowded", "leaked")
        return {name: getattr(self, name) for name in names}


@dataclass
class _Delivery:
    """All that is known of one. `disturbed`: of each call, whether it was in flight at a fault; `late`: whether it may have been sent
    by a worker that had lost it meanwhile."""

    key: Key
    event: Accepted
    endpoint: Endpoint
    calls: list[Received] = field(default_factory=list)
    disturbed: list[bool] = field(default_factory=list)
    late: list[bool] = field(default_factory=list)
    buried: list[Dead] = field(default_factory=list)
    recorded: list[Attempt] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.key[0]}: {self.key[1]}"


def judge(
    endpoints: Sequence[Endpoint],
    accepted: Sequence[Accepted],
    received: Sequence[Received],
    dead: Sequence[Dead],
    attempts: Iterable[Attempt],
    windows: Windows,
) -> Verdict:
    """`accepted` in the order of each partition, `received` in the order of each receiver."""
    deliveries = {
        (endpoint.name, event.event_id): _Delivery((endpoint.name, event.event_id), event, endpoint)
        for event in accepted
        for endpoint in endpoints
        if endpoint.wants(event.provider, event.key)
    }
    rests = {endpoint.name: endpoint.rest_s for endpoint in endpoints}
    verdict = Verdict(calls=len(received), dead=Counter(one.reason for one in dead))
    unexpected = set()
    for call in received:
        if (delivery := deliveries.get((call.name, call.event_id))) is not None:
            delivery.calls.append(call)
            delivery.late.append(any(window.holds(call.at, call.at) for window in windows.late))
            delivery.disturbed.append(delivery.late[-1] or _in_flight(call, rests[call.name], windows))
        else:
            unexpected.add(f"{call.name}: {call.event_id or call.wrong}")
    for one in dead:
        if (delivery := deliveries.get((one.subscription, one.event_id))) is not None:
            delivery.buried.append(one)
        else:
            unexpected.add(f"{one.subscription}: {one.event_id}, dead by {one.reason}")
    for attempt in attempts:
        if (delivery := deliveries.get((attempt.subscription, attempt.event_id))) is not None:
            delivery.recorded.append(attempt)
            token = delivery.endpoint.token
            if token is not None and token in attempt.model_dump_json():
                verdict.leaked.append(f"{delivery}: the token is in the record of attempt {attempt.attempt}")
    verdict.unexpected = sorted(unexpected)
    for endpoint in endpoints:
        verdict.crowded += over_limits(endpoint, _arrivals(endpoint, received, windows))
    # what could not be looked up at first is called when its turn comes again
    verdict.misordered = _misordered({key: one for key, one in deliveries.items() if not one.endpoint.lost}, received)
    verdict.renamed = _renamed(received)
    for delivery in deliveries.values():
        _settled(delivery, verdict)
        _signed(delivery, verdict)
        _repeated(delivery, verdict)
        verdict.miscounted += [f"{delivery}: {wrong}" for wrong in _miscounted(delivery)]
    return verdict


def _arrivals(endpoint: Endpoint, received: Sequence[Received], windows: Windows) -> list[tuple[float, bool]]:
    def near(call: Received) -> bool:
        return _in_flight(call, endpoint.rest_s, windows) or any(window.holds(call.at, call.at) for window in windows.late)

    return sorted((call.at, near(call)) for call in received if call.name == endpoint.name)


def _settled(delivery: _Delivery, verdict: Verdict) -> None:
    delivered = any(call.received for call in delivery.calls)
    verdict.delivered += delivered
    if not delivered and not delivery.buried:
        verdict.undelivered.append(f"{delivery} ({_told(delivery.calls)})")


def _signed(delivery: _Delivery, verdict: Verdict) -> None:
    for call in delivery.calls:
        if call.wrong is not None:
            verdict.unsigned.append(f"{delivery}: {call.wrong}")
        elif call.digest != delivery.event.digest:
            verdict.unsigned.append(f"{delivery}: not the event's bytes")


def _repeated(delivery: _Delivery, verdict: Verdict) -> None:
    """A call after one that was received."""
    verdict.in_flight += any(delivery.disturbed)
    for at, (earlier, later) in enumerate(pairwise(delivery.calls)):
        if earlier.received:
            verdict.again += 1
            if not (delivery.disturbed[at] or delivery.late[at + 1]):
                before = _told(delivery.calls[: at + 1])
                verdict.repeated.append(f"{delivery} came again after {before}, {later.at - earlier.at:.1f} s later")


def _miscounted(delivery: _Delivery) -> Iterator[str]:
    calls, disturbed = len(delivery.calls), sum(delivery.disturbed)
    if calls > ATTEMPTS + disturbed:
        yield f"{calls} calls, {disturbed} of them in flight at a fault, for {ATTEMPTS} attempts"
    if len(delivery.buried) > 1:
        yield f"dead {len(delivery.buried)} times"
    for one in delivery.buried:
        if one.reason in _ENDED:
            if delivery.key[0] != GONE:
                yield f"dead by {one.reason}, and its endpoint has not ended"
        elif one.reason != EXHAUSTED:
            yield f"dead by {one.reason}"
        elif one.attempts != ATTEMPTS or (calls < ATTEMPTS and not delivery.endpoint.lost):
            yield f"dead after {one.attempts} attempts and {calls} calls, for {ATTEMPTS} attempts"
    for attempt in delivery.recorded:
        throttled = attempt.status_code == _THROTTLED and attempt.next_at is not None
        if throttled and attempt.next_at - attempt.at < timedelta(seconds=delivery.endpoint.retry_after_s):
            yield f"tried again at {attempt.next_at}, sooner than Retry-After"
    # a fault takes with it what was not yet on record
    numbers = [attempt.attempt for attempt in delivery.recorded if attempt.ms]
    # an attempt that ends at the look-up is on record, and no call
    if not disturbed and not delivery.endpoint.lost and numbers != list(range(1, calls + 1)):
        yield f"attempts {numbers} on record for {calls} calls"


def _in_flight(call: Received, rest_s: float, windows: Windows) -> bool:
    """Whether a fault came between its arrival and its commit."""
    # the sender waits also for an answer that does not come
    settled = call.at + SETTLES_WITHIN_S + (TIMEOUT_S if call.status is None else rest_s)
    return any(window.holds(call.at, settled) for window in windows.repeats)


def _misordered(deliveries: Mapping[Key, _Delivery], received: Sequence[Received]) -> list[str]:
    """First calls of each entity at each receiver, in another order than the events stand in their topic.

    Where an attempt is on record that never arrived, its connection broken, the first call that did is a retry, and may come later.
    """
    place = {key: number for number, key in enumerate(deliveries)}
    latest: dict[Key, Key] = {}
    seen: set[Key] = set()
    found = []
    for call in received:
        key = (call.name, call.event_id)
        if key not in deliveries or key in seen:
            continue
        seen.add(key)
        if len(deliveries[key].recorded) > len(deliveries[key].calls):
            continue
        entity = (call.name, deliveries[key].event.subject)
        if entity in latest and place[latest[entity]] > place[key]:
            found.append(f"{call.name}: {call.event_id} after {latest[entity][1]}")
        latest[entity] = key
    return found


def _renamed(received: Sequence[Received]) -> list[str]:
    """One webhook-id for each event and subscription, and one event and subscription for each webhook-id."""
    ids: dict[Key, str] = {}
    keys: dict[str, Key] = {}
    found = []
    for call in received:
        key = (call.name, call.event_id)
        if ids.setdefault(key, call.webhook_id) != call.webhook_id or keys.setdefault(call.webhook_id, key) != key:
            found.append(f"{call.name}: {call.event_id} as {call.webhook_id}")
    return found


def _told(calls: Sequence[Received]) -> str:
    return ", ".join("no answer" if call.status is None else str(call.status) for call in calls) or "never called"
