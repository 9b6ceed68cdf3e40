"""The tables of the commands on narrow terminals: what matters least is left out, and no word is taken apart letter by letter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console, Group, RenderableType

from changecast.dead import Dead
from changecast.dead_table import dead_table
from changecast.deliveries.attempts import Counts, Found
from changecast.deliveries.endpoint_tables import endpoints_table
from changecast.deliveries.endpoints import EndpointView
from changecast.deliveries.match_tables import events_table, summary_table
from changecast.deliveries.matching import Matched, Matches, Seen
from changecast.deliveries.tables import attempts_table, delivery, widths
from changecast.provider.feeds import FeedView, Overview
from changecast.provider.table import rendered
from schemas import dead
from schemas.cursor import Cursor
from schemas.delivery import EndpointState
from schemas.feed_status import FeedState, FeedStatus
from sinks.event import read_event
from sinks.signing import webhook_id
from tests.changecast.commands.operators import attempt
from tests.sinks.worlds import change_event

NOW = datetime(2025, 1, 21, 12, tzinfo=UTC)
LONG = "newsroom-of-the-north-west-with-a-name-as-long-as-they-may-be-64"
PBS = "a1b2c3d4-0000-4000-8000-123456789abc"


def endpoints(width: int) -> RenderableType:
    state = EndpointState(subscription="hook", since=NOW - timedelta(days=30))
    counts = Counts(delivered=12345, retried=678, dead=9, took=[1234.0])
    views = [
        EndpointView("hook", "webhook", state, counts, waiting=1234),
        EndpointView(LONG, "slack", None, Counts()),
        EndpointView("gone", None, state, Counts()),
    ]
    return endpoints_table(views, NOW, timedelta(days=5), timedelta(days=1), width)


def buried(width: int) -> RenderableType:
    origin = {"topic": "changecast.changes.tmdb", "partition": 1, "offset": 123456}
    error = "status 500: the receiver's own words, of which there may be some"
    to_hook = dead.headers(reason="attempts-exhausted", error=error, subscription="newsroom", **origin)  # type: ignore[arg-type]
    from_feed = dead.headers(reason="no-entity-id", error="an entry names no id", topic="pbs:changelog")
    return dead_table(
        [
            Dead(place, NOW, key, b"{}", {name: value.decode() for name, value in headers})
            for place, key, headers in (
                ("3/1234567", f"pbs:asset:{PBS}".encode(), to_hook),
                ("0/1", b"pbs:changelog", from_feed),
            )
        ],
        width,
    )


def feeds(width: int) -> RenderableType:
    cursor = Cursor(provider="tmdb", feed="movie", read_to=NOW - timedelta(hours=3), position={}, saved_at=NOW)
    status = FeedStatus(
        provider="tmdb",
        feed="movie",
        state=FeedState.RETRYING,
        worker="host:1",
        started_at=NOW,
        at=NOW,
        polled_at=NOW - timedelta(minutes=12),
        until=NOW + timedelta(seconds=59),
        requests=1234567,
        events=54321,
        statistics={"sweep_age_s": 6000, "listed": 1301, "fresh": 12, "days_behind": 1},
    )
    return rendered(Overview(NOW, [FeedView("tmdb", "movie", cursor, status), FeedView("pbs", "changelog")], 1, []), width)


def matched(name: str, subject: str = "63057") -> Matched:
    event = change_event(1, provider="pbs", entity="asset", entity_id=subject, name="The Kingsroad, told in a long name")
    found = Matched(name, keep=5)
    found.add(Seen(read_event(event.to_json()), NOW, "changecast.changes.pbs", 0, 7))
    return found


def summary(width: int) -> RenderableType:
    return summary_table(Matches(1, 0, [matched("hook"), matched(LONG)]), width)


def matching(width: int) -> RenderableType:
    return events_table(matched("hook", PBS), width, whole=False)


def one_delivery(width: int) -> RenderableType:
    failed = attempt(1, outcome="retry", status_code=None, error="no answer within 15 s", address="2001:db8::1234", next_at=NOW)
    return Group(*delivery([failed, attempt(1, attempt=2)], width).renderables[7:])  # type: ignore[attr-defined]


def attempts(width: int) -> RenderableType:
    found = [attempt(1, LONG, outcome="retry", status_code=503), attempt(2, "hook")]
    return attempts_table(Found(found, 2, 0), widths(found, width))


TABLES = (attempts, endpoints, buried, feeds, summary, matching, one_delivery)


def lines(table: Callable[[int], RenderableType], width: int) -> list[str]:
    console = Console(width=width, highlight=False, markup=False, color_system=None)
    with console.capture() as capture:
        console.print(table(width))
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_a_table_fits_its_terminal_with_whole_words_in_its_header(table: Callable[[int], RenderableType], width: int) -> None:
    found = lines(table, width)
    assert all(len(line) <= width for line in found)
    whole = lines(table, 320)[0].split()
    assert found[0].split()
    assert all(word in whole for word in found[0].split())


@pytest.mark.parametrize(
    ("table", "width", "there", "spared"),
    [
        (attempts, 60, "subscription entity outcome id", "when"),
        (attempts, 80, "when subscription entity try outcome code id", "what"),
        (attempts, 120, "when subscription entity what try outcome code ms id", ""),
        (endpoints, 60, "subscription state sent failed waiting", "since"),
        (endpoints, 80, "given waiting median", "since"),
        (endpoints, 120, "since", ""),
        (buried, 60, "record about error", "reason"),
        (buried, 80, "error", "from"),
        (feeds, 60, "feed state behind", "requests"),
        (feeds, 80, "feed state behind", "requests"),
        (feeds, 120, "last poll", ""),
        (summary, 60, "subscription matches", ""),
        (matching, 60, "entity what", "urn"),
        (matching, 120, "urn", ""),
        (one_delivery, 60, "try outcome code error", "address"),
        (one_delivery, 120, "address next", ""),
    ],
)
def test_what_matters_least_is_left_out_first(
    table: Callable[[int], RenderableType], width: int, there: str, spared: str
) -> None:
    header = lines(table, width)[0].split()
    assert set(there.split()) <= set(header)
    assert not spared or spared not in header


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_each_line_of_a_narrow_table_names_what_it_is_of(table: Callable[[int], RenderableType]) -> None:
    first = {line.split()[0] for line in lines(table, 60) if line and line[0] != " "}
    expected = {
        "attempts": {"hook"},
        "endpoints": {"hook", "gone"},
        "buried": {"3/1234567", "0/1"},
        "feeds": {"tmdb:movie", "pbs:changelog"},
        "summary": {"hook"},
        "matching": {"01-21"},
        "one_delivery": set(),
    }
    assert expected[table.__name__] <= first


@pytest.mark.parametrize("width", [60, 80, 120])
def test_an_attempts_line_ends_with_the_digits_by_which_it_is_shown(width: int) -> None:
    ids = [line.split()[-1] for line in lines(attempts, width)[1:3]]
    assert ids == [webhook_id(f"event-63057-{number}", name)[:12] for number, name in ((1, LONG), (2, "hook"))]


def test_a_sentence_goes_on_in_the_next_line_by_its_words() -> None:
    shown = " ".join(" ".join(lines(buried, 60)).split())
    for word in ("receiver's", "words,", "entry", "names"):
        assert word in shown
