"""The answers that need days to come about, or a worker that has died: as values. The others come through Kafka in `test_why`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changecast.deliveries.answers import Answer, Known, Word, answer
from changecast.deliveries.attempts import Course
from changecast.deliveries.matching import Seen
from changecast.deliveries.progress import Progress
from changecast.deliveries.why import Told
from changecast.deliveries.why_tables import replays
from schemas.delivery import EndpointState
from sinks.event import read_event
from sinks.lag import Lag
from sinks.signing import webhook_id
from sinks.tracker import Position, Tracker, short
from tests.changecast.commands.operators import attempt
from tests.sinks.rules import subscription
from tests.sinks.worlds import change_event

NOW = datetime.now(UTC)
SINCE = NOW - timedelta(days=13)
TOPIC = "changecast.changes.tmdb"
SETTLED = Position(100, 100)


def told(
    *attempts: Any,
    age: timedelta = timedelta(hours=1),
    refusal: str | None = None,
    state: dict[str, Any] | None = None,
    begun: bool = True,
    common: Position = SETTLED,
    lag: Position | None = None,
    run: bool = True,
    begins: timedelta | None = None,
) -> Answer:
    """Of the event at offset 7 and the subscription `hook`."""
    event = read_event(change_event(1).to_json())
    course = None
    for one in attempts:
        course = (course or Course(one, None)).followed_by(one)
    lags = {} if lag is None else {("hook", (TOPIC, 0)): Lag("hook", TOPIC, Tracker(lag.offset, lag))}
    known = Known(
        states={"hook": EndpointState.model_validate({"subscription": "hook", "since": SINCE, **(state or {})})} if begun else {},
        courses={} if course is None else {webhook_id(event.id, "hook"): course},
        progress=Progress({(TOPIC, 0): common}, lags),
        run=run,
    )
    one = subscription("hook").model_copy(update={"since": begins})
    return answer(one, Seen(event, NOW - age, TOPIC, 0, 7), refusal, known, NOW)


def test_what_is_older_than_the_attempts_that_are_kept_has_no_record() -> None:
    old = told(age=timedelta(days=8))
    assert (old.word, "kept for 7 days" in old.reason) == (Word.NO_RECORD, True)
    assert told(age=timedelta(days=6)).word is Word.PASSED_OVER


def test_the_commands_that_send_what_was_not_sent_span_the_events_in_question() -> None:
    events = [told_at(timedelta(minutes=minutes)) for minutes in (50, 40, 30)]
    assert [one.answers[0].word for one in events] == [Word.PASSED_OVER] * 3
    first, last = (events[at].seen.at.replace(microsecond=0) for at in (0, -1))
    assert replays(events) == [
        f"changecast replay -s hook --since {first:%Y-%m-%dT%H:%M:%S} --until {last + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"
    ]
    assert replays([told_at(timedelta(minutes=1), refusal="`when` is false")]) == []


def told_at(age: timedelta, **fields: Any) -> Told:
    event = read_event(change_event(1).to_json())
    return Told(Seen(event, NOW - age, TOPIC, 0, 7), [told(age=age, **fields)])


@pytest.mark.parametrize(
    ("common", "word", "reason"),
    [
        (Position(7, 7), Word.NOT_YET, "have not come to it"),
        (Position(3, 9, {7: frozenset()}), Word.NOT_YET, "in its endpoint's queue"),
        (Position(3, 9, {7: frozenset({short("hook")})}), Word.NOT_YET, "in its endpoint's queue"),
        (Position(3, 9, {7: frozenset({short("other")})}), Word.PASSED_OVER, ""),
        (Position(3, 9, {6: frozenset()}), Word.PASSED_OVER, ""),
        (Position(8, 8), Word.PASSED_OVER, ""),
    ],
)
def test_what_is_open_in_the_sinks_commit_is_still_to_come(common: Position, word: Word, reason: str) -> None:
    found = told(common=common)
    assert found.word is word
    assert reason in found.reason


def test_a_subscription_that_lags_behind_is_judged_by_its_own_cursor() -> None:
    behind = told(lag=Position(5, 5))
    assert (behind.word, "can't keep up" in behind.reason) == (Word.NOT_YET, True)
    assert told(lag=Position(8, 8), common=Position(0, 0)).word is Word.PASSED_OVER


def test_a_subscription_that_no_worker_has_met_begins_when_one_does() -> None:
    assert told(begun=False).word is Word.EARLIER
    assert told(begun=False, begins=timedelta(minutes=59)).word is Word.EARLIER
    assert told(begun=False, begins=timedelta(minutes=61)).word is Word.NOT_YET


def test_the_beginning_is_compared_in_milliseconds_as_the_sinks_do() -> None:
    at = (NOW - timedelta(hours=1)).replace(microsecond=500_000)
    assert told(age=NOW - at, state={"since": at.replace(microsecond=500_999)}).word is Word.PASSED_OVER
    assert told(age=NOW - at, state={"since": at.replace(microsecond=501_000)}).word is Word.EARLIER


def test_what_was_delivered_once_and_died_when_it_was_sent_again_is_told_as_both() -> None:
    found = told(
        attempt(1, at=NOW - timedelta(minutes=9)),
        attempt(1, at=NOW, outcome="dead", attempt=2, error="status 500", status_code=500),
    )
    assert found.word is Word.DEAD
    assert "after 2 attempts: status 500; `changecast deliveries retry msg_" in found.reason
    assert f"it had been delivered before, at {NOW - timedelta(minutes=9):%m-%d %H:%M:%S} UTC" in found.reason


def test_the_order_in_which_attempts_are_read_does_not_matter() -> None:
    tried = attempt(1, at=NOW - timedelta(minutes=1), outcome="retry", error="status 503", next_at=NOW)
    sent = attempt(1, at=NOW, attempt=2)
    assert told(tried, sent).reason == told(sent, tried).reason == f"at {NOW:%m-%d %H:%M:%S} UTC, attempt 2, status 200"


def test_a_retry_of_an_endpoint_that_is_disabled_is_said_to_end() -> None:
    tried = attempt(1, at=NOW, outcome="retry", error="status 503", next_at=NOW + timedelta(hours=1))
    found = told(tried, state={"disabled_at": NOW, "disabled_reason": "moves"})
    assert found.word is Word.WAITS
    assert "the endpoint is disabled since" in found.reason
    assert "(moves), and this ends when it is due" in found.reason


def test_an_attempt_stands_though_the_filter_has_changed_since() -> None:
    found = told(attempt(1, at=NOW), refusal="entity is episode; `match.entity` wants movie")
    assert found.word is Word.DELIVERED
    assert found.reason.endswith("the filter as it is now does not want it: entity is episode; `match.entity` wants movie")


def test_what_the_filter_does_not_want_is_no_match_whatever_else_there_is() -> None:
    refused = told(refusal="`when` is false", begun=False, common=Position(0, 0), run=False)
    assert (refused.word, refused.reason) == (Word.NO_MATCH, "`when` is false")
