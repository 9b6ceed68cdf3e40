"""`${NAME}` in the config's values: from the environment, or from a `.env` beside the file; the environment wins."""

from __future__ import annotations

import io
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dotenv.parser import parse_stream

from schemas.config.document import Document, Path, Value
from schemas.config.file_keys import SUFFIX
from schemas.config.providers import CREDENTIALS

_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|(\$\{)")
"""An escape, a name, or a `${` that is neither."""


@dataclass
class Substituted:
    """A document's value with its variables filled in. `origins`: the names that each text with variables refers to.
    `unset`: the credentials' names that have no value, for each provider. `faults`: what could not be filled in.
    `files`: of each secret that comes from a file, the place of the key that names it."""

    value: Value
    origins: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    unset: dict[str, tuple[str, ...]] = field(default_factory=dict)
    faults: list[tuple[Path, str]] = field(default_factory=list)
    files: dict[Path, Path] = field(default_factory=dict)


class DotenvError(ValueError):
    """A `.env` that can't be read. `line` counts from 1."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


def variables(folder: pathlib.Path, environ: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """The environment over the folder's `.env`. Values in `.env` are taken as they stand, without expansion; an empty name in
    the environment hides the one in `.env`. Raises DotenvError, which quotes no line: they are secrets."""
    environ = os.environ if environ is None else environ
    try:
        text = (folder / ".env").read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return environ
    except OSError as error:
        raise DotenvError(f"can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DotenvError("is not UTF-8 text") from None
    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            raise DotenvError("not a line of the form NAME=value", binding.original.line)
        if binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
    return {**values, **environ}


def names_in(value: Value) -> Iterator[str]:
    """Every name that the texts of a value refer to."""
    if isinstance(value, str):
        yield from (match[1] for match in _REFERENCE.finditer(value) if match[1])
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from names_in(item)


def substitute(document: Document, values: Mapping[str, str]) -> Substituted:
    """Fills in every value (keys stay as they are). A variable's text is never read as YAML."""
    result = Substituted(None)
    result.value = _fill(document.value, (), values, result)
    return result


def _fill(value: Value, path: Path, values: Mapping[str, str], result: Substituted) -> Value:
    if isinstance(value, dict):
        return {key: _fill(item, (*path, key), values, result) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, (*path, index), values, result) for index, item in enumerate(value)]
    if isinstance(value, str) and "${" in value:
        return _fill_text(value, path, values, result)
    return value


def _fill_text(text: str, path: Path, values: Mapping[str, str], result: Substituted) -> str | None:
    names = tuple(names_in(text))
    if names:
        result.origins[path] = names
    if any(match[2] for match in _REFERENCE.finditer(text)):
        message = (
            '"${" begins a variable, ${NAME}: letters, digits and "_", no default; for the characters themselves write "$${"'
        )
        result.faults.append((path, message))
        return text
    provider = _credential_of(path)
    missing = tuple(name for name in names if name not in values or (provider and not values[name].strip()))
    if missing and provider:
        result.unset[provider] = (*result.unset.get(provider, ()), *missing)
        return None
    for name in missing:
        result.faults.append((path, f"${{{name}}} is not set: set {name} in the environment, or in a .env beside this file"))
    return _REFERENCE.sub(lambda match: values.get(match[1], "") if match[1] else "${", text)


def _credential_of(path: Path) -> str | None:
    """The provider whose credential stands at this path."""
    match path:
        case ("providers", str(provider), str(key)) if key.removesuffix(SUFFIX) in CREDENTIALS.get(provider, ()):
            return provider
    return None
