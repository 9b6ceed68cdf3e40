"""What operators' commands take alike: which config and Kafka, from when to when, tables and a progress bar."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

    from changecast.operating import Operating
    from schemas.config import Config, Subscription

_F = TypeVar("_F", bound=Callable[..., Any])

PIPED_WIDTH = 320
"""Columns where nobody looks: no cell is cut, so that output can be searched."""
_PATIENCE_S = 0.5
"""What is read faster than this needs no progress bar."""


def places(function: _F) -> _F:
    """The options that say which config and which Kafka are meant."""
    function = click.option("--data-dir", type=click.Path(path_type=Path), help="Instead of the config's.")(function)
    return click.option("-c", "--config", type=click.Path(path_type=Path), help="The config file [default: changecast.yaml].")(
        function
    )


def utc(moment: datetime) -> str:
    """A time as all commands show it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


class Listing(click.Group):
    """A group that lists where no other of its commands is named: `changecast endpoints`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


class Moment(click.ParamType):
    """An age as 90m, or a time in UTC."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        from schemas.config.durations import parse_since

        try:
            moment = parse_since(value)
        except ValueError:
            self.fail(f"{value!r} is no age or time: write 90m, 2h, 2025-01-31 or 2025-01-31T18:00 (UTC)", param, ctx)
        return datetime.now(UTC) - moment if isinstance(moment, timedelta) else moment


def until_now(since: datetime, until: datetime | None) -> datetime:
    """The end of the time that is asked for, now at the latest. Raises UsageError where nothing lies before it."""
    end = min(until or datetime.now(UTC), datetime.now(UTC))
    if since >= end:
        raise click.UsageError("the time is empty: --until must be after --since, and --since in the past")
    return end


def where_of(config: Path | None, data_dir: Path | None) -> Operating:
    """The config and the Kafka that answers. Raises ConfigError, ClickException."""
    found = where_or_why(config, data_dir)
    if isinstance(found, str):
        raise click.ClickException(found)
    return found


def where_or_why(config: Path | None, data_dir: Path | None) -> Operating | str:
    """The same, or why no Kafka answers. Raises ConfigError."""
    import logging

    from changecast.operating import NotRunning, operating
    from runtime.logs import set_up

    _quiet()
    try:
        found: Operating | str = operating(config, data_dir)
    except NotRunning as error:
        found = str(error)
    set_up(logging.WARNING)
    _quiet()  # which `set_up` has undone
    return found


def _quiet() -> None:
    """Kafka's client logs as errors what it then tries again, as while a broker starts, and asyncio what its tasks end by when that is
    gone; what matters is raised."""
    import logging

    for library in ("aiokafka", "asyncio"):
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)


def subscription_of(config: Config, name: str) -> Subscription:
    """The subscription with this name. Raises BadParameter that names the nearest."""
    for subscription in config.subscriptions:
        if subscription.name == name:
            return subscription
    raise unknown_subscription(name, (subscription.name for subscription in config.subscriptions))


def unknown_subscription(name: str, names: Iterable[str]) -> click.BadParameter:
    known = list(names)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
    return click.BadParameter(f"there is no subscription {name!r}; {hint}", param_hint="subscription")


def echo_json(document: Any, *, indented: bool = False) -> None:
    """A document for programs, with secrets redacted: an older version may have written them."""
    import orjson

    from schemas.redaction import redact_all

    click.echo(orjson.dumps(redact_all(document), option=orjson.OPT_UTC_Z | (orjson.OPT_INDENT_2 if indented else 0)))


def output() -> Console:
    """Where tables go. Colours and the terminal's width when somebody looks, plain and wide when not."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


@contextmanager
def progress(words: str) -> Iterator[Callable[[int, int], None]]:
    """Yields `report(done, total)`. Something is shown only on a terminal, and only for what takes a while."""
    from time import monotonic

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    if not sys.stderr.isatty():
        yield lambda done, total: None  # noqa: ARG005
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(words, total=None)
    began = monotonic()

    def report(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if not bar.live.is_started and monotonic() - began > _PATIENCE_S:
            bar.start()

    try:
        yield report
    finally:
        bar.stop()
