"""The command line. A command is a module in `changecast/commands/` with a click command named `command`, imported when it
is called: `--help` and a mistyped name must not wait for Kafka's client to load."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn

import click

EXIT_FAILURE = 1
EXIT_CONFIG = 78
EXIT_INTERRUPTED = 130
"""What shells report of a program that Ctrl-C ended."""


@dataclass(frozen=True)
class Listed:
    """A command as the overview shows it; its module is not imported for that."""

    section: str
    summary: str


SECTIONS = ("Run", "Look", "Parts")
COMMANDS: dict[str, Listed] = {
    "up": Listed("Run", "Run everything here, and watch the changes come in."),
    "reload": Listed("Run", "Have the running `changecast up` take over its edited config."),
    "worker": Listed("Run", "Run one part on an existing Kafka: producers, streams or sinks."),
    "provider": Listed("Look", "See how the feeds are doing, read a range again, tell an entity once more."),
    "fetch": Listed("Look", "Print the event that a change of an entity would make now."),
    "config": Listed("Look", "Check the config, or show it with every default filled in."),
    "schema": Listed("Look", "Print the JSON Schema of the change event, or of the config."),
    "why": Listed("Look", "See why a change was sent to a subscription, or was not."),
    "deliveries": Listed("Look", "See every attempt and its outcome, send again what is dead."),
    "endpoints": Listed("Look", "See how webhooks and channels are doing, test one, disable it, bring it back."),
    "match": Listed("Look", "See what a subscription's filter would match among the last events."),
    "replay": Listed("Look", "Deliver the events of a time, or one event, again."),
    "dead": Listed("Look", "List, show or replay what could not be processed."),
    "kafka": Listed("Parts", "Start, stop or look at the embedded Kafka."),
    "sandbox": Listed("Parts", "Run the built-in providers, Slack and webhook receiver."),
}

EXAMPLES = """\
  changecast up                          run everything on changecast.yaml
  changecast up -c my.yaml --data-dir d  another config, another place for the data
  changecast fetch tmdb:movie:550        what the event of a change would hold
  changecast worker streams -c my.yaml   one more worker, on the config's Kafka"""


class Commands(click.Group):
    """Finds commands by their modules, and knows what a mistyped name may have meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"changecast.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            hint = f"Did you mean `changecast {near[0]}`?" if near else "`changecast --help` lists the commands."
            ctx.fail(f"There is no command `{name}`. {hint}")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        width = max(map(len, COMMANDS))
        for section in SECTIONS:
            rows = [(name.ljust(width), listed.summary) for name, listed in COMMANDS.items() if listed.section == section]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)
        self.format_options(ctx, formatter)
        formatter.write(f"\nExamples:\n{EXAMPLES}\n")
        formatter.write("\nExit codes: 0 fine, 1 failure, 2 wrong usage, 78 wrong config.\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        click.Command.format_options(self, ctx, formatter)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"changecast {version('changecast')}")
        ctx.exit()


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version.")
def cli() -> None:
    """Changes of TMDB, PBS Media Manager and TheTVDB as enriched events in Kafka, and as webhooks and Slack messages."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: the process's) and return its exit code. Errors that are not bugs are printed, not raised."""
    try:
        code: Any = cli.main(list(arguments) if arguments is not None else None, prog_name="changecast", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.message = _redacted(error.message)
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # who read our output has gone
        _drop_output()
        return EXIT_FAILURE
    except OSError:
        refusal = _output_refused()
        if refusal is None:
            raise
        click.echo(f"Error: the output can't be written: {refusal.strerror}", err=True)
        _drop_output()
        return EXIT_FAILURE
    except Exception as error:
        # the config's models take longer to import than the rest of this module: only now, and only here
        from schemas.config import ConfigError

        if not isinstance(error, ConfigError):
            raise
        click.echo(_redacted(str(error)), err=True)
        return EXIT_CONFIG
    return code if isinstance(code, int) else 0


def _redacted(message: str) -> str:
    from schemas.redaction import redact

    return redact(message)


def _output_refused() -> OSError | None:
    """Why stdout can't be written; None where it can. An error of the system does not say which file it was: a line end is tried."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError as error:
        return error
    return None


def _drop_output() -> None:
    """The interpreter's last flush must not complain of what is known already."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_what_is_closed() -> None:
    """Whoever closes stdin, stdout or stderr wants nothing of it, and not that a file or a connection gets its number."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            setattr(sys, name, os.fdopen(descriptor, mode))


def _print_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    from runtime.logs import print_uncaught

    print_uncaught(kind, error, trace)


def main() -> NoReturn:
    _open_what_is_closed()
    sys.excepthook = _print_uncaught
    sys.exit(run())
