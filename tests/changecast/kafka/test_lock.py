from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changecast.kafka.lock import KAFKA_VERSION, Jar, dump, parse, pinned

WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-_", min_size=1)
JARS = st.builds(
    Jar, WORDS, WORDS, WORDS, st.just("") | WORDS, st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(1)
)


@given(st.lists(JARS).map(tuple))
def test_what_is_written_is_read_back(jars: tuple[Jar, ...]) -> None:
    assert parse(dump(jars)) == tuple(sorted(jars))


def test_the_pinned_jars_are_one_kafka_with_what_it_logs_through() -> None:
    jars = pinned()
    by_name = {jar.artifact: jar for jar in jars}
    assert {by_name[name].version for name in ("kafka_2.13", "kafka-clients", "kafka-server")} == {KAFKA_VERSION}
    assert by_name["log4j-slf4j-impl"].version == by_name["log4j-core"].version
    assert len({jar.file_name for jar in jars}) == len(jars)
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in jars)


def test_a_classifier_is_part_of_the_file_name() -> None:
    (jar,) = parse(f"org.example:thing:1.0:linux {'0' * 64} 5")
    assert jar.file_name == "thing-1.0-linux.jar"
    assert jar.coordinate == "org.example:thing:1.0:linux"


def test_a_line_of_another_form_is_named_by_its_number() -> None:
    with pytest.raises(ValueError, match="line 2"):
        parse("# comment\norg.example:thing 12\n")
