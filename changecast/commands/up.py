"""`changecast up`: everything, in one terminal."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("up", short_help="Run everything here, and watch the changes come in.")
@click.option("-c", "--config", type=click.Path(path_type=Path), help="The config file [default: changecast.yaml].")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where Kafka's data and the logs are kept [default: the config's]."
)
def command(config: Path | None, data_dir: Path | None) -> int:
    """Run everything on this machine: Kafka (unless the config names one), producers, streams and sinks. Each change and each
    delivery is shown as it happens.

    Where no provider has credentials, a built-in sandbox stands in for them. Ctrl-C stops everything in order, a second
    Ctrl-C at once. What is shown is also in Kafka: read the topics changecast.changes.* from there. The parts' logs are in
    logs/ in the data directory.

    `changecast reload`, or SIGHUP, has it read the config again: a good one is taken over while everything runs.

    \b
    Examples:
      changecast up
      changecast up -c changecast.example.yaml --data-dir trial
      changecast up | grep Kingsroad
    """
    from changecast.up.run import run_up

    return run_up(config, data_dir)
