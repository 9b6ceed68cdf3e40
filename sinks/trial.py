"""One event sent to an endpoint now, beside the deliveries: by the same sender, guard, time-outs and signature, and on no record.

What is sent is a copy of an event with an id of its own, so that its webhook-id is its own too: a receiver that remembers ids will not take
the true event for a repeat.
"""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from runtime.outbound import Outbound
from schemas.alert import AlertKind, Told
from schemas.config import Config, Subscription
from schemas.delivery import EndpointState
from schemas.event import Change, ChangeData, ChangeEvent, Enrichment, Entity, Image, Parent, Status
from sinks.alerting import alert
from sinks.answer import Answer
from sinks.client import Client, HttpClient, Rate, Reply
from sinks.event import Event, read_event
from sinks.senders import sender_of

_MARK = "test"
_SAMPLE_FAILING = timedelta(hours=60)


@dataclass(frozen=True)
class Exchange:
    """A request and what came back, as they were."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    reply: Reply


@dataclass(frozen=True)
class Trial:
    """`exchanges`: that of the event is the last one; before it may come one for a token, or one that was refused and mended."""

    event: Event
    answer: Answer
    exchanges: tuple[Exchange, ...]


class _Recorder:
    """A client that keeps what goes through it."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self.exchanges: list[Exchange] = []

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        rate: Rate | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        within_s: float | None = None,
    ) -> Reply:
        reply = await self._client.post(url, body, headers, rate, tls=tls, within_s=within_s)
        self.exchanges.append(Exchange(url, headers, body, reply))
        return reply


async def send_trial(config: Config, subscription: Subscription, event: Event) -> Trial:
    """Raises signing.BadSecret when a secret of the config can't sign."""
    network = config.network
    client = Client(config.delivery, network.allow, network.nameservers, Outbound.of(network))
    recorder = _Recorder(client)
    copy = as_trial(event)
    try:
        answer = await sender_of(subscription, config, recorder, None).send([copy])
    finally:
        await client.aclose()
    return Trial(copy, answer, tuple(recorder.exchanges))


def as_trial(event: Event) -> Event:
    """The same event with an id that no other has."""
    document = {**event.document, "id": f"{event.id}:{_MARK}:{uuid.uuid4().hex[:12]}"}
    return read_event(orjson.dumps(document))


def sample_event(now: datetime) -> Event:
    """A change as a provider might report one."""
    picture = "https://example.org/changecast-sample.jpg"
    sample = ChangeEvent(
        id="tmdb:episode:63057:sample",
        source="urn:changecast:tmdb",
        type="changecast.tmdb.episode.images.added",
        subject="tmdb:episode:63057",
        time=now,
        data=ChangeData(
            provider="tmdb",
            entity=Entity(
                type="episode",
                native_type="tv_episode",
                id="63057",
                name="The Kingsroad",
                url="https://www.themoviedb.org/tv/1399/season/1/episode/2",
                parents=[
                    Parent(type="series", id="1399", name="Game of Thrones"),
                    Parent(type="season", id="3624", number=1),
                ],
                number=2,
            ),
            changes=[
                Change(key="images", action="added", language="en", after={"still": {"file_path": "/changecast-sample.jpg"}})
            ],
            images=[Image(kind="still", url=picture, width=1920, height=1080, language="en", path="/changecast-sample.jpg")],
            enrichment=Enrichment(status=Status.COMPLETE, fetched_at=now),
            observed_at=now,
        ),
    )
    return read_event(sample.to_json())


def sample_alert(now: datetime) -> Event:
    """An alert about an endpoint that is not there."""
    state = EndpointState(subscription="sample", since=now, failing_since=now - _SAMPLE_FAILING, failing_percent=50)
    made = alert(AlertKind.FAILING, Told(subscription="sample"), state, "webhook", now.astimezone(UTC), 2 * _SAMPLE_FAILING)
    return read_event(made.to_json())
