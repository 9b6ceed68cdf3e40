"""An operator's own webhook bodies: Jinja2 templates over one variable, `event`, the change event as it stands in the topic.

The environment is Jinja2's immutable sandbox: no attribute of Python's own can be reached, nothing in the event be changed. There are
no other files to include. A value that is not there is an error, not an empty text (guard it with `is defined`); null prints as nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from schemas.config.expressions import ExpressionError

if TYPE_CHECKING:
    from jinja2 import Environment, TemplateSyntaxError
    from jinja2 import Template as JinjaTemplate

VARIABLE = "event"
_UNKNOWN = re.compile(r"No (filter|test) named '([^']*)'")
_OPENING = re.compile(r"\{[{%#]")


class TemplateError(ExpressionError):
    """A template that doesn't compile, or that failed on an event. `line` and `column` count from 1 within the template."""


class TooLong(Exception):
    """What a template makes of an event is longer than may be sent."""


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template. Immutable; share it freely."""

    text: str
    _compiled: JinjaTemplate

    def render(self, event: dict[str, Any], limit: int) -> bytes:
        """UTF-8. Raises TemplateError where the event lacks what the template names, TooLong beyond `limit` bytes."""
        try:
            return b"".join(_bounded(self._compiled.generate({VARIABLE: event}), limit))
        except TooLong:
            raise
        except Exception as error:  # noqa: BLE001 - a template may do anything that Python's operators can fail at
            raise TemplateError(f"the template failed{_place(error)}: {error or type(error).__name__}") from None


def _bounded(parts: Iterable[str], limit: int) -> Iterator[bytes]:
    """A loop that makes ever more is left here."""
    length = 0
    for part in parts:
        encoded = part.encode()
        length += len(encoded)
        if length > limit:
            raise TooLong(f"more than {limit} bytes")
        yield encoded


@lru_cache(maxsize=1024)
def compile_template(text: str) -> Template:
    """Compiles. Raises TemplateError with the place within the text."""
    from jinja2 import TemplateSyntaxError, meta

    environment = _environment()
    try:
        tree = environment.parse(text)
        compiled = environment.from_string(text)
    except TemplateSyntaxError as error:
        raise _error(text, _message(error, environment), error.lineno) from None
    if any(True for _ in meta.find_referenced_templates(tree)):
        raise _error(
            text,
            "a template stands alone: include, import and extends find nothing here",
            _line_of(text, r"\{%-?\+?\s*(include|import|from|extends)"),
        )
    unknown = sorted(meta.find_undeclared_variables(tree) - {VARIABLE} - set(environment.globals))
    if unknown:
        name = unknown[0]
        near = difflib.get_close_matches(name, [VARIABLE, *environment.globals], n=1)
        hint = f'; did you mean "{near[0]}"?' if near else f': a template sees "{VARIABLE}"'
        raise _error(text, f'unknown name "{name}"{hint}', _line_of(text, rf"\b{re.escape(name)}\b"), name)
    return Template(text, compiled)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # bodies are JSON or plain text: `tojson` quotes
        finalize=lambda value: "" if value is None else value,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=0,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False}
    del environment.globals["lipsum"]
    return environment


def _message(error: TemplateSyntaxError, environment: Environment) -> str:
    message = (error.message or "not a template that can be used").rstrip(".")
    if match := _UNKNOWN.match(message):
        known = environment.filters if match[1] == "filter" else environment.tests
        near = difflib.get_close_matches(match[2], list(known), n=1)
        return f'unknown {match[1]} "{match[2]}"' + (f'; did you mean "{near[0]}"?' if near else "")
    return message[:1].lower() + message[1:]


def _error(text: str, message: str, line: int, name: str | None = None) -> TemplateError:
    """Jinja2 tells the line alone; the column is that of the name, or of the first tag there."""
    lines = text.split("\n")
    written = lines[line - 1] if 0 < line <= len(lines) else ""
    match = re.search(rf"\b{re.escape(name)}\b", written) if name else _OPENING.search(written)
    return TemplateError(message, line, match.start() + 1 if match else 1)


def _line_of(text: str, pattern: str) -> int:
    match = re.search(pattern, text)
    return 1 if match is None else text.count("\n", 0, match.start()) + 1


def _place(error: Exception) -> str:
    """` in line 3`: of the template, which Jinja2 puts into the traceback."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f" in line {line}"
