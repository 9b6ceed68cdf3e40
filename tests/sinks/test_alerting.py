"""What operators are told, and when: decided from values alone."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changecast.sandbox.slack_limits import block_problems, text_problem
from schemas.alert import AlertKind, LastDead, Told
from schemas.delivery import EndpointState
from sinks.alerting import alert, due, level_reached, told_now, with_dead
from sinks.event import Alert, read_event
from sinks.slack_alerts import alert_message
from sinks.slack_blocks import MAX_TEXT, digest_of
from sinks.wording import length_words
from tests.sinks.test_slack_blocks import said
from tests.sinks.worlds import change_event

NOON = datetime(2025, 1, 21, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AFTER = timedelta(days=5)


def state(**fields: object) -> EndpointState:
    return EndpointState.model_validate({"subscription": "newsroom", "since": NOON - 30 * DAY, **fields})


def last(number: int = 1, error: str = "status 503") -> LastDead:
    return LastDead(
        webhook_id=f"msg_{number:032x}", event_id=f"e{number}", subject="tmdb:movie:1", attempts=10, error=error, at=NOON
    )


def told(**fields: object) -> Told:
    return Told.model_validate({"subscription": "newsroom", **fields})


@pytest.mark.parametrize(("days", "level"), [(0, 0), (2.49, 0), (2.5, 50), (3.74, 50), (3.75, 75), (4.99, 75), (5, 75)])
def test_half_and_three_quarters_of_the_time_are_levels(days: float, level: int) -> None:
    assert level_reached(days * DAY, AFTER) == level


def test_each_level_of_an_outage_is_told_once() -> None:
    failing = state(failing_since=NOON, failing_percent=50)
    assert due(told(), failing, NOON + 2.5 * DAY, HOUR) is AlertKind.FAILING
    known = told_now(told(), failing, NOON + 2.5 * DAY)
    assert due(known, failing, NOON + 3 * DAY, HOUR) is None
    further = state(failing_since=NOON, failing_percent=75)
    assert due(known, further, NOON + 3.75 * DAY, HOUR) is AlertKind.FAILING
    known = told_now(known, further, NOON + 3.75 * DAY)
    disabled = state(failing_since=NOON, failing_percent=100, disabled_at=NOON + AFTER, disabled_reason="failed")
    assert due(known, disabled, NOON + AFTER, HOUR) is AlertKind.DISABLED
    assert due(told_now(known, disabled, NOON + AFTER), disabled, NOON + 9 * DAY, HOUR) is None


def test_an_endpoint_that_is_stuck_is_told_of_once_each_time() -> None:
    stuck = state(stuck_since=NOON)
    now = NOON + timedelta(minutes=15)
    assert due(told(), stuck, now, HOUR) is AlertKind.STUCK
    event = alert(AlertKind.STUCK, told(), stuck, "webhook", now, AFTER)
    words = "deliveries have been due for 15 min, and none has been attempted"
    assert event.data.summary == f"The endpoint of newsroom is stuck: {words}."
    known = told_now(told(), stuck, now)
    assert Told.model_validate_json(known.to_json()) == known
    assert b"stuck" not in told().to_json()  # earlier versions read it
    assert due(known, stuck, NOON + DAY, HOUR) is None
    assert due(known, state(), NOON + DAY, HOUR) is None
    assert due(known, state(stuck_since=NOON + HOUR), NOON + 2 * HOUR, HOUR) is AlertKind.STUCK
    assert due(told(), state(stuck_since=NOON, disabled_at=NOON), NOON + DAY, HOUR) is AlertKind.DISABLED


def test_the_next_outage_is_news_again() -> None:
    known = told_now(told(), state(failing_since=NOON, failing_percent=50), NOON + 3 * DAY)
    assert due(known, state(failing_since=NOON + 9 * DAY, failing_percent=50), NOON + 12 * DAY, HOUR) is AlertKind.FAILING


def test_an_endpoint_that_fails_now_and_then_is_no_news() -> None:
    assert due(told(), state(), NOON, HOUR) is None
    assert due(told(), state(failing_since=NOON), NOON + DAY, HOUR) is None


def test_within_the_hour_nothing_is_told_and_after_it_the_gravest_of_what_still_holds() -> None:
    known = with_dead(told_now(told(), state(), NOON), last())
    disabled = state(disabled_at=NOON + HOUR / 2, disabled_reason="status 410")
    assert due(known, disabled, NOON + 0.99 * HOUR, HOUR) is None
    assert due(known, disabled, NOON + HOUR, HOUR) is AlertKind.DISABLED
    assert due(known, state(), NOON + HOUR, HOUR) is AlertKind.DEAD  # somebody has enabled it


def test_deliveries_given_up_within_the_hour_are_told_together() -> None:
    known = told(at=NOON)
    for number in range(1, 28):
        known = with_dead(known, last(number))
    event = alert(AlertKind.DEAD, known, state(), "webhook", NOON + HOUR, AFTER)
    assert event.type == "changecast.alert.delivery.dead"
    assert event.subject == "changecast:endpoint:newsroom"
    assert event.id == f"alert:newsroom:delivery.dead:{last(1).webhook_id}"
    assert event.data.dead is not None
    assert (event.data.dead.count, event.data.dead.last) == (27, last(27))
    assert event.data.summary == (
        "The endpoint of newsroom did not take 27 deliveries, given up after the last attempt: status 503."
    )
    assert event.data.remedy == "changecast deliveries retry --subscription newsroom --outcome dead"
    assert told_now(known, state(), NOON + HOUR).dead is None


def test_an_alert_tells_since_when_and_what_comes() -> None:
    failing = state(failing_since=NOON, failing_percent=50)
    event = alert(AlertKind.FAILING, told(), failing, "slack", NOON + 2.5 * DAY, AFTER)
    assert event.data.summary == "The endpoint of newsroom has only failed for 2 d 12 h, and is disabled after 5 d of that."
    assert (event.data.failing_since, event.data.disables_at) == (NOON, NOON + AFTER)
    gone = state(disabled_at=NOON, disabled_reason="status 410")
    event = alert(AlertKind.DISABLED, told(), gone, "webhook", NOON, AFTER)
    assert event.data.summary == "The endpoint of newsroom is disabled: status 410."
    assert event.data.remedy == "changecast endpoints enable newsroom"


moments = st.integers(0, 40).map(lambda quarter: NOON + quarter * HOUR / 4)
outages = st.one_of(
    st.just(state()),
    st.builds(lambda since, percent: state(failing_since=since, failing_percent=percent), moments, st.sampled_from([0, 50, 75])),
    st.builds(lambda at: state(disabled_at=at, disabled_reason="x"), moments),
)


@given(st.lists(st.tuples(st.integers(1, 90), outages, st.booleans()), max_size=40))
def test_whatever_happens_alerts_of_an_endpoint_are_an_hour_apart_and_none_comes_twice(
    steps: list[tuple[int, EndpointState, bool]],
) -> None:
    now, known, times, ids = NOON, told(), [], []
    for number, (minutes, health, gives_up) in enumerate(steps):
        now += timedelta(minutes=minutes)
        if gives_up:
            known = with_dead(known, last(number))
        if (kind := due(known, health, now, HOUR)) is not None:
            times.append(now)
            ids.append(alert(kind, known, health, "webhook", now, AFTER).id)
            known = told_now(known, health, now)
    assert all(later - earlier >= HOUR for earlier, later in itertools.pairwise(times))
    if known.dead is not None:
        assert due(known, state(), now + HOUR, HOUR) is AlertKind.DEAD


def test_lengths_are_told_in_two_units() -> None:
    lengths = [2.5 * DAY, 5 * DAY, timedelta(minutes=185), timedelta(seconds=75), timedelta(seconds=12), -HOUR]
    assert [length_words(length) for length in lengths] == ["2 d 12 h", "5 d", "3 h 5 min", "1 min 15 s", "12 s", "0 s"]


def event_of(kind: AlertKind, known: Told, health: EndpointState) -> Alert:
    event = read_event(alert(kind, known, health, "webhook", NOON, AFTER).to_json())
    assert isinstance(event, Alert)
    return event


def test_slack_tells_people_what_has_happened_and_which_command_helps() -> None:
    known = with_dead(told(), last())
    gone = state(failing_since=NOON - 5 * DAY, failing_percent=100, disabled_at=NOON, disabled_reason="every attempt failed")
    message = alert_message(event_of(AlertKind.DISABLED, known, gone))
    head, facts, remedy, context = message.blocks
    assert said(head) == " *The endpoint of newsroom is disabled: every attempt failed.*"
    assert said(facts).splitlines() == [
        "• Only failures since 2025-01-16 12:00 UTC",
        "• Disabled since 2025-01-21 12:00 UTC; what it misses waits for it",
        f"• One delivery was given up of tmdb:movie:1 after 10 attempts: status 503 ({last().webhook_id})",
    ]
    assert said(remedy) == "changecast endpoints enable newsroom"
    assert context["elements"][0]["text"] == "changecast · 2025-01-21 12:00 UTC"
    assert message.text == "The endpoint of newsroom is disabled: every attempt failed."
    failing = alert_message(event_of(AlertKind.FAILING, told(), state(failing_since=NOON - 2.5 * DAY, failing_percent=50)))
    assert "50 % of the time after which it is disabled, on 2025-01-24 00:00 UTC" in said(failing.blocks[1])


@given(st.one_of(st.text(max_size=50), st.sampled_from(["<!channel>" * 300, "&" * 5000])), st.integers(1, 300))
def test_an_alert_of_any_error_keeps_slacks_limits_and_pings_nobody(error: str, count: int) -> None:
    known = with_dead(told(), last(1, error))
    event = event_of(AlertKind.DISABLED, known, state(disabled_at=NOON, disabled_reason=error))
    for message in (alert_message(event), digest_of([event] * count)):
        assert block_problems(message.blocks) == []
        assert text_problem({"text": message.text}) is None
        texts = [message.text, *(said(block) for block in message.blocks)]
        assert sum(map(len, texts)) <= MAX_TEXT
        assert len(message.full) <= MAX_TEXT
        assert not any("<!" in text for text in (message.text, message.full))


def test_a_burst_of_alerts_is_called_that() -> None:
    event = event_of(AlertKind.DISABLED, told(), state(disabled_at=NOON, disabled_reason="status 410"))
    assert digest_of([event] * 9).text == "9 alerts of endpoint newsroom"
    group = said(digest_of([event] * 9).blocks[1])
    assert group.endswith("\nand 6 more alerts of endpoint newsroom")
    assert said(digest_of([event] * 4).blocks[1]).endswith("\nand 1 more alert of endpoint newsroom")


def test_a_digest_of_changes_and_alerts_names_both_and_each_group_by_what_it_is() -> None:
    event = event_of(AlertKind.DISABLED, told(), state(disabled_at=NOON, disabled_reason="status 410"))
    change = read_event(change_event().to_json())
    message = digest_of([change] * 5 + [event] * 6)
    assert message.text == "11 changes and alerts"
    changes, alerts = (said(block) for block in message.blocks[1:3])
    assert changes.endswith("\nand 2 more changes of Game of Thrones season 1")
    assert alerts.endswith("\nand 3 more alerts of endpoint newsroom")
