from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changecast.sandbox.slack_limits import block_problems, text_problem
from schemas.event import Change, Image
from sinks.event import Event, read_event
from sinks.slack_blocks import MAX_TEXT, Message, digest_of, message_of
from sinks.slack_text import escaped_within, line, link, plain
from tests.sinks.worlds import change_event

STILL = Image(kind="still", url="https://image.example/o/1.jpg", thumbnail_url="https://image.example/w300/1.jpg", path="/1.jpg")


def event_of(number: int = 1, **fields: Any) -> Event:
    return read_event(change_event(number, **fields).to_json())


def texts(message: Message) -> list[str]:
    return [said(block) for block in message.blocks if block["type"] != "image"]


def said(block: dict[str, Any]) -> str:
    """What a block says: links as `<address|label>`, bold text in asterisks."""
    if block["type"] == "header":
        return str(block["text"]["text"])
    if block["type"] == "context":
        return "".join(element["text"] for element in block["elements"])
    parts = []
    for element in block["elements"][0]["elements"]:
        text = f"<{element['url']}|{element['text']}>" if element["type"] == "link" else element.get("text", "")
        parts.append(f"*{text}*" if element.get("style", {}).get("bold") else text)
    return "".join(parts)


def test_a_message_links_the_entity_shows_what_changed_the_picture_the_provider_and_the_time() -> None:
    change = Change(key="title", action="updated", language="en", before="The Kings Road", after="The Kingsroad")
    message = message_of(event_of(changes=[change], images=[STILL], url="https://www.themoviedb.org/tv/1399/season/1/episode/2"))
    section, what, picture, context = message.blocks
    assert said(section) == ("*<https://www.themoviedb.org/tv/1399/season/1/episode/2|Game of Thrones S01E02 The Kingsroad>*")
    assert said(what) == "title updated (en): The Kings Road → The Kingsroad"
    assert (picture["image_url"], picture["alt_text"]) == (STILL.thumbnail_url, "still of Game of Thrones S01E02 The Kingsroad")
    assert context["elements"][0]["text"].startswith("TMDB · 20")
    assert message.text == "Game of Thrones S01E02 The Kingsroad: title updated (en)"


def test_titles_stand_in_blocks_as_they_are_and_ping_nobody() -> None:
    for title in ("<!channel> & <@U123>", "M*A*S*H", "a `b` :tada: _c_ ~d~"):
        change = Change(key="title", action="updated", before=title, after=title)
        single = message_of(event_of(name=title, changes=[change], url="https://x.example/?a=1&b=<!here>|x"))
        burst = digest_of([event_of(n, name=title, changes=[change]) for n in range(9)])
        for message in (single, burst):
            assert sum(text.count(title) for text in texts(message)) >= 2
            # mrkdwn would take them for markup: nothing of it is left in the blocks
            assert "mrkdwn" not in json.dumps(message.blocks)
            for alone in (message.text, message.full):
                assert "<!" not in alone
                assert "<@" not in alone
                assert ("&lt;!channel&gt; &amp; &lt;@U123&gt;" if "<" in title else title) in message.full


def test_a_message_alone_as_text_still_has_names_links_and_values() -> None:
    url = "https://www.themoviedb.org/tv/1399"
    change = Change(key="title", action="updated", before="The Kings Road", after="The Kingsroad")
    single = message_of(event_of(changes=[change], images=[STILL], url=url)).without_blocks()
    assert single.blocks == []
    assert single.text.startswith(
        f"<{url}|Game of Thrones S01E02 The Kingsroad>\ntitle updated: The Kings Road → The Kingsroad\nTMDB · 20"
    )
    burst = digest_of([event_of(n, name=f"Part {n}", changes=[change], url=f"{url}/{n}") for n in range(8)]).without_blocks()
    assert burst.text.splitlines()[:3] == [
        "8 changes of Game of Thrones season 1",
        f"• <{url}/0|S01E02 Part 0>: title updated",
        f"• <{url}/1|S01E02 Part 1>: title updated",
    ]


def test_many_changes_are_cut_and_the_rest_is_counted() -> None:
    changes = [Change(key=f"field_{number}", action="updated", before="b", after="a") for number in range(40)]
    (what,) = [text for text in texts(message_of(event_of(changes=changes))) if text.startswith("•")]
    assert what.count("\n• ") == 11
    assert what.endswith("\nand 28 more")


def test_a_burst_becomes_one_digest_grouped_by_series_and_season() -> None:
    events = [event_of(number, name=f"Part {number}", images=[STILL]) for number in range(30)]
    message = digest_of(events)
    header, group, picture, _ = message.blocks
    assert said(header) == "30 changes of Game of Thrones season 1"
    assert said(group).startswith("• S01E02 Part 0: image added (en)\n• S01E02 Part 1:")
    assert said(group).endswith("\nand 27 more changes of Game of Thrones season 1")
    assert picture["image_url"] == STILL.thumbnail_url


def test_what_reads_the_same_is_said_once() -> None:
    changes = [Change(key="availabilities", action="updated", after="2038-04-01", native_id=str(number)) for number in range(3)]
    _, what, _ = message_of(event_of(changes=changes)).blocks
    assert said(what) == "availabilities updated: 2038-04-01"


def test_long_values_stand_below_each_other() -> None:
    before, after = "A raven comes to Winterfell with news of the king.", "A raven and a king come to Winterfell together."
    change = Change(key="overview", action="updated", before=before, after=after)
    _, what, _ = message_of(event_of(changes=[change])).blocks
    assert said(what) == f"description updated:\n{before}\n→ {after}"


def test_a_digest_tells_the_day_once() -> None:
    def at(time: str) -> Event:
        event = event_of()
        event.document["time"] = time
        return event

    def told(*times: str) -> str:
        return str(digest_of([at(time) for time in times]).blocks[-1]["elements"][0]["text"])

    assert told("2025-01-21T04:46:31Z", "2025-01-21T05:02:00Z") == "TMDB · 2025-01-21 04:46 to 05:02 UTC"
    assert told("2025-01-21T23:59:00Z", "2025-01-22T00:01:00Z") == "TMDB · 2025-01-21 23:59 UTC to 2025-01-22 00:01 UTC"
    assert told("2025-01-21T04:46:31Z", "2025-01-21T04:46:59Z") == "TMDB · 2025-01-21 04:46 UTC"


def test_several_shows_in_a_digest_have_a_heading_each_and_what_is_alone_takes_one_line() -> None:
    events = [event_of(1), event_of(2), event_of(3, entity="movie", name="Fight Club", parents=[], url="https://x.example/550")]
    _, headed, alone, _ = digest_of(events).blocks
    assert said(headed).startswith("*Game of Thrones season 1*\n• S01E02 The Kingsroad: ")
    assert said(alone) == "*<https://x.example/550|Fight Club>*: image added (en)"


def test_the_picture_is_one_that_is_still_there() -> None:
    gone = Change(key="images", action="deleted", before={"still": {"file_path": "/0.jpg"}})
    new = Change(key="images", action="added", after={"still": {"file_path": "/1.jpg"}})
    old = Image(kind="still", url="https://image.example/o/0.jpg", path="/0.jpg")
    pictures = [
        block["image_url"]
        for block in message_of(event_of(changes=[gone, new], images=[old, STILL])).blocks
        if block["type"] == "image"
    ]
    assert pictures == [STILL.thumbnail_url]


@pytest.mark.parametrize(("status", "words"), [("complete", ""), ("skipped", ""), ("forbidden", " · no access to the details")])
def test_a_message_says_when_the_details_could_not_be_had(status: str, words: str) -> None:
    event = event_of()
    event.document["data"]["enrichment"]["status"] = status
    context = message_of(event).blocks[-1]["elements"][0]["text"]
    assert context.partition(" UTC")[2] == words


def test_a_picture_without_a_web_address_is_left_out() -> None:
    broken = Image(kind="still", url="/relative.jpg", path="/1.jpg")
    assert all(block["type"] != "image" for block in message_of(event_of(images=[broken])).blocks)


wild = st.one_of(st.text(max_size=12), st.sampled_from(["&" * 3000, "<!channel>" * 40, "x" * 3000, "a b " * 300, "| > *_~` \n"]))
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 9),
    wild,
    st.lists(wild, max_size=8),
    st.dictionaries(st.text(max_size=5), wild, max_size=3),
)
keys = st.one_of(st.sampled_from(["images", "title", "entity", "gap"]), wild.filter(bool))
actions = st.sampled_from(["created", "added", "updated", "deleted"])
one_change = st.builds(Change, key=keys, action=actions, language=st.one_of(st.none(), wild), before=values, after=values)
some_changes = st.builds(lambda changes, times: changes * times, st.lists(one_change, max_size=3), st.integers(1, 20))
urls = st.one_of(
    st.none(), wild, st.sampled_from(["https://x.example/" + "&" * 3000, "https://x/1.jpg", "https://", "http:// x"])
)
some_images = st.lists(st.builds(Image, kind=wild, url=urls.map(str), path=wild), max_size=1)
some_events = st.builds(
    lambda name, changes, images, url: event_of(name=name, changes=changes, images=images, url=url),
    st.one_of(st.none(), wild),
    some_changes,
    some_images,
    urls,
)


def within_limits(message: Message) -> None:
    assert block_problems(message.blocks) == []
    assert text_problem({"text": message.text}) is None
    assert sum(map(len, texts(message))) + len(message.text) <= MAX_TEXT
    assert len(message.full) <= MAX_TEXT
    json.dumps(message.blocks)


@settings(deadline=None, max_examples=100)
@given(some_events)
def test_any_event_makes_a_message_within_slacks_limits(event: Event) -> None:
    within_limits(message_of(event))


@settings(deadline=None, max_examples=40)
@given(st.builds(lambda events, times: events * times, st.lists(some_events, min_size=2, max_size=5), st.integers(2, 20)))
def test_any_burst_makes_a_digest_within_slacks_limits(events: list[Event]) -> None:
    within_limits(digest_of(events))


@given(wild, st.integers(2, 200))
def test_escaped_text_keeps_its_length_and_holds_no_markup(text: str, most: int) -> None:
    made = escaped_within(text, most)
    assert len(made) <= most
    assert "<" not in made
    assert ">" not in made
    assert all(part.startswith(("amp;", "lt;", "gt;")) for part in made.split("&")[1:])


def test_a_label_without_a_web_address_is_plain() -> None:
    def written(label: str, url: str | None) -> str:
        return plain([line(link(label, url))])

    assert written("Nature", "javascript:alert(1)") == "Nature"
    assert written("Nature", None) == "Nature"
    assert written("A > B", "https://x.example/a?b&c|d") == "<https://x.example/a?b&amp;c%7Cd|A &gt; B>"
