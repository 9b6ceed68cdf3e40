"""A config's text and the variables beside it, as they stood at one moment.

A running program outlives many states of its file, half-written ones among them. What was checked is then kept, and used from here:
never the file again, which may be another by now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from schemas.config.environment import DotenvError, variables
from schemas.config.problems import ConfigError, Problem
from schemas.config.secret_files import SecretFiles

DEFAULT_PATH = Path("changecast.yaml")


@dataclass(frozen=True, repr=False)
class Source:
    """`path` names the file in messages, and its folder is where relative paths begin. `variables`: what `${NAME}` may name. `files`: those
    of secrets, read when the config is made of the text for the first time. They hold secrets, so there is no repr."""

    path: Path
    text: str
    variables: Mapping[str, str]
    files: SecretFiles = field(default_factory=SecretFiles)

    def with_variables(self, more: Mapping[str, str]) -> Source:
        """The same with these beside the others, and before them."""
        return replace(self, variables={**self.variables, **more})


def read_source(path: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Source:
    """The file at `path` (default: `changecast.yaml` here), with `environ` (default: the process's) over the `.env` beside it. Raises
    ConfigError when one of them can't be read."""
    path = path or DEFAULT_PATH
    text = _text(path)
    try:
        return Source(path, text, variables(path.parent, environ))
    except DotenvError as error:
        raise ConfigError([Problem(str(path.with_name(".env")), error.line, 1, "", str(error))]) from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        remedy = f"make one with `cp changecast.example.yaml {path}`, or name one with -c, as -c changecast.example.yaml"
        raise ConfigError([Problem(str(path), None, None, "", f"there is no config file here: {remedy}")]) from None
    except IsADirectoryError:
        raise ConfigError([Problem(str(path), None, None, "", "this is a folder: name the config file in it")]) from None
    except OSError as error:
        raise ConfigError([Problem(str(path), None, None, "", f"can't be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text (byte {error.start + 1}): save it as UTF-8"
        raise ConfigError([Problem(str(path), None, None, "", message)]) from None
