"""The sandbox's memory over restarts: one file of JSON lines.

The first line is a snapshot of the whole catalogue, each further line an edit made after it. A kill leaves at most a
last line that is cut off; it is dropped, which nobody can have seen, since a line is written before its edit can be
asked for. Compacting writes a new file and renames it over the old one.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

import orjson

from changecast.sandbox.edit import Edit, JsonObject
from runtime.data_dir import make_private

FORMAT = 1
"""The version of the file's shape."""

COMPACT_AFTER = 5000
"""Edits in the file before it is compacted: about three hours at the default rate, replayed in a fraction of a second."""


class JournalError(Exception):
    """The journal can't be used; the message says what to do."""


class Journal:
    """The file of one data directory, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        make_private(path.parent)  # what it warns of has been said with the secrets beside
        self._lock = path.with_suffix(".lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise JournalError(f"another sandbox uses {path.parent}: end it, or choose another --data-dir") from error
        self._file: BinaryIO | None = None
        self._edits = 0

    def read(self) -> tuple[JsonObject, list[Edit]] | None:
        """The snapshot and the edits after it; None when there is no journal yet. Raises JournalError when the file
        is damaged anywhere but in its last line."""
        if not self._path.exists():
            return None
        lines = self._path.read_bytes().split(b"\n")
        cut_off = lines.pop()
        if not lines:
            raise JournalError(f"{self._path} holds no snapshot: delete it to start the sandbox afresh")
        try:
            snapshot = orjson.loads(lines[0])
            edits = [Edit.from_json(orjson.loads(line)) for line in lines[1:]]
        except (orjson.JSONDecodeError, TypeError) as error:
            raise JournalError(f"{self._path} is damaged ({error}): delete it to start the sandbox afresh") from error
        if snapshot.get("format") != FORMAT:
            raise JournalError(f"{self._path} has another version's format: delete it to start afresh")
        self._file = self._path.open("r+b")
        self._file.seek(-len(cut_off), os.SEEK_END)
        self._file.truncate()
        self._edits = len(edits)
        return snapshot, edits

    def begin(self, snapshot: JsonObject) -> None:
        """Start the file anew from this snapshot (the first time, or to compact it)."""
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(orjson.dumps({"format": FORMAT, **snapshot}) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        if self._file is not None:
            self._file.close()
        self._file = self._path.open("ab")
        self._edits = 0

    def append(self, edit: Edit) -> None:
        if self._file is None:
            raise JournalError("read() or begin() comes first")
        self._file.write(orjson.dumps(edit.as_json()) + b"\n")
        self._file.flush()
        self._edits += 1

    @property
    def full(self) -> bool:
        """Whether it is time to compact."""
        return self._edits >= COMPACT_AFTER

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._lock.close()
