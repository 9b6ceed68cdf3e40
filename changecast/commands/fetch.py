"""`changecast fetch URN`: the event that a change of an entity would make now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from schemas.config import Config


_NOTES = {
    "skipped": "the provider has nothing to fetch for this type; is the type right?",
    "not_found": "the provider does not know it; is the id right?",
    "forbidden": "the provider knows it, and these credentials may not read it",
    "partial": "a part of it could not be had just now",
}
"""What a status means to somebody who asked for one entity."""


@click.command("fetch", short_help="Print the event that a change of an entity would make now.")
@click.argument("urn")
@click.option("-c", "--config", type=click.Path(path_type=Path), help="The config file [default: changecast.yaml].")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Instead of the config's.")
@click.option("--compact", is_flag=True, help="One line, as it stands in the topic.")
def command(urn: str, config: Path | None, data_dir: Path | None, compact: bool) -> None:
    """Ask the provider for the entity and print, as JSON, the event that a change of it would make now. Nothing is written.

    Use it to see what a payload holds before you write a filter. URN is provider:type:id; an episode of TMDB may also be
    named by its series, season and number.

    \b
    Examples:
      changecast fetch tmdb:movie:550
      changecast fetch tmdb:series:1399/1/2
      changecast fetch tvdb:series:121361
      changecast fetch pbs:asset:6ab0b9b5-7e5d-4ba1-a4c5-cd0d5d1a2f3e
    """
    from changecast.operating import operating_config
    from producers.registry import REGISTRY
    from schemas.urn import Urn

    try:
        provider = Urn.parse(urn).provider
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URN") from None
    if provider not in REGISTRY:
        raise click.BadParameter(f"there is no provider {provider!r}: it is one of {', '.join(REGISTRY)}", param_hint="URN")
    _print_event(urn, operating_config(config, data_dir), compact)


def _print_event(urn: str, config: Config, compact: bool) -> None:
    import asyncio
    import logging
    import sys

    import orjson

    from changecast.operating import watches_sandbox
    from runtime.http import ProviderError, ProviderUnavailable
    from runtime.logs import set_up
    from streams.preview import preview

    set_up(logging.WARNING)
    try:
        event = asyncio.run(preview(config, urn))
    except ProviderUnavailable as error:
        hint = (
            ". The config has no provider's key, so the sandbox is asked, which `changecast up` runs"
            if watches_sandbox(config)
            else ""
        )
        raise click.ClickException(f"{urn}: {error}{hint}") from error
    except ProviderError as error:
        raise click.ClickException(f"{urn}: {error}") from error
    except ValueError as error:  # names the URN itself
        raise click.ClickException(str(error)) from error
    shown = event.to_json()
    if not compact:
        shown = orjson.dumps(orjson.loads(shown), option=orjson.OPT_INDENT_2)
    sys.stdout.buffer.write(shown + b"\n")
    if (note := _NOTES.get(event.data.enrichment.status.value)) is not None:
        sys.stdout.flush()
        click.echo(f"Note: {urn}: {note}", err=True)
