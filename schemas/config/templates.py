"""An operator's own webhook bodies: Jinja2 templates over one variable, `event`, the change event as it stands in the topic.

The environment is Jinja2's immutable sandbox: no attribute of Python's own can be reached, nothing in the event be changed. There are
no other files to include. A value that is not there is an error, not an empty text (guard it with `is defined`); null prints as nothing.
What a rendering may cost is counted in steps (see `template_sandbox`), and tried on the largest probe event when the config is read.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from schemas.config.expressions import ExpressionError
from schemas.config.probes import largest_event
from schemas.config.steps import TooManySteps
from schemas.topics import MAX_RECORD_BYTES

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
        from schemas.config.template_steps import counted_rendering  # loads Jinja2, which most configs do without

        try:
            with counted_rendering():
                return b"".join(_bounded(self._compiled.generate({VARIABLE: event}), limit))
        except TooLong:
            raise
        except Exception as error:
            raise TemplateError(f"the template failed{_place(error)}: {error or type(error).__name__}") from error


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
    except (RecursionError, SyntaxError, MemoryError, ValueError) as error:
        # Python's own limits: blocks and brackets within each other, digits of a number
        raise _error(text, f"not a template that can be used: {error}", 1) from None
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
    template = Template(text, compiled)
    _check_cost(template)
    return template


def _check_cost(template: Template) -> None:
    """On the largest probe event. What else fails on it may well go on the events of the subscription."""
    try:
        template.render(largest_event(), MAX_RECORD_BYTES)
    except TooLong:
        return
    except TemplateError as error:
        if isinstance(error.__cause__, TooManySteps):
            line = _failed_line(error.__cause__) or 1
            raise _error(template.text, f"{error.__cause__} on an event with 50 pictures and long texts", line) from None


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from schemas.config.template_sandbox import CountingEnvironment

    return CountingEnvironment()


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
    """` in line 3`."""
    line = _failed_line(error)
    return "" if line is None else f" in line {line}"


def _failed_line(error: BaseException) -> int | None:
    """The line of the template, which Jinja2 puts into the traceback."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
