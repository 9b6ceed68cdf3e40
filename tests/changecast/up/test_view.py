from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from changecast.up.view import NARROWEST, WIDEST, Row, attempt_row, change_row, plain, styled
from schemas.delivery import Attempt, Outcome
from schemas.event import Action, Change, ChangeData, ChangeEvent, Enrichment, Entity, Parent, Status, event_type, source

AT = datetime(2025, 1, 21, 12, 1, 7, tzinfo=UTC)


def event(name: str | None = "The Kingsroad", changes: list[Change] | None = None) -> ChangeEvent:
    entity = Entity(
        type="episode",
        native_type="tv_episode",
        id="63057",
        name=name,
        number=2,
        parents=[Parent(type="series", id="1399", name="Game of Thrones"), Parent(type="season", id="3624", number=1)],
    )
    changes = changes or [Change(key="tagline", action=Action.UPDATED, language="en", before="a", after="b")]
    return ChangeEvent(
        id="tmdb:episode:63057:1",
        source=source("tmdb"),
        type=event_type("tmdb", "episode", changes, Action.UPDATED),
        subject="tmdb:episode:63057",
        time=AT - timedelta(hours=3),
        data=ChangeData(
            provider="tmdb", entity=entity, changes=changes, enrichment=Enrichment(status=Status.COMPLETE), observed_at=AT
        ),
    )


def attempt(**values: Any) -> Attempt:
    return Attempt(
        **{
            "webhook_id": "w1",
            "event_id": "e1",
            "subject": "tmdb:episode:63057",
            "subscription": "new-stills",
            "kind": "webhook",
            "attempt": 1,
            "outcome": Outcome.DELIVERED,
            "at": AT,
            "ms": 12.3,
            "name": "The Kingsroad",
            **values,
        }
    )


def test_a_change_is_one_line_with_time_provider_name_and_what_changed() -> None:
    clock = AT.astimezone().strftime("%H:%M:%S")

    assert plain(change_row(event(), AT)) == f"{clock}  tmdb  {'Game of Thrones S01E02 The Kingsroad':<44}  tagline updated (en)"


def test_a_delivery_is_one_line_with_subscription_and_outcome() -> None:
    shown = plain(attempt_row(attempt()))

    assert "  →     The Kingsroad" in shown
    assert shown.endswith("  new-stills: webhook delivered in 12 ms")


def test_a_delivery_that_failed_says_why_and_when_it_is_tried_again() -> None:
    failed = attempt(outcome=Outcome.RETRY, status_code=503, next_at=AT + timedelta(minutes=5))

    assert "new-stills: webhook failed (status 503), again in 5 min" in plain(attempt_row(failed))


def test_a_delivery_that_succeeds_late_says_at_which_attempt() -> None:
    assert "delivered in 12 ms at attempt 3" in plain(attempt_row(attempt(attempt=3)))


def test_a_delivery_that_is_given_up_says_after_how_many_attempts() -> None:
    dead = attempt(outcome=Outcome.DEAD, attempt=10, error="no answer within 15 s")

    assert "given up after 10 attempts (no answer within 15 s)" in plain(attempt_row(dead))


def test_an_endpoint_that_is_gone_is_told() -> None:
    assert "endpoint disabled (status 410)" in plain(attempt_row(attempt(outcome=Outcome.DISABLED, status_code=410)))


def test_a_providers_control_characters_reach_no_terminal() -> None:
    nasty = "The \x1b[31mRed\x1b[0m\u202e Door\nand\tmore\x07"
    rows = [change_row(event(name=nasty), AT), attempt_row(attempt(name=nasty))]

    for row in rows:
        assert "\x1b" not in plain(row)
        assert "\n" not in plain(row)
        assert "\u202e" not in plain(row)


def test_the_columns_of_a_terminal_are_aligned() -> None:
    rows = [change_row(event(name=name), AT) for name in ("Short", "王様ランキング", "A very long name of an episode " * 5)]
    changed = [styled(row, 100).plain.index("tagline") for row in rows]
    before = [cell_len(styled(row, 100).plain[:at]) for row, at in zip(rows, changed, strict=True)]

    assert len(set(before)) == 1


def test_a_narrow_terminal_shows_an_episodes_number_and_a_delivery_to_its_end() -> None:
    assert "Game of Thrones S01E02 " in styled(change_row(event(), AT), 80).plain
    assert styled(attempt_row(attempt(subscription="catalogue")), 80).plain.endswith("catalogue: webhook delivered in 12 ms")


@given(name=st.text(max_size=200), text=st.text(max_size=300), width=st.integers(20, 300))
def test_a_line_fits_the_terminal(name: str, text: str, width: int) -> None:
    shown = styled(Row(AT, "tmdb", name, text), width).plain

    assert cell_len(shown) <= max(NARROWEST, min(width, WIDEST))


@given(name=st.text(min_size=1, max_size=200))
def test_a_plain_line_has_no_escapes_whatever_the_name(name: str) -> None:
    shown = plain(change_row(event(name=name), AT))

    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 1
