"""What is wrong is said at its line and column, in plain words, all at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.config import ConfigError, load_config
from tests.schemas.config.samples import SECRET, errors, rendered, write

NO_DURATION = "not a duration: write a number and a unit, as 250ms, 90s, 5m, 2h or 14d"
NO_SINCE = "neither a duration nor a time: write 24h, or 2025-01-21T04:46:31Z"
NO_WATCH = "expected all, none, or a list of ids (whole numbers)"
NO_FIELDS = "expected a list of fields' names, as [siteRating, lastUpdated]; with [] every field is compared"
NO_ADDRESS = "not a web address: write http:// or https://, then a host and a path"
HOST_BITS = "not a network: it has bits set behind its prefix; did you mean 10.0.0.0/8?"
NO_HOST = (
    "not an address to listen on: write 127.0.0.1 (this machine alone), 0.0.0.0 or :: (all of its networks), or a host's name"
)
NO_NAMESERVER = "not the address of a DNS server: write 10.0.0.2, 10.0.0.2:5353, or [fd00::2]:5353"
BAD_NAMESERVERS = ("dns.example", "10.0.0.2:0", "10.0.0.2:70000", "[fd00::2", "10.0.0", "10.0.0.2,10.0.0.3")
NO_NETWORK = "not a network: write an address or a CIDR block, as 10.0.0.0/8, 192.0.2.7 or fd00::/8"
NO_SERVERS = "not the addresses of Kafka's brokers: write host:port, with commas between several, as kafka-1:9092,kafka-2:9092"
NO_NAME = 'a subscription\'s name is made of letters, digits, "-" and "_", at most 64, and starts with a letter or a digit'
NO_URN = "not an entity URN: it has the form provider:type:id, as tmdb:series:1399"
NO_HEADER = "not a header's name: letters, digits and dashes, as X-Source"
NO_HEADER_VALUE = "a header's value is one line of ASCII, without control characters"
NO_VARIABLE = '"${" begins a variable, ${NAME}: letters, digits and "_", no default; for the characters themselves write "$${"'
ODD_COLON = 'a ":" that can\'t stand here: check the indentation of this line, or put the value in quotes'
HOOK = f"webhook: {{url: 'https://example.org', secret: {SECRET}}}"


def test_an_unknown_key_is_shown_with_its_line_a_caret_and_the_nearest_right_name(tmp_path: Path) -> None:
    text = f"subscriptions:\n  - name: a\n    match:\n      provder: tmdb\n    {HOOK}\n"
    assert rendered(tmp_path, text) == (
        'changecast.yaml:4:7: subscriptions[0].match.provder: unknown key "provder"; did you mean "provider"?\n'
        "    4 |       provder: tmdb\n"
        "      |       ^^^^^^^"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kafka: {embedded_port: ninety}", '1:24: kafka.embedded_port: expected a whole number, got text'),
        ("kafka: {partitions: true}", "1:21: kafka.partitions: expected a number, got true or false"),
        ("kafka: {partitions: 0}", "1:21: kafka.partitions: must be at least 1"),
        ("kafka: {embedded_port: 70000}", "1:24: kafka.embedded_port: must be at most 65535"),
        ("kafka: {bootstrap_servers: nohost}", f"1:28: kafka.bootstrap_servers: {NO_SERVERS}"),
        ("kafka: {bootstrap_servers: 'a:9092, b:0'}", f"1:28: kafka.bootstrap_servers: {NO_SERVERS}"),
        ("metrics: {port: 70000}", "1:17: metrics.port: must be at most 65533"),
        ("metrics: {port: on}", "1:17: metrics.port: expected a whole number, got text"),
        ("metrics: {host: '127.0.0.1:80'}", f"1:17: metrics.host: {NO_HOST}"),
        ("metrics: 9464", "1:10: metrics: expected keys and values, got a number"),
        ("kafka:\n  topic_prefix: 5", "2:17: kafka.topic_prefix: expected text, got a number; put it in quotes"),
        ("kafka: 5", "1:8: kafka: expected keys and values, got a number"),
        ("kafka:\n  - 5", "1:1: kafka: expected keys and values, got a list"),
        ("providers: {tmdb: {rate: .inf}}", "1:26: providers.tmdb.rate: expected a finite number, got a number"),
        ("delivery: {jitter: 2}", "1:20: delivery.jitter: must be at most 1"),
        ("delivery: {timeout: 15}", f"1:21: delivery.timeout: {NO_DURATION}"),
        ("delivery: {timeout: 0s}", "1:21: delivery.timeout: must be longer than nothing"),
        ("delivery: {retry_schedule: [5s, 5]}", f"1:33: delivery.retry_schedule[1]: {NO_DURATION}"),
        ("providers: {tmdb: {since: yesterday}}", f"1:27: providers.tmdb.since: {NO_SINCE}"),
        ("providers: {tvdb: {volatile: none}}", f"1:30: providers.tvdb.volatile: {NO_FIELDS}"),
        ("providers: {pbs: {volatile: [overview@de]}}", f"1:19: providers.pbs.volatile: {NO_FIELDS}"),
        ("providers: {tmdb: {watch: {tv: some}}}", f"1:32: providers.tmdb.watch.tv: {NO_WATCH}"),
        ("providers: {tmdb: {base_url: api.org}}", f"1:30: providers.tmdb.base_url: {NO_ADDRESS}"),
        ("providers: {tmdb: {base_url: 'http://api..org'}}", f"1:30: providers.tmdb.base_url: {NO_ADDRESS}"),
        ("providers: {tvbd: {}}", '1:13: providers.tvbd: unknown key "tvbd"; did you mean "tvdb"?'),
        ("network: {allow: [10.0.0.1/8]}", f"1:19: network.allow[0]: {HOST_BITS}"),
        ("network: {allow: here}", f"1:18: network.allow: {NO_NETWORK}"),
        *((f"network: {{nameservers: '{text}'}}", f"1:24: network.nameservers: {NO_NAMESERVER}") for text in BAD_NAMESERVERS),
        ("subscriptions: {}", "1:1: subscriptions: expected a list, got keys and values"),
        ("zzz: 1", '1:1: zzz: unknown key "zzz"; known here: data_dir, kafka, providers, network, delivery, metrics, subscriptions'),
        ("data_dir: a\ndata_dir: b", '2:1: data_dir: duplicate key "data_dir": it stands on line 1 already'),
        ("data_dir:a", "1:1: expected keys and values, got text"),
        ("kafka: {partitions:4}", '1:9: kafka.partitions…: unknown key "partitions…": a blank is missing after "partitions:"'),
        ("data_dir: ${HOME", f'1:11: data_dir: {NO_VARIABLE}'),
        ("data_dir: ${D}", "1:11: data_dir: ${D} is not set: set D in the environment, or in a .env beside this file"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_at_its_place(tmp_path: Path, text: str, expected: str) -> None:
    assert errors(tmp_path, text) == [f"changecast.yaml:{expected}"]


@pytest.mark.parametrize(
    ("subscription", "expected"),
    [
        (f"name: a b, {HOOK}", f'name: {NO_NAME}'),
        (f"{HOOK}", ': missing key "name"'),
        ("name: a", ": needs exactly one endpoint: webhook or slack"),
        ("name: a, webhook: {url: 'https://x.org'}", 'webhook: missing key "secret"'),
        ("name: a, slack: {}", "slack: needs either webhook_url, or token and channel"),
        ("name: a, slack: {token: xoxb-1}", "slack: a bot token needs the channel to post to"),
        (f"name: a, since: 24h, {HOOK}", 'since: unknown key "since"; did you mean "from"?'),
        (f"name: a, match: {{provider: tmbd}}, {HOOK}", 'match.provider: expected one of tmdb, pbs, tvdb; did you mean "tmdb"?'),
        (f"name: a, match: {{action: [added, removed]}}, {HOOK}", "match.action[1]: expected one of created, added, updated, deleted"),
        (f"name: a, match: {{within: 1399}}, {HOOK}", "match.within: expected text, got a number; put it in quotes"),
        (f"name: a, match: {{id: [tmdb:movie]}}, {HOOK}", f"match.id[0]: {NO_URN}"),
        (f"name: a, match: {{unchanged: maybe}}, {HOOK}", "match.unchanged: expected true or false, got text"),
        (f"name: a, webhook: {{url: http://x, secret: {SECRET}, headers: {{'a b': c}}}}", f"webhook.headers.a…: {NO_HEADER}"),
        (f"name: a, webhook: {{url: 'https://x', secret: {SECRET}, headers: {{a: \"c\\nd\"}}}}", f"webhook.headers.a: {NO_HEADER_VALUE}"),
        ("name: a, webhook: {url: 'https://x', secret: []}", "webhook.secret: needs at least 1 of them"),
        (f"name: a, when: size(event), {HOOK}", "when: the expression gives a number, where true or false is needed"),
    ],
)  # fmt: skip
def test_a_wrong_subscription_is_told(tmp_path: Path, subscription: str, expected: str) -> None:
    (problem,) = errors(tmp_path, f"subscriptions: [{{{subscription}}}]")
    place, _, message = problem.partition(": ")
    assert place.startswith("changecast.yaml:1:")
    assert message == f"subscriptions[0]{'' if expected.startswith(':') else '.'}{expected}"


def test_everything_that_is_wrong_is_told_in_one_go_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = f"""\
kafka: {{partitions: 0}}
delivery: {{timeout: soon, queue: []}}
subscriptions:
  - name: a
    when: event.x ==
    {HOOK}
  - name: a
    match: {{provider: x, entty: y}}
  - nam: b
    slack: {{webhook_url: "${{SLACK_URL}}", rate: fast}}
"""
    places = [problem.split(": ")[1] for problem in errors(tmp_path, text)]
    assert places == [
        "kafka.partitions",
        "delivery.timeout",
        "delivery.queue",
        "subscriptions[0].when",
        "subscriptions[1]",
        "subscriptions[1].name",
        "subscriptions[1].match.provider",
        "subscriptions[1].match.entty",
        "subscriptions[2]",
        "subscriptions[2].nam",
        "subscriptions[2].slack.webhook_url",
        "subscriptions[2].slack.rate",
    ]


def test_the_second_of_two_equal_names_points_to_the_first(tmp_path: Path) -> None:
    text = f"subscriptions:\n  - name: a\n    {HOOK}\n  - name: b\n    {HOOK}\n  - name: a\n    {HOOK}\n"
    assert errors(tmp_path, text) == [
        "changecast.yaml:6:11: subscriptions[2].name: the subscription on line 2 has this name already: each needs its own"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kafka:\n\tpartitions: 1", "2:1: a tab: YAML indents with spaces"),
        ("delivery:\n  timeout: 5s\n   queue: 5", f'3:9: {ODD_COLON}'),
        ("network: [1\nkafka: 2", "2:6: a list or mapping in brackets goes on here: a comma or ']' is missing"),
        ("kafka: {topic_prefix: 'abc}\n", "1:23: the quote that opens here is never closed"),
        ("data_dir: @x", "1:11: a value can't start with '@': put it in quotes"),
        ("data_dir: *x", '1:11: the alias "*x" names no anchor "&x" above it'),
        ("data_dir: a\n---\nb: 1", '2:1: a second document ("---"): a config file is one'),
        ("data_dir: \x1b[31m", "1:11: not YAML: unacceptable character #x001b: special characters are not allowed"),
        ("a: " + "[" * 500, "1:1: nested too deeply, or too large once its aliases are written out"),
        ("[1, 2]", "1:1: expected keys and values, got a list"),
        ("data_dir: !path x", '1:11: data_dir: the tag "!path" means nothing here: leave it out'),
        ("? [a]\n: b", "1:3: a key is a word, not a list or a mapping"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_told_at_its_place(tmp_path: Path, text: str, expected: str) -> None:
    assert errors(tmp_path, text) == [f"changecast.yaml:{expected}"]


def test_merges_within_merges_are_counted_before_they_are_made(tmp_path: Path) -> None:
    merges = "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 24))
    assert errors(tmp_path, "a0: &a0 {x: 1}\n" + merges) == [
        "changecast.yaml:1:1: nested too deeply, or too large once its aliases are written out"
    ]


def test_an_alias_that_grows_without_end_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert errors(tmp_path, "\n".join(lines)) == [
        "changecast.yaml:1:1: nested too deeply, or too large once its aliases are written out"
    ]


@pytest.mark.parametrize(
    ("when", "place"),
    [
        ("    when: event.data.id == nme", "3:28"),
        ("    when: 'event.data.id == nme'", "3:29"),
        ("    when: 'event.id == ''x'' && nme'", "3:33"),
        ('    when: "event.data.id == nme"', "3:29"),
        ("    when: |\n      event.id == 'x' &&\n        nme == 1", "5:9"),
        ("    when: >-\n      event.id == 'x' &&\n      nme == 1", "3:11"),
    ],
)
def test_an_error_in_a_when_is_told_at_its_place_in_the_file(tmp_path: Path, when: str, place: str) -> None:
    text = f"subscriptions:\n  - name: a\n{when}\n    {HOOK}\n"
    assert errors(tmp_path, text) == [
        f'changecast.yaml:{place}: subscriptions[0].when: unknown name "nme": an expression sees "event" and CEL\'s functions'
    ]


def test_the_caret_stands_under_the_place_behind_wide_characters_and_tabs(tmp_path: Path) -> None:
    lines = rendered(tmp_path, 'kafka: {topic_prefix: "日本",\tpartitions: 0}').splitlines()
    assert lines[-1] == "      | " + " " * 29 + "\t" + " " * 12 + "^"


def test_a_long_line_is_cut_around_the_place(tmp_path: Path) -> None:
    lines = rendered(tmp_path, f"data_dir: {'x' * 500}\nkafka: {{topic_prefix: {'y' * 300}, partitions: 0}}").splitlines()
    assert max(map(len, lines[4:])) < 140
    assert lines[-2][lines[-1].index("^")] == "0"


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    path = tmp_path / "changecast.yaml"
    remedy = f"make one with `cp changecast.example.yaml {path}`, or name one with -c, as -c changecast.example.yaml"
    with pytest.raises(ConfigError, match=re.escape(f"there is no config file here: {remedy}")):
        load_config(path, environ={})


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "changecast.yaml"
    path.write_bytes(b"data_dir: \xff")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load_config(path, environ={})


def test_what_concerns_the_file_as_a_whole_has_no_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path, environ={})
    assert str(caught.value) == f"{tmp_path}: this is a folder: name the config file in it"


def test_a_broken_dotenv_is_told_with_its_line_and_without_its_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n'hunter2\n")
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, "{}"), environ={})
    assert str(caught.value) == f"{tmp_path}/.env:2:1: not a line of the form NAME=value"


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        (
            "pbs: {dedupe_window: 12h}",
            "providers.pbs.dedupe_window: dedupe_window (12h) is shorter than reread + reread_every (25h): what is read again would be"
            " published twice",
        ),
        (
            "tmdb: {overlap: 31d}",
            "providers.tmdb.overlap: dedupe_window (30d) is shorter than overlap (31d): what is read again would be published twice",
        ),
        (
            "tvdb: {reread: 9d}",
            "providers.tvdb.reread: dedupe_window (8d) is shorter than reread + reread_every (217h): what is read again would be"
            " published twice",
        ),
    ],
)
def test_a_window_that_is_shorter_than_what_is_read_again_is_an_error(tmp_path: Path, section: str, problem: str) -> None:
    [found] = errors(tmp_path, f"providers: {{{section}}}")
    assert re.sub(r"^changecast.yaml:\d+:\d+: ", "", found) == problem


def test_a_window_that_covers_what_is_read_again_is_good(tmp_path: Path) -> None:
    assert errors(tmp_path, "providers: {pbs: {dedupe_window: 25h}, tmdb: {overlap: 30d, dedupe_window: 30d}}") == []
