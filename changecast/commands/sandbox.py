"""`changecast sandbox`: play the providers, Slack and a webhook receiver until interrupted."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from pathlib import Path

import click

from changecast.sandbox import JournalError, Sandbox
from changecast.sandbox.console import config_example, line

DEFAULT_PORT = 8787


@click.command(
    name="sandbox",
    epilog="\b\nExamples:\n  changecast sandbox\n  changecast sandbox --port 0 --data-dir trial --edits-per-minute 120",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option(
    "--data-dir",
    default=".changecast/sandbox",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where its history and its webhook secret are kept.",
)
@click.option("--edits-per-minute", default=30.0, show_default=True, type=click.FloatRange(min=0), help="0: none.")
@click.option("--seed", default=0, show_default=True, help="The same seed makes the same edits.")
def command(host: str, port: int, data_dir: Path, edits_per_minute: float, seed: int) -> None:
    """Play TMDB, PBS Media Manager and TheTVDB, Slack and a webhook receiver, on this machine.

    The catalogue changes as time passes. Each edit, and each notification that comes back, is a line.
    """
    if os.environ.get("CHANGECAST_LEASH") == "1":
        from changecast.leash import end_with_parent

        end_with_parent()
    try:
        asyncio.run(_serve(host, port, data_dir, edits_per_minute, seed))
    except JournalError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise click.ClickException(f"port {port} is taken: end what listens on it, or choose another --port") from error
        raise click.ClickException(f"the sandbox can't go on with {data_dir} at {host}:{port}: {error}") from error


async def _serve(host: str, port: int, data_dir: Path, edits_per_minute: float, seed: int) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    sandbox = Sandbox(
        data_dir=data_dir,
        host=host,
        port=port,
        edits_per_minute=edits_per_minute,
        seed=seed,
        on_activity=lambda activity: click.echo(line(activity)),
    )
    async with sandbox:
        click.echo(f"sandbox: {sandbox.url} (Ctrl-C ends it)\n\n{config_example(sandbox.environment(), data_dir)}")
        waiting = [asyncio.create_task(ended.wait()), asyncio.create_task(sandbox.wait())]
        done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        for task in done:
            task.result()
    click.echo("sandbox: ended")
