"""`changecast reload`: have a running `changecast up` read its config again."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from changecast.options import places

if TYPE_CHECKING:
    from changecast.up.lock import Running

_ANSWER_WITHIN_S = 60.0
"""An `up` that has just begun another reload answers when that is done: a part may take 20 s to end, and a few to start."""


@click.command(
    "reload",
    short_help="Have the running `changecast up` take over its edited config.",
    epilog="""\b
    Examples:
      changecast reload
      changecast reload -c my.yaml
      changecast config check && changecast reload""",
)
@places
def command(config: Path | None, data_dir: Path | None) -> int:
    """Have the `changecast up` that runs on this config read it again, and the .env beside it; see what starts anew.

    A config with mistakes changes nothing. A good one is taken over: the parts that it concerns end what is under way and
    start anew, and go on where they were. data_dir and kafka can't change while changecast runs.

    The variables are those of the terminal in which `up` was started, and of .env as it is now. Exit code 0 when the
    config is in force, 78 when it has mistakes, 1 when nothing runs or it needs a restart.
    """
    from changecast.operating import usual_path
    from changecast.up.answer import ask

    path = config or usual_path()
    who = _running(path, data_dir)
    if who.config.resolve() != path.resolve():
        raise click.ClickException(f"the changecast that runs on {who.data_dir} uses another config: -c {who.config}")
    try:
        answer = ask(who.data_dir, lambda: os.kill(who.pid, signal.SIGUSR1), _ANSWER_WITHIN_S)
    except ProcessLookupError:
        raise click.ClickException(f"changecast (process {who.pid}) has just ended") from None
    except PermissionError:
        raise click.ClickException(f"changecast (process {who.pid}) belongs to another user, who alone may reload it") from None
    if answer is None:
        raise click.ClickException(
            f"changecast (process {who.pid}) has not answered within {_ANSWER_WITHIN_S:.0f} s: it may still be starting, and will "
            f"read the config when it has; its output and {who.data_dir / 'logs' / 'up.log'} say what became of it"
        )
    click.echo(answer.text, err=answer.code != 0)
    return answer.code


def _running(path: Path, data_dir: Path | None) -> Running:
    """Who works on the config's data directory, or on the sandbox's below it. Raises ConfigError for a file that can't be read,
    ClickException when there is nobody."""
    from changecast.up.lock import running
    from changecast.up.plan import SANDBOX_FOLDER
    from schemas.config import data_dir_of, read_source

    root = (data_dir or data_dir_of(read_source(path))).absolute()
    found = [who for folder in (root, root / SANDBOX_FOLDER) if (who := running(folder)) is not None]
    if not found:
        raise click.ClickException(
            f"no changecast runs on {root}: `changecast up` starts one. If data_dir has changed in the config, name the old one with "
            "--data-dir. A `changecast worker` is reloaded by its process id: kill -HUP PID"
        )
    return next((who for who in found if who.config.resolve() == path.resolve()), found[0])
