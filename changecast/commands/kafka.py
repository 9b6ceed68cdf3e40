"""`changecast kafka start|stop|status`: the embedded broker on its own."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from changecast.kafka import Status
    from schemas.config import Kafka, Network

_F = TypeVar("_F", bound=Callable[..., Any])
_PLAIN_STEPS = 4  # lines for a whole download where there is no bar: a log is no place for more


@dataclass(frozen=True)
class Where:
    """What the options and the config say of the broker. `data_dir`: where a start puts it; `running_in`: where one that runs may be,
    the likeliest first."""

    data_dir: Path
    running_in: tuple[Path, ...]
    port: int
    heap: str
    network: Network
    kafka: Kafka


def _places(with_port: bool) -> Callable[[_F], _F]:
    """The options that all three have."""
    options = [
        click.option(
            "-c",
            "--config",
            type=click.Path(dir_okay=False, path_type=Path),
            help="The config whose data_dir and embedded_port count. Without: changecast.yaml or the example, when there is one.",
        ),
        click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Instead of the config's."),
    ]
    if with_port:
        options.append(
            click.option("--port", type=click.IntRange(0, 65535), help="Instead of the config's 9092; 0 takes a free one.")
        )

    def add(function: _F) -> _F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


@click.group(
    name="kafka",
    short_help="Start, stop or look at the embedded Kafka.",
    epilog="""\b
    Examples:
      changecast kafka start                     start it, and leave it running
      changecast kafka start --foreground        run it here until Ctrl-C
      changecast kafka start --data-dir d --port 0
      changecast kafka status                    exit code 0 when it runs, 1 when not
      changecast kafka stop""",
)
def command() -> None:
    """The embedded Kafka: one Apache Kafka node on 127.0.0.1, with its data in <data_dir>/kafka.

    `changecast up` starts and stops it by itself. These commands are for running it longer than that, or alone."""


@command.command(
    epilog="""\b
    Examples:
      changecast kafka start
      changecast kafka start -c my.yaml
      changecast kafka start --foreground --data-dir d --port 0"""
)
@_places(with_port=True)
@click.option("--foreground", is_flag=True, help="Stay, and stop the broker at Ctrl-C or when this process ends.")
def start(config: Path | None, data_dir: Path | None, port: int | None, foreground: bool) -> int:
    """Start the broker and return when it answers. One that already runs is left as it is.

    The first start downloads Kafka (45 MB) into the cache."""
    return asyncio.run(_start(_where(config, data_dir, port), foreground))


@command.command(epilog="\b\nExample:\n  changecast kafka stop --data-dir .changecast")
@_places(with_port=False)
@click.option("--force", is_flag=True, help="Even when a running `changecast up` uses it.")
def stop(config: Path | None, data_dir: Path | None, force: bool) -> int:
    """Stop the broker; its data stays."""
    return asyncio.run(_stop(_where(config, data_dir), force))


@command.command(short_help="Say whether the broker runs.", epilog="\b\nExample:\n  changecast kafka status && echo it runs")
@_places(with_port=False)
def status(config: Path | None, data_dir: Path | None) -> int:
    """Say whether the broker runs: exit code 0 when it does, 1 when not."""
    return asyncio.run(_status(_where(config, data_dir)))


@command.command(
    short_help="Print what another client needs to connect.",
    epilog="\b\nExample:\n  changecast kafka properties > client.properties\n  kafka-topics.sh --bootstrap-server 127.0.0.1:9092 "
    "--command-config client.properties --list",
)
@_places(with_port=False)
def properties(config: Path | None, data_dir: Path | None) -> int:
    """Print the properties with which another client connects to the embedded Kafka, as Kafka's own tools read them.

    With `kafka.embedded_auth: sasl` the password is among them: keep them to yourself."""
    return asyncio.run(_properties(_where(config, data_dir)))


def _where(config_path: Path | None, data_dir: Path | None, port: int | None = None) -> Where:
    # Here, not above: the config's models take longer to import than `--help` shall take.
    from changecast.operating import operating_config, usual_path
    from changecast.up.plan import SANDBOX_FOLDER
    from schemas.config import Config

    path = config_path or usual_path()
    if config_path or path.exists():
        config = operating_config(path)
        # where `up --data-dir` has it: below it, when the sandbox is watched
        places = [operating_config(path, data_dir).data_dir, data_dir or config.data_dir]
    else:
        config = Config()
        root = data_dir or config.data_dir
        places = [root, root / SANDBOX_FOLDER]
    return Where(
        data_dir or config.data_dir,
        tuple(places),
        config.kafka.embedded_port if port is None else port,
        config.kafka.embedded_heap,
        config.network,
        config.kafka,
    )


async def _found(where: Where) -> Status | None:
    """The broker that runs, in the likeliest place."""
    from changecast import kafka

    for place in where.running_in:
        if (found := await kafka.status(place)) is not None:
            return found
    return None


async def _properties(where: Where) -> int:
    from changecast.kafka.home import Home

    if where.kafka.bootstrap_servers is not None:
        raise click.ClickException(
            "the config names a cluster of its own (kafka.bootstrap_servers): its operator knows what it needs"
        )
    found = await _found(where)
    login, address = None, f"127.0.0.1:{where.port}"
    if found is not None:
        address = found.process.address
        login = Home(found.data_dir).login() if found.process.sasl else None
    elif where.kafka.embedded_auth == "sasl":
        login = next((login for place in where.running_in if (login := Home(place).login()) is not None), None)
        if login is None:
            raise click.ClickException("there is no login yet: the first `changecast up` or `changecast kafka start` makes it")
    click.echo(f"bootstrap.servers={address}")
    for line in ["security.protocol=PLAINTEXT"] if login is None else login.client_properties():
        click.echo(line)
    return 0


async def _start(where: Where, foreground: bool) -> int:
    from changecast.kafka import EmbeddedBroker, EmbeddedKafkaError
    from runtime.outbound import Outbound

    display = _Display()
    broker = EmbeddedBroker(
        where.data_dir,
        where.port,
        where.heap,
        on_progress=display.progress,
        on_step=display.step,
        foreground=foreground,
        outbound=Outbound.of(where.network),
        sasl=where.kafka.embedded_auth == "sasl",
    )
    try:
        address = await broker.start()
    except EmbeddedKafkaError as error:
        raise click.ClickException(str(error)) from None
    finally:
        display.close()
    if not broker.owned:  # it has been said that it runs
        return 0
    click.echo(f"Kafka runs at {address} (pid {broker.pid}, data in {broker.home.root}, {broker.java}).")
    return await _stay(broker) if foreground else 0


async def _stay(broker: Any) -> int:
    """Until a signal or the broker's end, whichever is first."""
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    click.echo("Ctrl-C stops it.")
    ended = asyncio.create_task(broker.wait_ended())
    signalled = asyncio.create_task(asked.wait())
    await asyncio.wait((ended, signalled), return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        signalled.cancel()
        await broker.stop()
        raise click.ClickException(str(ended.result()))
    ended.cancel()
    await broker.stop()
    click.echo("Kafka is stopped.")
    return 0


async def _stop(where: Where, force: bool) -> int:
    from changecast import kafka

    found = await _found(where)
    try:
        stopped = None if found is None else await kafka.stop(found.data_dir, force)
    except kafka.EmbeddedKafkaError as error:
        raise click.ClickException(str(error)) from None
    if stopped is None:
        click.echo(f"No Kafka runs for {where.data_dir}.")
    else:
        click.echo(f"Kafka at {stopped.address} (pid {stopped.pid}) is stopped.")
    return 0


async def _status(where: Where) -> int:
    found = await _found(where)
    if found is None:
        click.echo(f"No Kafka runs for {where.data_dir}.")
        return 1
    process = found.process
    rows = {
        "address": process.address + ("" if found.answers else " (does not answer yet)"),
        "pid": f"{process.pid}" + (f", ends with process {process.owner_pid}" if process.owner_pid else ""),
        "data": f"{found.data_dir / 'kafka'}",
        "uptime": _duration(found.uptime),
        "version": f"Apache Kafka {process.kafka_version}",
        "memory": f"{found.memory // 2**20} MB",
    }
    for name, value in rows.items():
        click.echo(f"{name:<8} {value}")
    return 0


def _duration(seconds: float) -> str:
    """`4 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60 % 60, whole // 3600 % 24, whole // 86400
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


class _Display:
    """Steps as lines; the download as a bar on a terminal, else as a few lines."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._told = -1

    def step(self, text: str) -> None:
        self.close()
        click.echo(text)

    def progress(self, done: int, total: int) -> None:
        if sys.stdout.isatty():
            self._show_bar(done, total)
            return
        quarter = done * _PLAIN_STEPS // total if total else _PLAIN_STEPS
        if quarter > self._told:
            self._told = quarter
            click.echo(f"  {done / 1e6:.0f} of {total / 1e6:.0f} MB")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _show_bar(self, done: int, total: int) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

        if self._bar is None:
            self._bar = Progress("  ", BarColumn(), DownloadColumn(), TimeRemainingColumn(), transient=True)
            self._task = self._bar.add_task("jars", total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done)
