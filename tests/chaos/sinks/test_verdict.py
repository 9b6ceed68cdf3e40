"""The judge of the sinks' chaos run: it must see what it is there to see."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from schemas.delivery import Attempt, Outcome
from tests.chaos.plan import Kind
from tests.chaos.sinks.endpoints import ATTEMPTS, GONE, TIMEOUT_S, TOKEN, Endpoint
from tests.chaos.sinks.limits import over_limits
from tests.chaos.sinks.receivers import Received
from tests.chaos.sinks.verdict import EXHAUSTED, Accepted, Dead, judge
from tests.chaos.sinks.windows import windows_of
from tests.chaos.stage import Struck

NAME = "moody"
BEGAN = datetime(2025, 1, 21, tzinfo=UTC).timestamp()
EVENTS = [Accepted(f"e{number}", "tmdb:episode:1", "tmdb", "title", f"d{number}") for number in (1, 2, 3)]


def call(number: int, at: float, status: int | None = 200) -> Received:
    received = status is not None and 200 <= status < 300
    return Received(NAME, f"msg_{number}", f"e{number}", f"d{number}", BEGAN + at, status, received, None)


def attempt(number: int, count: int, status: int = 200, wait: float | None = None) -> Attempt:
    at = datetime.fromtimestamp(BEGAN, UTC)
    return Attempt(
        webhook_id=f"msg_{number}",
        event_id=f"e{number}",
        subject="tmdb:episode:1",
        subscription=NAME,
        kind="webhook",
        attempt=count,
        outcome=Outcome.DELIVERED if status == 200 else Outcome.RETRY,
        at=at,
        ms=3.0,
        status_code=status,
        next_at=None if wait is None else at + timedelta(seconds=wait),
    )


CALLS = [call(1, 0), call(2, 1, 429), call(3, 2), call(2, 4)]
ATTEMPTED = [attempt(1, 1), attempt(2, 1, 429, 2.1), attempt(3, 1), attempt(2, 2)]


def judged(calls=CALLS, attempts=ATTEMPTED, dead=(), struck=(), endpoint=NAME, events=EVENTS):
    one = endpoint if isinstance(endpoint, Endpoint) else Endpoint(endpoint, retry_after_s=2)
    return judge([one], events, calls, dead, attempts, windows_of(struck))


def exhausted(number: int, attempts: int = ATTEMPTS, reason: str = EXHAUSTED) -> Dead:
    return Dead(NAME, f"e{number}", reason, attempts)


def test_all_delivered_once_with_retries_behind_is_good():
    verdict = judged()
    assert verdict.good, verdict.told()
    assert (verdict.delivered, verdict.again, verdict.calls) == (3, 0, 4)


def test_a_delivery_that_fails_at_each_attempt_and_is_dead_with_its_record_is_good():
    calls = [call(1, 0), *(call(2, at, 500) for at in range(ATTEMPTS)), call(3, 9)]
    attempts = [attempt(1, 1), attempt(3, 1), *(attempt(2, count + 1, 500) for count in range(ATTEMPTS))]
    verdict = judged(calls, attempts, [exhausted(2)])
    assert verdict.good, verdict.told()


@pytest.mark.parametrize(
    ("calls", "attempts", "dead", "wrong"),
    [
        (CALLS[:-1], ATTEMPTED[:-1], [], "undelivered"),
        ([*CALLS, call(4, 5)], ATTEMPTED, [], "unexpected"),
        ([*CALLS, replace(call(1, 5), name="trap")], ATTEMPTED, [], "unexpected"),
        ([*CALLS, call(3, 9)], [*ATTEMPTED, attempt(3, 1)], [], "repeated"),
        ([call(2, 0), call(1, 1), call(3, 2)], [attempt(n, 1) for n in (1, 2, 3)], [], "misordered"),
        ([*CALLS[:2], call(2, 4), *(call(3, at, 500) for at in range(5, 6 + ATTEMPTS))], ATTEMPTED, [exhausted(3)], "miscounted"),
        (CALLS, [*ATTEMPTED[:3], attempt(2, 1)], [], "miscounted"),
        (CALLS, [ATTEMPTED[0], attempt(2, 1, 429, 1.0), *ATTEMPTED[2:]], [], "miscounted"),
        ([*CALLS[:-1], call(2, 4, 500)], ATTEMPTED, [exhausted(2, attempts=2)], "miscounted"),
        (CALLS, ATTEMPTED, [exhausted(2, reason="endpoint-gone")], "miscounted"),
        (CALLS, ATTEMPTED, [exhausted(9)], "unexpected"),
        ([replace(CALLS[0], wrong="no matching signature"), *CALLS[1:]], ATTEMPTED, [], "unsigned"),
        ([replace(CALLS[0], digest="other bytes"), *CALLS[1:]], ATTEMPTED, [], "unsigned"),
        ([*CALLS[:-1], replace(CALLS[-1], webhook_id="msg_9")], ATTEMPTED, [], "renamed"),
        ([CALLS[0], *(replace(one, webhook_id="msg_1") for one in CALLS[1:])], ATTEMPTED, [], "renamed"),
    ],
)
def test_each_violation_is_seen(calls, attempts, dead, wrong):
    verdict = judged(calls, attempts, dead)
    assert not verdict.good
    assert verdict.told()[wrong]


def test_only_an_endpoint_that_has_ended_may_leave_what_it_missed_to_its_record():
    calls = [replace(one, name=GONE) for one in (call(1, 0), call(2, 1, 410))]
    attempts = [one.model_copy(update={"subscription": GONE}) for one in (attempt(1, 1), attempt(2, 1, 410))]
    dead = [Dead(GONE, "e2", "endpoint-gone", 1), Dead(GONE, "e3", "endpoint-disabled", 1)]
    assert judged(calls, attempts, dead, endpoint=GONE).good
    assert judged(calls, attempts, dead[:1], endpoint=GONE).undelivered


@pytest.mark.parametrize("kind", [Kind.KILL_WORKER, Kind.KILL_BROKER, Kind.PAUSE_WORKER, None])
def test_what_was_in_flight_at_a_fault_may_come_again_and_nothing_else(kind):
    struck = [Struck(kind, BEGAN + 4.5, BEGAN + 6)]
    again = [*CALLS, call(2, 30)]
    verdict = judged(again, [*ATTEMPTED, attempt(2, 2)], struck=struck)
    assert verdict.good, verdict.told()
    assert (verdict.again, verdict.in_flight) == (1, 1)
    assert judged([*CALLS, call(1, 30)], [*ATTEMPTED, attempt(1, 1)], struck=struck).repeated


def test_what_a_stopped_worker_had_on_its_way_comes_when_it_runs_on():
    struck = [Struck(Kind.PAUSE_WORKER, BEGAN - 20, BEGAN + 6)]
    assert judged([*CALLS, call(1, 6.5)], [*ATTEMPTED, attempt(1, 1)], struck=struck).good
    assert judged([*CALLS, call(1, 9)], [*ATTEMPTED, attempt(1, 1)], struck=struck).repeated


def test_a_worker_that_is_stopped_in_order_repeats_nothing():
    assert judged([*CALLS, call(2, 30)], struck=[Struck(Kind.STOP_WORKER, BEGAN + 4.5, BEGAN + 6)]).repeated


def test_a_call_without_an_answer_is_in_flight_until_its_sender_gives_up():
    unanswered = [CALLS[0], CALLS[2], call(2, 3, None), call(2, 3 + TIMEOUT_S + 9)]
    struck = [Struck(Kind.KILL_WORKER, BEGAN + 3 + TIMEOUT_S + 1, BEGAN + 3 + TIMEOUT_S + 1)]
    assert judged(unanswered, struck=struck).in_flight == 1


def test_a_limit_is_of_all_workers_together():
    paced = Endpoint("paced", rate=6)
    assert not [*over_limits(paced, [(number / 6, False) for number in range(100)])]
    assert [*over_limits(paced, [(number / 18, False) for number in range(100)])]


def test_one_call_at_a_time_is_one_in_flight():
    single = Endpoint("single", concurrency=1)
    assert not [*over_limits(single, [(0.0, False), (0.06, False)])]
    assert [*over_limits(single, [(0.0, False), (0.04, False)])]
    assert not [*over_limits(single, [(0.0, True), (0.04, False)])]


def test_the_judge_sees_calls_beyond_a_limit():
    assert judged([call(1, 0), call(2, 0.01), call(3, 1)], endpoint=Endpoint(NAME, concurrency=1)).crowded


def test_what_asks_for_an_absurd_time_is_tried_by_the_schedule():
    attempts = [ATTEMPTED[0], attempt(2, 1, 429, 1.0), *ATTEMPTED[2:]]
    assert judged(attempts=attempts, endpoint=Endpoint(NAME)).good
    assert judged(attempts=attempts, endpoint=Endpoint(NAME, retry_after_s=2)).miscounted


def test_only_what_could_not_be_looked_up_is_dead_with_fewer_calls():
    lost = Endpoint(NAME, lost=True)
    assert judged([call(1, 0), call(3, 2)], [attempt(1, 1), attempt(3, 1)], [exhausted(2)], endpoint=lost).good
    assert judged([call(1, 0), call(3, 2)], [attempt(1, 1), attempt(3, 1)], [], endpoint=lost).undelivered
    assert judged([call(1, 0), call(3, 2)], [attempt(1, 1), attempt(3, 1)], [exhausted(2)]).miscounted


def test_a_token_on_record_is_seen():
    echoed = [one.model_copy(update={"answer": f"Authorization: {TOKEN}"}) for one in ATTEMPTED]
    assert judged(attempts=echoed, endpoint=Endpoint(NAME, token=TOKEN)).leaked


def test_a_retry_is_no_first_call_where_the_first_attempt_never_arrived():
    calls = [call(1, 0), call(3, 1), call(2, 2)]
    attempts = [attempt(1, 1), attempt(2, 1, 500, 1.0), attempt(3, 1), attempt(2, 2)]
    assert judged(calls, attempts).misordered == []
    assert judged(calls, [attempt(1, 1), attempt(3, 1), attempt(2, 1)]).misordered == [f"{NAME}: e2 after e3"]
