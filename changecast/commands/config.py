"""`changecast config`: look a config over before it is used."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from ruamel.yaml import YAML

from changecast.sandbox.credentials import environment as sandbox_environment
from changecast.sandbox.credentials import new_webhook_secret
from schemas.config import Config, Loaded, Place, Subscription, Value, read_config

_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")

_config_file = click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("changecast.yaml"),
    show_default=True,
    metavar="FILE",
    help="The config file.",
)


@click.group("config", epilog="\b\nExamples:\n  changecast config check\n  changecast config show -c my.yaml")
def command() -> None:
    """Look the config over: is it right, and what does it come to?"""


@command.command(
    "check",
    short_help="Say everything that is wrong with it, with line and column.",
    epilog="\b\nExamples:\n  changecast config check\n  changecast config check -c my.yaml && echo fine",
)
@_config_file
def check(path: Path) -> None:
    """Say everything that is wrong with the config, with line and column. Exit code 78 if anything is."""
    loaded = _read(path)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning.render()}\n", err=True)
    for line in _summary(loaded):
        click.echo(line)


@command.command(
    "show", short_help="Print it with every default filled in.", epilog="\b\nExample:\n  changecast config show -c my.yaml"
)
@_config_file
def show(path: Path) -> None:
    """Print the config with every default filled in, as YAML. Secrets are masked; one from a file is shown by the file's name."""
    text = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = 200
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel.yaml declares it None
    loaded = _read(path)
    shown = _shown(loaded.config)
    for place, named in loaded.files.items():
        _name_file(shown, place, named)
    yaml.dump(shown, text)
    click.echo(text.getvalue(), nl=False)


def _read(path: Path) -> Loaded:
    """The config, also when it names what only `changecast up` sets, once the sandbox runs: a stand-in lets the rest be checked."""
    stand_ins = sandbox_environment("http://127.0.0.1:9", new_webhook_secret())
    return read_config(path, environ={**stand_ins, **os.environ})


def _summary(loaded: Loaded) -> list[str]:
    """What an operator wants to be sure of: who is polled, who is not and why, who is told."""
    config = loaded.config
    width = max(map(len, [*config.providers.named(), *(subscription.name for subscription in config.subscriptions), "none"]))
    lines = [f"{loaded.path} is good."]
    for name, provider in config.providers.named().items():
        state = f"polled every {_duration(provider)}" if provider.configured else f"not configured{_reason(loaded, name)}"
        lines.append(f"  provider      {name:<{width}}  {state}")
    if not config.providers.named():
        lines.append("  provider      none: nothing is polled")
    elif not config.providers.configured():
        lines.append("                no provider is configured: `changecast up` watches the sandbox")
    for subscription in config.subscriptions:
        lines.append(f"  subscription  {subscription.name:<{width}}  {_what(subscription)}")
    return lines


def _what(subscription: Subscription) -> str:
    words = "to webhook" if subscription.webhook is not None else "to slack"
    if subscription.alerts:
        words += ", alerts only" if subscription.alerts_only else ", with alerts"
    now = datetime.now(UTC)
    if (webhook := subscription.webhook) is not None and any(one.until > now for one in webhook.previous_secrets):
        until = max(one.until for one in webhook.previous_secrets).astimezone(UTC)
        words += f", also signed with a previous secret until {until:%Y-%m-%d %H:%M} UTC"
    return words


def _reason(loaded: Loaded, provider: str) -> str:
    names = loaded.unset.get(provider, ())
    return f" ({', '.join(names)} {'is' if len(names) == 1 else 'are'} not set)" if names else " (it has no credentials)"


def _duration(provider: Any) -> str:
    return str(provider.model_dump(include={"interval"})["interval"])


def _shown(config: Config) -> Any:
    """The config as plain values: secrets as stars (pydantic's own), users and passwords of addresses too. What is null is left out:
    for `language` a null that is written would mean something else."""
    shown = _masked(config.model_dump(mode="json", by_alias=True, exclude_none=True))
    for section, proxy in (("network", config.network.proxy), ("delivery", config.delivery.proxy)):
        if proxy is not None:
            shown[section]["proxy"] = _host_of(proxy.get_secret_value())
    for written, subscription in zip(shown["subscriptions"], config.subscriptions, strict=True):
        if subscription.webhook is not None:
            written["webhook"]["url"] = _host_of(subscription.webhook.url)
        elif subscription.slack is not None and subscription.slack.webhook_url is not None:
            written["slack"]["webhook_url"] = _host_of(subscription.slack.webhook_url.get_secret_value())
    return shown


def _host_of(url: str) -> str:
    """A webhook's scheme and host: its path and query are all that protects many of them."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return (
        f"{parts.scheme}://{'***@' if '@' in parts.netloc else ''}{host}{'/***' if parts.path.strip('/') or parts.query else ''}"
    )


def _name_file(shown: Any, place: Place, named: Value) -> None:
    """Writes `token_file: path` in place of the masked `token`."""
    *above, key = place
    for part in above:
        if isinstance(shown, list) and not isinstance(part, int):
            (shown,) = shown  # written without its list, as the only one
        shown = shown[part]
    if isinstance(shown, list):
        (shown,) = shown
    del shown[key]
    shown[f"{key}_file"] = named


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return _USER_IN_URL.sub("***", value) if isinstance(value, str) else value
