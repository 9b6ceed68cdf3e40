"""Secrets in files of their own, as containers mount them: `token_file: /run/secrets/tmdb_token` in place of `token`.

    written                                      what the models see
    {token_file: /run/secrets/tmdb}              {token: "<content of the file>"}
    {secret_file: [new, old]}                    {secret: ["<content>", "<content>"]}
    headers: {Authorization_file: api-key}       headers: {Authorization: "<content>"}

One mechanism for every secret: what the models call a SecretStr has such a key.
"""

from __future__ import annotations

import pathlib
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import SecretStr

from schemas.config.document import Path, Value
from schemas.config.environment import Substituted
from schemas.config.file_keys import SUFFIX
from schemas.config.paths import absolute
from schemas.config.shape import file_keys_at, kinds_at, section_at

_MOST_BYTES = 256 * 1024
"""A certificate chain has some KiB. More than this is the wrong file."""


class UnreadableFileError(ValueError):
    """A file that holds no secret. The message names neither its path nor its content."""


@dataclass(repr=False)
class SecretFiles:
    """The files that a config has named, each read once: what was checked is what is used, whatever the file has become since.
    `contents` by absolute path. They are secrets, so there is no repr."""

    contents: dict[str, str] = field(default_factory=dict)

    def read(self, path: pathlib.Path) -> str:
        """The text without the line ends at its end. Raises UnreadableFileError."""
        key = str(path)
        if key not in self.contents:
            self.contents[key] = _text(path)
        return self.contents[key]


def fill_in_files(substituted: Substituted, folder: pathlib.Path, files: SecretFiles) -> None:
    """Puts the content of each file in its secret's place. Relative paths start at `folder`. What is wrong becomes a fault."""
    filler = _Filler(substituted, folder, files)
    substituted.value = filler.filled(substituted.value, ())


class _Filler:
    def __init__(self, substituted: Substituted, folder: pathlib.Path, files: SecretFiles) -> None:
        self._substituted = substituted
        self._folder = folder
        self._files = files
        self._faulty = {path for path, _ in substituted.faults}

    def filled(self, value: Value, path: Path) -> Value:
        if isinstance(value, list):
            return [self.filled(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        own = {key: self.filled(item, (*path, key)) for key, item in value.items()}
        for file_key, key in _file_keys_of(own, path):
            written = own.pop(file_key)
            if written is None:
                continue
            if own.get(key) is not None:
                self._fault((*path, file_key), f'"{key}" is given too: write one of both, {key} or {file_key}')
            else:
                own[key] = self._content(written, (*path, file_key))
                self._substituted.files[*path, key] = (*path, file_key)
        return own

    def _content(self, written: Value, path: Path) -> Value:
        """What the files hold; where one can't be read, nothing, beside a fault that says so."""
        if isinstance(written, list) and written:
            return [self._content(item, (*path, index)) for index, item in enumerate(written)]
        if not isinstance(written, str):
            self._fault(path, "expected the path of a file")
            return ""
        if path in self._faulty:
            return ""
        file = absolute(pathlib.Path(written), self._folder)
        try:
            return self._files.read(file)
        except UnreadableFileError as error:
            self._fault(path, f"{_named(written, file)} {error}{self._hint(written)}")
            return ""

    def _hint(self, written: str) -> str:
        return "" if pathlib.Path(written).is_absolute() else "; a relative path starts at the config file's folder"

    def _fault(self, path: Path, message: str) -> None:
        self._substituted.faults.append((path, message))


def _file_keys_of(section: dict[str, Value], path: Path) -> Iterator[tuple[str, str]]:
    """The keys of a section that name files, each with the key that it is written for."""
    if section_at(path) is not None:
        known = file_keys_at(path)
        yield from [(key, known[key]) for key in section if key in known]
    elif path and SecretStr in kinds_at(path):  # free keys, as those of headers
        yield from [(key, key.removesuffix(SUFFIX)) for key in section if key.endswith(SUFFIX) and key != SUFFIX]


def _named(written: str, file: pathlib.Path) -> str:
    """The path, unless it looks as if the secret itself stood in its place."""
    try:
        is_path = "/" in written and file.parent.is_dir()
    except (OSError, ValueError):
        is_path = False
    return str(file) if is_path else "the file"


def _text(path: pathlib.Path) -> str:
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # a pipe would be waited for, a device has no end
            raise UnreadableFileError("is not a regular file")
        if state.st_size > _MOST_BYTES:
            raise UnreadableFileError(f"is larger than {_MOST_BYTES // 1024} KiB: not a secret")
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
        text = content.decode("utf-8-sig").rstrip("\r\n")
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadableFileError("does not exist") from None
    except OSError as error:
        raise UnreadableFileError(f"can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UnreadableFileError("is not UTF-8 text") from None
    except ValueError as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError("is not a path that can be read") from None
    if not text.strip():
        raise UnreadableFileError("is empty")
    return text
