"""`changecast worker`: one part as a process, started by `up`, by compose, or by hand on an existing Kafka."""

from __future__ import annotations

from pathlib import Path

import click

PARTS = ("producers", "streams", "sinks")


@click.command("worker", short_help="Run one part on an existing Kafka: producers, streams or sinks.")
@click.argument("part", type=click.Choice(PARTS))
@click.option("-c", "--config", type=click.Path(path_type=Path), help="The config file [default: changecast.yaml].")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    help="Instead of the config's metrics.port; 0: any that is free, see the log.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log what is done in detail.")
def command(part: str, config: Path | None, metrics_port: int | None, verbose: bool) -> int:
    """Run one PART until it is stopped: producers poll the providers, streams dedupe and enrich, sinks deliver.

    Start as many streams and sinks workers as you like, on one machine or many: they share the work. Of several
    producers workers one polls, and the others wait to take over. The log goes to stderr. Each of several workers on one
    machine needs a metrics port of its own, where metrics are wanted.

    It waits two minutes for Kafka, and then ends with exit code 1, for whoever started it to start it again.

    SIGHUP makes it read the config again, and the .env beside it. One with mistakes changes nothing; a good one that
    concerns the part is taken over in order, in the same process.

    \b
    Examples:
      changecast worker producers -c changecast.yaml
      changecast worker streams -c changecast.yaml
      kill -HUP 4711        (the worker's process id is in its log)
      changecast worker streams -c changecast.yaml --metrics-port 9474
    """
    # before anything slow is imported: a parent that is gone already must not leave us running
    from changecast.leash import end_with_parent

    # Kafka ends with the same parent, and a part that can't reach it any more may wait for it: not for long
    leashed = end_with_parent(grace=8.0)
    from changecast.up.worker import run_worker

    return run_worker(part, config, metrics_port=metrics_port, verbose=verbose, leashed=leashed)
