from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from changecast.sandbox import Activity, Sandbox
from schemas.event import Action, Change
from tests.sinks.worlds import change_event

EVENT = {
    "id": "e1",
    "type": "changecast.tmdb.episode.images.added",
    "subject": "tmdb:episode:63057",
    "data": {
        "entity": {"name": "The Kingsroad <b>"},
        "images": [{"url": "http://elsewhere.example/images/tmdb/original/a.jpg"}],
    },
}


def signed(secret: str, webhook_id: str = "wh_1", body: bytes | None = None) -> dict[str, Any]:
    content = json.dumps(EVENT).encode() if body is None else body
    now = datetime.now(UTC)
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, content.decode()),
        "content-type": "application/cloudevents+json",
    }
    return {"data": content, "headers": headers}


async def test_a_signed_event_is_taken_and_listed(sandbox: Sandbox, client, clock):
    answer = await client.ask("/webhook", "POST", **signed(sandbox.webhook_secret))
    assert answer.status == 204
    listed = (await client.ask("/webhook/received")).body
    assert (listed["received"], listed["verified"], listed["duplicates"]) == (1, 1, 0)
    assert listed["receipts"] == [
        {
            "webhook_id": "wh_1",
            "event_id": "e1",
            "type": EVENT["type"],
            "subject": EVENT["subject"],
            "name": "The Kingsroad <b>",
            "endpoint": "/webhook",
            "verified": True,
            "refused": None,
            "time": clock.now,
            "duplicates": 0,
        }
    ]


async def test_a_wrong_or_missing_signature_is_refused(sandbox: Sandbox, client):
    other = "whsec_" + "A" * 44
    assert (await client.ask("/webhook", "POST", **signed(other))).status == 400
    assert (await client.ask("/webhook", "POST", data=b"{}")).status == 400
    changed = signed(sandbox.webhook_secret)
    changed["data"] += b" "
    assert (await client.ask("/webhook", "POST", **changed)).status == 400
    broken = signed(sandbox.webhook_secret)
    broken["headers"]["webhook-signature"] = "v1,?"
    assert (await client.ask("/webhook", "POST", **broken)).status == 400
    broken["headers"]["webhook-signature"] = "nonsense"
    assert (await client.ask("/webhook", "POST", **broken)).status == 400
    assert sandbox.webhooks.counts["bad_signature"] == 5


async def test_during_a_rotation_either_secret_may_sign(sandbox: Sandbox, client):
    sandbox.webhooks.secrets.append("whsec_" + "A" * 44)
    assert (await client.ask("/webhook", "POST", **signed("whsec_" + "A" * 44))).status == 204


async def test_repeats_are_counted_for_each_endpoint(sandbox: Sandbox, client):
    for path in ("/webhook", "/webhook", "/webhook/other"):
        assert (await client.ask(path, "POST", **signed(sandbox.webhook_secret))).status == 204
    assert [receipt.times for receipt in sandbox.webhooks.received] == [1, 2, 1]
    assert sandbox.webhooks.counts["duplicates"] == 1


async def test_a_body_that_is_no_event_is_still_received(sandbox: Sandbox, client):
    for body in (b"[]", b"no json", b""):
        answer = await client.ask("/webhook", "POST", **signed(sandbox.webhook_secret, "wh_2", body))
        assert answer.status == 204


async def test_the_page_shows_receipts_escaped_and_pictures_from_here(sandbox: Sandbox, client):
    await client.ask("/webhook", "POST", **signed(sandbox.webhook_secret))
    await client.ask("/slack/services/T0/B0/x", "POST", json={"text": "<script>alert(1)</script>"})
    sandbox.catalogue.edit("tmdb", "movie-poster-added", target=550)
    page = await client.ask("/")
    assert "The Kingsroad &lt;b&gt;" in page.body
    assert "<script>" not in page.body
    assert 'src="/images/tmdb/original/a.jpg"' in page.body
    assert "elsewhere.example" not in page.body
    assert "Fight Club" in page.body


async def test_the_page_tells_an_event_in_the_words_of_the_other_views(sandbox: Sandbox, client):
    still = {"still": {"file_path": "/1.jpg"}}
    event = change_event(changes=[Change(key="images", action=Action.ADDED, after=still)])
    await client.ask("/webhook", "POST", **signed(sandbox.webhook_secret, body=event.to_json()))
    page = await client.ask("/")
    assert "<p>Game of Thrones S01E02 The Kingsroad</p>" in page.body
    assert "still added<br>verified" in page.body


async def test_whoever_watches_is_told_of_edits_and_receipts():
    seen: list[Activity] = []
    sandbox = Sandbox(on_activity=seen.append)
    sandbox.catalogue.edit("tvdb", "touched", target=76156)
    assert [(activity.kind, activity.source) for activity in seen] == [("edit", "tvdb")]
    assert seen[0].text == "Scrubs: lastUpdated moved, nothing else did"
