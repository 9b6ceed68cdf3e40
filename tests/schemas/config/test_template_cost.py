"""What a template may cost: counted in steps before anything is made, on the probe event when the config is read and on each event
after that."""

from __future__ import annotations

import pytest

from schemas.config.probes import largest_event
from schemas.config.templates import TemplateError, compile_template
from schemas.topics import MAX_RECORD_BYTES

DOUBLED = (
    "{% set ns = namespace(x=['a'], y=['a']) %}{% for i in range(60) %}"
    "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}"
)
PAIRED = "{% set ns = namespace(x=('a',)) %}{% for i in range(60) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}"

MULTIPLIED = [
    "{{ 'a' * 300000000 }}",
    "{{ ['a'] * 300000000 }}",
    "{{ 'a' | center(300000000) }}",
    "{{ 'a'.center(300000000) }}",
    "{{ 'a'.ljust(300000000) }}",
    "{{ '1'.zfill(300000000) }}",
    "{{ ('a' | attr('center'))(300000000) }}",
    "{{ ['a', 'b'] | map('center', 300000000) | list }}",
    "{{ '\t'.expandtabs(300000000) }}",
    "{{ '%0300000000d' % 1 }}",
    "{{ '%*d' % (300000000, 1) }}",
    "{{ '%300000000s' | format('a') }}",
    "{{ '{:300000000}'.format(1) }}",
    "{{ '{a:300000000}'.format_map({'a': 1}) }}",
    "{{ ('a' * 100000).replace('', 'b' * 10000) }}",
    "{{ ('a' * 100000) | replace('a', 'b' * 10000) }}",
    "{{ range(50000) | join('a' * 10000) }}",
    "{{ ('a' * 10000).join(range(20000) | map('string')) }}",
    "{{ ('\n' * 100000) | indent(10000) }}",
    "{{ ('a ' * 50000) | wordwrap(1, wrapstring='b' * 10000) }}",
    "{{ ('www.a.com ' * 10000) | urlize(rel='x' * 10000) }}",
    "{{ ('<!---->' * 30000) | striptags }}",
    "{{ ('a' * 10000).translate({97: 'x' * 100000}) }}",
    "{{ [1] | batch(300000000, 1) | list }}",
    "{{ [1] | slice(300000000) | list }}",
    "{{ [1, 2] | tojson(indent=300000000) }}",
    "{{ ([[1] * 1000] * 1000) | sum(start=[]) }}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set x %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = x %}{% endfor %}",
    f"{DOUBLED}{{{{ ns.x }}}}",
    f"{DOUBLED}{{{{ ns }}}}",
    f"{DOUBLED}{{{{ ns.x == ns.y }}}}",
    f"{DOUBLED}{{{{ ns.x in [ns.y] }}}}",
    f"{DOUBLED}{{{{ ns.x is eq(ns.y) }}}}",
    f"{DOUBLED}{{{{ [ns.x, ns.y] | sort }}}}",
    f"{DOUBLED}{{{{ ns.x | tojson }}}}",
    f"{PAIRED}{{{{ {{ns.x: 1}} }}}}",
    f"{PAIRED}{{{{ {{}}[ns.x] }}}}",
    f"{PAIRED}{{{{ {{}}.get(ns.x) }}}}",
    "{% autoescape 'a' | center(300000000) %}{% endautoescape %}",
]
REPEATED = [
    "{% for i in range(2450) %}{% for j in range(2450) %}{% endfor %}{% endfor %}",
    "{% for i in range(90000) if false %}{% endfor %}" * 30,
    "{% for i in range(90000) %}{% if i %}{% endif %}{% endfor %}" * 30,
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% for x in [range(600)] recursive %}"
    "{% if x is iterable %}{% for y in x %}{{ loop.index }}{% endfor %}{{ loop([x, x]) }}{% endif %}{% endfor %}",
    "{{ range(90000)" + " | map('int')" * 30 + " | list | length }}",
    "{{ range(90000)" + " | select" * 30 + " | list | length }}",
    "{% set x %}{% for i in range(9000) %}" + "a" * 100_000 + "{% endfor %}{% endset %}",
    "{% for i in range(9000) %}{% set x = "
    + "[" * 40
    + "1"
    + "]" * 40
    + " %}{% endfor %}"
    + "{% for i in range(9000) %}{% endfor %}",
]


@pytest.mark.parametrize("text", MULTIPLIED + REPEATED)
def test_a_template_that_costs_too_much_is_an_error_of_the_config(text: str) -> None:
    with pytest.raises(TemplateError, match="costs too much: more than 400,000 steps on an event with 50 pictures"):
        compile_template(text)


@pytest.mark.parametrize("text", [template for template in MULTIPLIED if "ns" not in template and "autoescape" not in template])
def test_what_only_some_events_make_costly_ends_there_as_a_failure(text: str) -> None:
    template = compile_template("{% if event.bad %}" + text + "{% endif %}")
    assert template.render({"bad": False}, 1000) == b""
    with pytest.raises(TemplateError, match="costs too much"):
        template.render({"bad": True}, 1000)


def test_the_place_of_what_costs_too_much_is_told() -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template("a\n  {{ 'a' * 300000000 }}")
    assert (caught.value.line, caught.value.column) == (2, 3)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 2 ** 100000 }}",
        "{% set ns = namespace(x=3) %}{% for i in range(40) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
        "{{ 1.0 | round(300000000) }}",
        "{{ (1).to_bytes(300000000, 'big') }}",
        "{{ 'a'.encode().center(300000000) }}",
        "{{ '{:{}}'.format(1, 300000000) }}",
    ],
)
def test_what_no_template_needs_is_refused_before_it_is_made(text: str) -> None:
    with pytest.raises(TemplateError, match="failed"):
        compile_template(text).render({}, 1000)


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
        "{{ " + "not " * 5000 + "1 }}",
        "{% if 1 %}" * 300 + "{% endif %}" * 300,
        "{% for i in [1] %}" * 30 + "{% endfor %}" * 30,
        "{{ " + "9" * 5000 + " }}",
    ],
)
def test_a_template_beyond_what_python_reads_is_an_error_with_a_place(text: str) -> None:
    with pytest.raises(TemplateError, match="not a template that can be used") as caught:
        compile_template(text)
    assert caught.value.line == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ event | tojson }}", None),
        ("{{ event | tojson(indent=2) }}", None),
        ("{{ event.data.images | map(attribute='width') | join(',') }}", ",".join(["3840"] * 50)),
        ("{% for one in event.data.changes if one.key == 'images' %}{{ loop.index }}/{{ loop.length }} {% endfor %}", None),
        ("{% for i in event.data.images %}{% for c in event.data.changes %}{{ c.key[:1] }}{% endfor %}{% endfor %}", "oi" * 1250),
        ("{{ event.data.changes | groupby('key') | map('first') | join(' ') }}", "images overview"),
        ("{{ event.subject.split(':')[1].upper().center(11) }}", "  EPISODE  "),
        ("{{ '%s-%05d' % ('a', 3) }} {{ '{:>3}'.format('x') }} {{ 'a' | format }}", "a-00003   x a"),
        ("{{ event.data.entity.name | truncate(12) | replace('T', 't') | title }}", "The..."),
        ("{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "543210"),
        (
            "{% set ns = namespace(n=0) %}{% for i in event.data.images %}{% set ns.n = ns.n + i.width %}{% endfor %}{{ ns.n }}",
            "192000",
        ),
        ("{{ [3, 1, 2] | sort | first }}{{ [1, 2] | sum }}{{ {'a': 1} | dictsort }}{{ 'a' ~ 1 ~ none }}", "13[('a', 1)]a1None"),
        ("{{ cycler('a', 'b').next() }}{{ [1, 2, 3] | reverse | list }}{{ 2 is in [2] }}", "a[3, 2, 1]True"),
    ],
)
def test_templates_of_every_day_stay_far_within_the_bound(text: str, expected: str | None) -> None:
    made = compile_template(text).render(largest_event(), MAX_RECORD_BYTES).decode()
    assert made == expected or (expected is None and made)
