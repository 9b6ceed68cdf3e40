"""Templates of webhook bodies: what they can say, what is refused when the config is read, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.config import ConfigError, read_config
from schemas.config.templates import TemplateError, TooLong, compile_template

EVENT = {
    "id": "e1",
    "data": {"entity": {"name": "Köln <!channel>", "url": None}, "changes": [{"key": "images"}, {"key": "title"}]},
}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def rendered(text: str) -> str:
    return compile_template(text).render(EVENT, 10_000).decode()


def test_a_template_sees_the_event() -> None:
    assert rendered("{{ event.id }}:{% for change in event.data.changes %} {{ change.key }}{% endfor %}") == "e1: images title"


def test_null_prints_as_nothing_and_tojson_quotes() -> None:
    assert rendered('{"name": {{ event.data.entity.name | tojson }}, "url": "{{ event.data.entity.url }}"}') == (
        '{"name": "Köln \\u003c!channel\\u003e", "url": ""}'
    )


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("one\n  {{ event.id", "unexpected end of template", 2, 3),
        ("{{ evnt.id }}", 'unknown name "evnt"; did you mean "event"?', 1, 4),
        ("\n{{ event.id | tojsn }}", 'unknown filter "tojsn"; did you mean "tojson"?', 2, 1),
        ("{% if event.id %}", "unexpected end of template", 1, 1),
        ("x {% include 'other' %}", "a template stands alone", 1, 3),
    ],
)
def test_what_is_wrong_with_a_template_is_told_with_its_place(text: str, message: str, line: int, column: int) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(text)
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize(
    "text",
    [
        "{{ event.nothing }}",
        "{{ event.__class__.__mro__ }}",
        "{{ event.update({'id': 'other'}) }}",
        "{{ event.data.changes.append(1) }}",
        "{{ 1 / 0 }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
    ],
)
def test_what_a_template_may_not_do_fails_and_changes_nothing(text: str) -> None:
    template = compile_template(f"first\n{text}")
    with pytest.raises(TemplateError, match="failed"):
        template.render(EVENT, 10_000)
    assert EVENT["id"] == "e1"


def test_a_failure_names_the_line_of_the_template() -> None:
    with pytest.raises(TemplateError, match="in line 3"):
        compile_template("a\nb\n{{ event.nothing }}").render(EVENT, 10_000)


def test_what_gets_too_long_is_left_at_the_limit() -> None:
    with pytest.raises(TooLong):
        compile_template("{% for i in range(100) %}{% for j in range(100) %}x{% endfor %}{% endfor %}").render(EVENT, 1000)


def config(tmp_path: Path, lines: str) -> Path:
    path = tmp_path / "changecast.yaml"
    path.write_text(
        f"providers: {{}}\nsubscriptions:\n  - name: a\n    webhook:\n      url: https://example.org\n      secret: {SECRET}\n{lines}"
    )
    return path


def test_a_template_in_the_config_is_checked_at_its_place_in_the_file(tmp_path: Path) -> None:
    path = config(tmp_path, '      format: template\n      template: |\n        {"a": 1}\n        {{ evnt.id }}\n')
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (10, 12)
    assert 'did you mean "event"?' in problem.message


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("      format: template\n", "needs a template"),
        ("      template: hello\n", "with `format: template` only"),
        ("      format: thn\n", 'did you mean "thin"?'),
        ("      content_type: json\n", "not a content type"),
    ],
)
def test_formats_that_make_no_sense_are_refused(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(config(tmp_path, lines))
    assert message in str(caught.value)


def test_a_template_and_its_content_type_are_read(tmp_path: Path) -> None:
    path = config(
        tmp_path, "      format: template\n      template: '{{ event.id }}'\n      content_type: text/plain; charset=utf-8\n"
    )
    webhook = read_config(path).config.subscriptions[0].webhook
    assert webhook is not None
    assert (webhook.format, webhook.template, webhook.content_type) == ("template", "{{ event.id }}", "text/plain; charset=utf-8")
