"""`changecast provider list|backfill|resync`: how the feeds are doing, a range read again, an entity told once more."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from changecast.asking import asked
from changecast.options import Listing, echo_json, output, places, where_of

if TYPE_CHECKING:
    from changecast.operating import Operating
    from producers.backfill import Range


@click.group(
    "provider",
    cls=Listing,
    short_help="See how the feeds are doing, read a range again, tell an entity once more.",
    epilog="""\b
    Examples:
      changecast provider
      changecast provider list --json
      changecast provider backfill tmdb --since 2025-01-01 --until 2025-01-05
      changecast provider resync tmdb:movie:550""",
)
def command() -> None:
    """The providers' feeds: how far each has been read, and what to do when something is missing downstream."""


@command.command(
    "list",
    short_help="How each feed is doing.",
    epilog="\b\nExamples:\n  changecast provider list\n  changecast provider list --json",
)
@places
@click.option("--json", "as_json", is_flag=True, help="For programs: all that is known, as JSON.")
def list_(config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """One line a feed: what it is doing, how far it has been read, what it has cost. The last errors stand below."""
    from changecast.provider.feeds import overview
    from changecast.provider.table import rendered

    where = where_of(config, data_dir)
    found = asked(where.cluster, overview(where.config, where.cluster, datetime.now(UTC)))
    if as_json:
        echo_json(found.as_json(), indented=True)
        return
    console = output()
    console.print(rendered(found, console.width))


class _Moment(click.ParamType):
    """A date, a time in UTC, or an age as 36h. A date alone is its first moment, or with `end` its last."""

    name = "when"

    def __init__(self, *, end: bool = False) -> None:
        self._end = end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        from schemas.config.durations import parse_since

        try:
            moment = parse_since(value)
        except ValueError:
            self.fail(f"{value!r} is no date, time or age: write 2025-01-31, 2025-01-31T18:00 or 36h", param, ctx)
        if isinstance(moment, timedelta):
            return datetime.now(UTC) - moment
        if self._end and len(value) == len("2025-01-31"):
            return moment + timedelta(days=1, microseconds=-1)
        return moment


@command.command("backfill", short_help="Read a range of a provider again.")
@places
@click.argument("provider")
@click.option("--since", required=True, type=_Moment(), help="From when: 2025-01-01, 2025-01-01T06:00 (UTC) or 36h.")
@click.option("--until", type=_Moment(end=True), help="Up to when, the day included [default: now].")
@click.option("--feed", "feeds", multiple=True, help="Only this one, as movie. May be given again.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Requests/s [default: a third of what polling has].")
def backfill(
    config: Path | None,
    data_dir: Path | None,
    provider: str,
    since: datetime,
    until: datetime | None,
    feeds: tuple[str, ...],
    rate: float | None,
) -> None:
    """Read a range of PROVIDER again. Repeats are dropped within the provider's dedupe_window; the rest is published late.

    The worker that polls goes on with that many requests/s less, and its cursors stay where they are. Changes that are older than the
    dedupe_window are published again; the command warns of it.

    \b
    Examples:
      changecast provider backfill tmdb --since 2025-01-01 --until 2025-01-05
      changecast provider backfill tmdb --since 2025-01-01 --feed movie
      changecast provider backfill pbs --since 36h
    """
    from changecast.provider.backfilling import run_backfill
    from producers.backfill import Range, UnknownFeed, check_feeds
    from runtime.http import ProviderError

    where = where_of(config, data_dir)
    _check_provider(where, provider, "PROVIDER")
    now = datetime.now(UTC)
    span = Range(since, until or now)
    try:
        span.check(now)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    _warn_of_repeats(provider, where.config.providers.configured()[provider].dedupe_window, span, now)
    try:
        asyncio.run(check_feeds(provider, where.config.providers.configured()[provider], feeds))
    except UnknownFeed as error:
        raise click.BadParameter(str(error), param_hint="--feed") from None
    try:
        run_backfill(where, provider, span, feeds, rate)
    except (ProviderError, ValueError) as error:
        raise click.ClickException(f"{provider}: {error}") from error


def _warn_of_repeats(provider: str, window: timedelta, span: Range, now: datetime) -> None:
    """A range that begins before the dedupe window."""
    if now - span.since > window:
        from schemas.config.durations import format_duration

        click.echo(
            f"Warning: {provider} remembers what it has published for {format_duration(window)} (dedupe_window). Changes before"
            f" {now - window:%Y-%m-%d %H:%M} UTC that were published already are published again, with the same ids.",
            err=True,
        )


@command.command("resync", short_help="Publish the state of an entity once more.")
@places
@click.argument("urn")
@click.option("--force", is_flag=True, help="Also of what the provider does not know (any more): receivers are told so.")
def resync(config: Path | None, data_dir: Path | None, urn: str, force: bool) -> None:
    """Publish the state of an entity once more, as an event with an id of its own: for a receiver that has lost it.

    URN is provider:type:id; an episode of TMDB is named by its series, season and number. The provider is asked first: what
    it does not know is not published.

    \b
    Examples:
      changecast provider resync tmdb:movie:550
      changecast provider resync tmdb:series:1399/1/2
    """
    from changecast.provider.resyncing import NotKnown, run_resync
    from runtime.http import ProviderError
    from schemas.urn import Urn

    try:
        named = Urn.parse(urn)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URN") from None
    where = where_of(config, data_dir)
    _check_provider(where, named.provider, "URN")
    try:
        event = run_resync(where, named, force=force)
    except NotKnown as error:
        raise click.ClickException(f"{urn}: {error} Nothing is published; --force does so all the same") from None
    except ProviderError as error:
        raise click.ClickException(f"{urn}: {error}") from error
    called = f" ({event.data.entity.name})" if event.data.entity.name else ""
    click.echo(f"{event.subject}{called} will be published once more, as {event.id}.")


def _check_provider(where: Operating, provider: str, hint: str) -> None:
    configured = where.config.providers.configured()
    if provider not in configured:
        names = ", ".join(configured) or "none"
        message = f"{provider!r} is not a provider with credentials; there are: {names}"
        raise click.BadParameter(message, param_hint=hint)
