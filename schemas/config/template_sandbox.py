"""The Jinja2 environment of templates: its immutable sandbox, with every operation counted.

- The code generator counts the nodes of each block of a template whenever it is entered: each turn of a loop, each call of a macro.
- Operators, comparisons, calls, filters and tests count what they look at and what they make, before they make it.
- Of values that are no JSON and none of Jinja2's own (bytes, numbers, generators) no methods can be called.

Nothing is computed while a template is compiled: `optimized` is off, and the filters ask for a context, which Jinja2 takes as a sign
that they are no constants.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import update_wrapper
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame, operators
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context

from schemas.config import template_sizes as sizes
from schemas.config.steps import of_chars
from schemas.config.template_steps import made, take, take_chars, weigh, weighed

_DEEP_TESTS = frozenset(
    {"==", "eq", "equalto", "!=", "ne", ">", "gt", "greaterthan", "ge", ">=", "<", "lt", "lessthan", "<=", "le", "in"}
)


class _CountingGenerator(CodeGenerator):
    """Adds counting to the code of a template. What is overridden is the interface of jinja2.compiler in version 3.1."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._loop_tests: set[int] = set()

    def blockvisit(self, body: Iterable[nodes.Node], frame: Frame) -> None:
        block = list(body)
        self.writeline(f"environment.step({_size(block)})")
        super().blockvisit(block, frame)

    def visit(self, node: nodes.Node, *arguments: Any, **options: Any) -> Any:
        if id(node) not in self._loop_tests:
            return super().visit(node, *arguments, **options)
        self.write(f"(environment.step({_size([node])}) or ")
        result = super().visit(node, *arguments, **options)
        self.write(")")
        return result

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802
        if node.test is not None:
            self._loop_tests.add(id(node.test))
        super().visit_For(node, frame)

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802
        self.write("(")
        self._weighed(node.expr, frame)
        for operand in node.ops:
            self.visit(operand, frame)
        self.write(")")

    def visit_Operand(self, node: nodes.Operand, frame: Frame) -> None:  # noqa: N802
        self.write(f" {operators[node.op]} ")
        self._weighed(node.expr, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        """The parts are weighed, and joined as Jinja2 joins them."""
        is_volatile, escapes = frame.eval_ctx.volatile, frame.eval_ctx.autoescape
        plain = "markup_join" if escapes else "str_join"
        self.write("(markup_join if context.eval_ctx.volatile else str_join)" if is_volatile else plain)
        self.write("(environment.weighed((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write(")))")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        if not isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self._weighed(node.node, frame)
        self.write("[")
        self.visit(node.arg, frame)
        self.write("]")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        """A key is hashed, which looks at all of it."""
        self.write("{")
        for pair in node.items:
            self._weighed(pair.key, frame)
            self.write(": ")
            self.visit(pair.value, frame)
            self.write(", ")
        self.write("}")

    def _weighed(self, node: nodes.Node, frame: Frame) -> None:
        self.write("environment.weighed(")
        self.visit(node, frame)
        self.write(")")


def _size(block: list[nodes.Node]) -> int:
    """The steps of going through the block once, without what its operations count."""
    steps = 1
    for node in block:
        steps += 1
        if isinstance(node, nodes.TemplateData):
            steps += of_chars(len(node.data))
        steps += _size(list(node.iter_child_nodes())) - 1
    return steps


class CountingEnvironment(ImmutableSandboxedEnvironment):
    code_generator_class = _CountingGenerator
    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,  # bodies are JSON or plain text: `tojson` quotes
            finalize=_finalized,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=0,
            optimized=False,
        )
        self.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False}
        del self.globals["lipsum"]
        self.filters = {name: _counted_filter(name, function) for name, function in self.filters.items()}
        tests: dict[str, Any] = self.tests
        self.tests = {name: _counted_test(name, function) for name, function in tests.items()}

    @staticmethod
    def step(steps: int) -> None:
        take(steps)

    @staticmethod
    def weighed(value: Any) -> Any:
        return weighed(value)

    def getitem(self, obj: Any, argument: Any) -> Any:
        weigh(argument)
        return super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        weigh(left)
        weigh(right)
        if operator == "*":
            sizes.multiplied(left, right)
        elif operator == "**":
            sizes.raised(left, right)
        elif operator == "%" and isinstance(left, str | bytes):
            sizes.percent_formatted(left, right)
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and result.bit_length() > sizes.MAX_BITS:
            raise OverflowError(f"a number of more than {sizes.MAX_BITS} bits")
        return made(result)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """As in the sandbox; the names with underscores can't be those of a template's own arguments."""
        take(1)
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str):
            args = _method_counted(owner, __obj.__name__, args, kwargs)
        elif isinstance(owner, list | tuple | dict):
            weigh([owner, args, kwargs])
        elif isinstance(__obj, types.BuiltinMethodType) and owner is not None and not isinstance(owner, types.ModuleType):
            raise SecurityError(f"{type(owner).__name__}.{__obj.__name__} can't be called in a template")
        elif not type(__obj).__module__.startswith("jinja2."):
            weigh([args, kwargs])
        return made(super().call(__context, __obj, *args, **kwargs))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def counted(*args: Any, **kwargs: Any) -> str:
            sizes.brace_formatted(value.__self__, [args, kwargs])
            return wrapped(*args, **kwargs)

        return update_wrapper(counted, value)


def _method_counted(text: str, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Counts a method of a text. What it goes through once is made a list, so that its length is known."""
    args = tuple(list(one) if isinstance(one, Iterator) else one for one in args)
    weigh([text, args, kwargs])
    if (size := sizes.TEXT_METHODS.get(name)) is not None:
        size(text, *args, **kwargs)
    return args


@pass_context
def _finalized(context: Context, value: Any) -> Any:  # noqa: ARG001
    """Of what is printed. Null prints as nothing."""
    weigh(value)
    return "" if value is None else value


def _counted_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    size = sizes.FILTERS.get(name)
    is_shallow, is_text = name in sizes.SHALLOW_FILTERS, name in sizes.TEXT_FILTERS

    @pass_context
    def counted(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        take(1)
        if isinstance(value, Iterator) and not is_shallow:
            value = list(value)  # each is counted as it comes
        weigh([args, kwargs] if is_shallow else [value, args, kwargs])
        if is_shallow and isinstance(value, str | list | tuple | dict | range):
            take_chars(len(value))
        if is_text and not isinstance(value, str):
            value = str(value)
        if size is not None:
            size(value, *args, **kwargs)
        return made(function(*_passed(function, context), value, *args, **kwargs))

    return update_wrapper(counted, function, updated=())


def _counted_test(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def counted(context: Context, *args: Any) -> Any:
        if name in _DEEP_TESTS:
            weigh(args)
        return function(*_passed(function, context), *args)

    return counted


def _passed(function: Callable[..., Any], context: Context) -> tuple[Any, ...]:
    """What Jinja2 gives a filter or test before its own arguments, by the mark that `pass_context` and its like leave on it."""
    mark = getattr(function, "jinja_pass_arg", None)
    by_name: dict[str | None, tuple[Any, ...]] = {
        "context": (context,),
        "eval_context": (context.eval_ctx,),
        "environment": (context.environment,),
    }
    return by_name.get(getattr(mark, "name", None), ())
