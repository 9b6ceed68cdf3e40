"""The data directory is its user's alone (0700): it holds events, logs, and the logins of the embedded Kafka and the sandbox."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_ALONE = 0o700
_OTHERS = 0o077


def make_private(data_dir: Path) -> str | None:
    """Make the directory, or take from others what they may do in it. Where it is not ours alone it stays as it is; then the warning
    that says so is returned. Raises OSError where it can't be made."""
    path = data_dir.expanduser().absolute()
    for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
        missing.mkdir(mode=_ALONE, exist_ok=True)
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if not mode & _OTHERS:
        return None
    if (reason := _why_not_ours(path, found)) is None:
        try:
            path.chmod(mode & ~_OTHERS)
        except OSError as error:  # a file system without permissions
            reason = f"they can't be changed: {os.strerror(error.errno or 0)}"
        else:
            return None
    return (
        f"other users of this machine may look into the data directory {path} (mode {mode:04o}), and {reason}: "
        f"it holds events and logins. `chmod 700 {path}`, or choose another data_dir"
    )


def _why_not_ours(path: Path, found: os.stat_result) -> str | None:
    """Why others may have been let in on purpose; None for a directory that nobody else needs."""
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    if found.st_mode & stat.S_ISVTX:
        return "it is shared (sticky)"
    if path in {Path.cwd(), *Path.cwd().parents, Path.home(), *Path.home().parents}:
        return "it is a home, or the directory that this was started in"
    if (path / ".git").exists() or any(path.glob("*.yaml")):
        return "it is not for data alone"
    return None
