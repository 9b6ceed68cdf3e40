"""`changecast endpoints test`: one event sent to an endpoint now, request and answer shown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from changecast.asking import asked
from changecast.deliveries.named import newest_named
from changecast.options import echo_json, places, progress, subscription_of, where_or_why

if TYPE_CHECKING:
    from changecast.operating import Operating
    from schemas.config import Config, Subscription
    from sinks.event import Event
    from sinks.trial import Exchange, Trial

_WINDOWS = (timedelta(hours=1), timedelta(days=1), timedelta(days=14))
"""How far back an event that matches is looked for: the newest is wanted, and two weeks of events take a while to read."""
_SHOWN_BYTES = 2048

Origin = Literal["file", "named", "kept", "sample"]
_ORIGINS: dict[Origin, str] = {
    "file": "from the file",
    "named": "the newest kept one of that name",
    "kept": "the newest kept one that the filter matches",
    "sample": "a sample",
}


@dataclass(frozen=True)
class Chosen:
    event: Event
    origin: Origin


@click.command(
    "test",
    short_help="Send one event now, and show request and answer.",
    epilog="""\b
    Examples:
      changecast endpoints test newsroom
      changecast endpoints test newsroom --event tmdb:movie:550
      changecast fetch tmdb:movie:550 > event.json && changecast endpoints test newsroom --event event.json
      changecast endpoints test newsroom --json || echo not accepted""",
)
@places
@click.argument("subscription")
@click.option(
    "--event",
    "named",
    metavar="URN|FILE",
    help="Send the newest kept event of this entity, the event with this id, or the one in this JSON file "
    "[default: the newest that the filter matches, else a sample].",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def test(config: Path | None, data_dir: Path | None, subscription: str, named: str | None, as_json: bool) -> None:
    """Send one event to the endpoint of SUBSCRIPTION now, and show the request and the answer, secrets redacted.

    It goes out as any delivery does: in the webhook's format, signed, past the address guard, within delivery.timeout. It
    is sent once, also to an endpoint that is disabled, and whether or not the filter matches. Its id and webhook-id are its
    own, so the receiver takes no true delivery for a repeat of it. Nothing of it is counted or kept: no attempt on record,
    no failure of the endpoint; an answer of 410 disables nothing.

    Kafka is needed only for events that are kept there. Exit code 1 when the endpoint did not accept it.
    """
    from changecast.deliveries.trial_text import lines
    from sinks.signing import BadSecret
    from sinks.trial import send_trial

    settings, chosen = _chosen(config, data_dir, subscription, named)
    target = subscription_of(settings, subscription)
    try:
        trial = asyncio.run(send_trial(settings, target, chosen.event))
    except BadSecret as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        echo_json(_document(target, chosen, trial), indented=True)
    else:
        for line in lines(target, _ORIGINS[chosen.origin], trial, _SHOWN_BYTES):
            click.echo(line)
    if not _accepted(trial):
        click.get_current_context().exit(1)


def _accepted(trial: Trial) -> bool:
    from sinks.answer import Meaning

    return trial.answer.meaning is Meaning.DELIVERED


def _chosen(path: Path | None, data_dir: Path | None, subscription: str, named: str | None) -> tuple[Config, Chosen]:
    """The config, and what is sent. Raises ClickException and BadParameter."""
    from changecast.operating import operating_config

    settings = operating_config(path, data_dir)
    target = subscription_of(settings, subscription)
    if named is not None and Path(named).is_file():
        return settings, Chosen(_read(Path(named)), "file")
    where = where_or_why(path, data_dir)
    if not isinstance(where, str):
        return settings, _kept(where, target, named)
    if named is not None:
        raise click.ClickException(where)
    click.echo(f"{where}. A sample is sent.", err=True)
    return settings, _sample(target)


def _kept(where: Operating, target: Subscription, named: str | None) -> Chosen:
    if named is not None:
        if (seen := newest_named(where, named)) is None:
            raise click.ClickException(
                f"no event of {named} is kept, and there is no such file: "
                f"`changecast fetch URN > event.json` makes an event of an entity, and `--event event.json` sends it"
            )
        return Chosen(seen.event, "named")
    event = None if target.alerts_only else _newest_matching(where, target)
    return _sample(target) if event is None else Chosen(event, "kept")


def _newest_matching(where: Operating, target: Subscription) -> Event | None:
    from changecast.deliveries.matching import matches
    from changecast.deliveries.span import Span

    for window in _WINDOWS:
        with progress("looking for an event") as report:
            found = asked(where.cluster, matches(where.cluster, [target], Span.last(window), 1, report))
        if found.of[0].last:
            return found.of[0].last[-1].event
    return None


def _sample(target: Subscription) -> Chosen:
    from sinks.trial import sample_alert, sample_event

    now = datetime.now(UTC)
    return Chosen(sample_alert(now) if target.alerts_only else sample_event(now), "sample")


def _read(path: Path) -> Event:
    from sinks.event import UnreadableEvent, read_event

    try:
        return read_event(path.read_bytes())
    except OSError as error:
        raise click.BadParameter(f"{path} can't be read: {error.strerror}", param_hint="--event") from None
    except UnreadableEvent as error:
        raise click.BadParameter(f"{path} holds no event: {error}", param_hint="--event") from None


def _document(target: Subscription, chosen: Chosen, trial: Trial) -> dict[str, Any]:
    answer = trial.answer
    return {
        "subscription": target.name,
        "endpoint": "webhook" if target.webhook is not None else "slack",
        "accepted": _accepted(trial),
        "error": answer.error,
        "error_class": answer.error_class,
        "event": {"id": trial.event.id, "subject": trial.event.subject, "from": chosen.origin},
        "exchanges": list(map(_exchange, trial.exchanges)),
    }


def _exchange(one: Exchange) -> dict[str, Any]:
    from changecast.deliveries.trial_text import redacted_headers, redacted_url, text_of

    reply = one.reply
    return {
        "request": {
            "method": "POST",
            "url": redacted_url(one.url),
            "headers": dict(redacted_headers(one.headers)),
            "body": text_of(one.body, len(one.body)),
        },
        "answer": {
            "status": reply.status,
            "headers": dict(redacted_headers(reply.headers or {})),
            "body": text_of(reply.body, len(reply.body)),
            "ms": reply.ms,
            "address": reply.address,
            "error": reply.error,
            "error_class": reply.error_class,
            "note": reply.note,
        },
    }
