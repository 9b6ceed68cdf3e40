"""A config that goes from one process to the next in memory: from `up` to its workers, from a worker to itself started anew.

What was checked must be what is used. The file may be another by the time that a part starts, or starts again after a crash an hour
later: edited and not yet reloaded, or broken. A copy on disk would hold secrets, and an environment has no room for a long config.
So the text, its variables and the secrets from files go through a file without a name, which the kernel removes with its last reader.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

from pydantic import BaseModel

from schemas.config import SecretFiles, Source

HANDED_VARIABLE = "CHANGECAST_CONFIG_DESCRIPTOR"
"""The number of the open file that holds the config."""


class _Handed(BaseModel):
    path: Path
    text: str
    variables: dict[str, str]
    files: dict[str, str] = {}
    """An `up` of a version before has none to hand over."""


def hand_over(source: Source) -> int:
    """A descriptor for the process that is to get the config: pass it on, and name it in `HANDED_VARIABLE`. The caller closes it."""
    handed = _Handed(
        path=source.path, text=source.text, variables=dict(source.variables), files=source.files.contents
    ).model_dump(mode="json")
    descriptor = _nameless()
    with os.fdopen(os.dup(descriptor), "wb") as file:
        # Python's own JSON: an environment may hold bytes that are no UTF-8, which the faster ones refuse
        file.write(json.dumps(handed).encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def handed_over(environ: MutableMapping[str, str] = os.environ) -> Source | None:
    """The config that whoever started this process has handed over; None where nobody has. Closes the file, and forgets of it."""
    number = environ.pop(HANDED_VARIABLE, None)
    if number is None:
        return None
    with os.fdopen(int(number), "rb") as file:
        handed = _Handed.model_validate(json.loads(file.read()))
    return Source(handed.path, handed.text, handed.variables, SecretFiles(handed.files))


def _nameless() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("changecast-config")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
