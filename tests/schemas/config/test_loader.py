"""What a good config comes to."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from schemas.config import Config, ConfigError, load_config, read_config
from schemas.config.models import Slack, Subscription
from tests.schemas.config.samples import SECRET, errors, load, write

EXAMPLE = Path(__file__).parents[3] / "changecast.example.yaml"
SANDBOX = {
    "SANDBOX_URL": "http://127.0.0.1:8484",
    "SANDBOX_WEBHOOK_URL": "http://127.0.0.1:8484/webhook",
    "SANDBOX_WEBHOOK_SECRET": SECRET,
    "SANDBOX_SLACK_URL": "http://127.0.0.1:8484/slack",
}


def subscription(folder: Path, text: str) -> Subscription:
    body = f"subscriptions: [{{name: a, webhook: {{url: 'http://x', secret: {SECRET}}}, {text}}}]"
    return load(folder, body).subscriptions[0]


def test_an_empty_file_names_all_providers_and_configures_none(tmp_path: Path) -> None:
    config = load(tmp_path, "# nothing yet\n")
    assert list(config.providers.named()) == ["tmdb", "pbs", "tvdb"]
    assert config.providers.configured() == {}
    assert config.subscriptions == []


def test_no_providers_means_nothing_is_polled(tmp_path: Path) -> None:
    assert load(tmp_path, "providers: {}").providers.named() == {}


def test_a_section_without_a_value_counts_as_not_written(tmp_path: Path) -> None:
    text = "kafka:\nproviders:\nnetwork:\ndelivery: {timeout: }\nsubscriptions:\n"
    assert load(tmp_path, text) == load(tmp_path, "")


@pytest.mark.parametrize("servers", ["127.0.0.1:9092", "kafka-1:9092, kafka_2.example.org:9093", "[::1]:9092"])
def test_brokers_are_named_by_host_and_port(tmp_path: Path, servers: str) -> None:
    assert load(tmp_path, f"kafka: {{bootstrap_servers: '{servers}'}}").kafka.bootstrap_servers == servers


def test_a_scalar_means_a_list_of_one(tmp_path: Path) -> None:
    match = subscription(tmp_path, "match: {provider: tmdb, entity: episode, key: images, action: added, language: en}").match
    assert (match.provider, match.entity, match.key, match.language) == (["tmdb"], ["episode"], ["images"], ["en"])
    assert [str(action) for action in match.action or []] == ["added"]
    assert load(tmp_path, "network: {allow: 10.0.0.0/8}").network.allow == [ipaddress.ip_network("10.0.0.0/8")]
    assert load(tmp_path, "delivery: {retry_schedule: 1s}").delivery.retry_schedule == [timedelta(seconds=1)]


@pytest.mark.parametrize("written", ["10.0.0.2", "10.0.0.2:5353", "fd00::2", "[fd00::2]:5353"])
def test_a_dns_server_is_an_address_with_or_without_a_port(tmp_path: Path, written: str) -> None:
    assert load(tmp_path, f"network: {{nameservers: '{written}'}}").network.nameservers == [written]


@pytest.mark.parametrize(("written", "meant"), [("[en, null]", ["en", None]), ("null", [None]), ("no", ["no"]), ("[]", [])])
def test_languages_may_be_none(tmp_path: Path, written: str, meant: list[str | None]) -> None:
    assert subscription(tmp_path, f"match: {{language: {written}}}").match.language == meant
    assert subscription(tmp_path, "match: {}").match.language is None


def test_from_is_how_far_back_a_new_subscription_starts(tmp_path: Path) -> None:
    assert subscription(tmp_path, "from: 24h").since == timedelta(hours=24)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("36h", timedelta(hours=36)),
        ("2025-01-21", datetime(2025, 1, 21, tzinfo=UTC)),
        ("2025-01-21T04:46:31Z", datetime(2025, 1, 21, 4, 46, 31, tzinfo=UTC)),
        ("'2025-01-21 06:46:31+02:00'", datetime(2025, 1, 21, 4, 46, 31, tzinfo=UTC)),
    ],
)
def test_a_first_start_begins_a_while_ago_or_at_a_time(tmp_path: Path, written: str, meant: timedelta | datetime) -> None:
    tmdb = load(tmp_path, f"providers: {{tmdb: {{since: {written}}}}}").providers.tmdb
    assert tmdb is not None
    assert tmdb.since == meant


@pytest.mark.parametrize(("written", "meant"), [("all", "all"), ("none", "none"), ("550", [550]), ("[550, 551]", [550, 551])])
def test_watch_is_all_none_or_ids(tmp_path: Path, written: str, meant: object) -> None:
    tmdb = load(tmp_path, f"providers: {{tmdb: {{watch: {{movie: {written}}}}}}}").providers.tmdb
    assert tmdb is not None
    assert (tmdb.watch.movie, tmdb.watch.person) == (meant, "none")


def test_types_are_all_or_names(tmp_path: Path) -> None:
    for written, meant in (("all", "all"), ("asset", ["asset"]), ("[asset, episode]", ["asset", "episode"])):
        pbs = load(tmp_path, f"providers: {{pbs: {{types: {written}}}}}").providers.pbs
        assert pbs is not None
        assert pbs.types == meant


def test_paths_are_relative_to_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    path = write(Path("etc"), "data_dir: data\nkafka: {ssl_cafile: ca.pem, ssl_keyfile: /keys/k.pem}")
    config = load_config(path, environ={})
    assert config.data_dir == tmp_path / "etc" / "data"
    assert (config.kafka.ssl_cafile, config.kafka.ssl_keyfile) == (tmp_path / "etc" / "ca.pem", Path("/keys/k.pem"))
    assert load(tmp_path, "data_dir: /var/lib/changecast").data_dir == Path("/var/lib/changecast")


def test_the_default_file_is_changecast_yaml_in_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "kafka: {partitions: 7}")
    assert load_config(environ={}).kafka.partitions == 7


def test_anchors_and_merges_save_writing(tmp_path: Path) -> None:
    text = f"""\
subscriptions:
  - name: a
    webhook: &hook {{url: "http://x/a", secret: {SECRET}, concurrency: 2}}
  - name: b
    webhook: {{<<: *hook, url: "http://x/b"}}
"""
    a, b = (each.webhook for each in load(tmp_path, text).subscriptions)
    assert a is not None
    assert b is not None
    assert (b.url, b.concurrency, b.secret) == ("http://x/b", 2, a.secret)


def test_yaml_is_read_as_version_1_2(tmp_path: Path) -> None:
    config = load(tmp_path, "\ufeffdata_dir: yes\nkafka: {partitions: 010, embedded_port: 0x10, topic_prefix: 2001-01-01}")
    assert (config.data_dir.name, config.kafka.partitions, config.kafka.embedded_port) == ("yes", 10, 16)
    assert config.kafka.topic_prefix == "2001-01-01"


def test_several_secrets_sign_side_by_side(tmp_path: Path) -> None:
    ed25519 = "whsk_" + "A" * 43 + "="
    text = f"subscriptions: [{{name: a, webhook: {{url: 'http://x', secret: [{SECRET}, {ed25519}]}}}}]"
    webhook = load(tmp_path, text).subscriptions[0].webhook
    assert webhook is not None
    assert [secret.get_secret_value() for secret in webhook.secret] == [SECRET, ed25519]


OLD = "whsec_" + "b2xkIG9s" * 4


def rotating(previous: str) -> str:
    return f"subscriptions: [{{name: a, webhook: {{url: 'http://x', secret: {SECRET}, previous_secrets: {previous}}}}}]"


@pytest.mark.parametrize("written", ["2099-12-01", "2099-12-01T00:00Z", "2099-12-01T01:00+01:00", "'2099-12-01 00:00:00'"])
@pytest.mark.parametrize("form", ["{secret: SECRET, until: TIME}", "[{secret: SECRET, until: TIME}]"])
def test_a_previous_secret_has_a_time_until_which_it_signs(tmp_path: Path, written: str, form: str) -> None:
    text = rotating(form.replace("SECRET", OLD).replace("TIME", written))
    loaded = read_config(write(tmp_path, text), environ={})
    webhook = loaded.config.subscriptions[0].webhook
    assert webhook is not None
    (previous,) = webhook.previous_secrets
    assert (previous.secret.get_secret_value(), previous.until) == (OLD, datetime(2099, 12, 1, tzinfo=UTC))
    assert loaded.warnings == []


def test_a_previous_secret_whose_time_is_over_or_that_is_todays_is_a_warning(tmp_path: Path) -> None:
    text = rotating(f"[{{secret: {OLD}, until: 2025-12-01}}, {{secret: {SECRET}, until: 2099-12-01}}]")
    warnings = read_config(write(tmp_path, text), environ={}).warnings
    assert [each.message for each in warnings] == [
        "this secret signs no more since 2025-12-01 00:00 UTC: it can be taken out",
        "this is a secret of today too: the new one goes into `secret`",
    ]
    assert warnings[0].path == "subscriptions[0].webhook.previous_secrets[0].until"
    assert not any(secret in each.render() for each in warnings for secret in (OLD, SECRET))


@pytest.mark.parametrize("until", ["soon", "24h", "5", "null"])
def test_a_previous_secret_without_a_time_is_refused(tmp_path: Path, until: str) -> None:
    (error,) = errors(tmp_path, rotating(f"{{secret: {OLD}, until: {until}}}"))
    assert "subscriptions[0].webhook.previous_secrets" in error
    assert "until" in error


def test_alerts_without_a_filter_are_alerts_only(tmp_path: Path) -> None:
    text = f"""subscriptions:
  - {{name: a, alerts: true, webhook: &hook {{url: 'http://x', secret: {SECRET}}}}}
  - {{name: b, alerts: true, match: , webhook: *hook}}
  - {{name: c, alerts: true, match: {{}}, webhook: *hook}}
  - {{name: d, alerts: true, when: 'event.id != ""', webhook: *hook}}
  - {{name: e, webhook: *hook}}
"""
    config = load(tmp_path, text)
    assert [one.name for one in config.subscriptions if one.alerts_only] == ["a", "b"]
    # what is written out means the same when it is read
    hook = {"webhook": {"url": "http://x", "secret": SECRET}}
    dumped = [one.model_dump(exclude={"webhook"}, by_alias=True, exclude_none=True) | hook for one in config.subscriptions]
    again = Config.model_validate({"subscriptions": dumped})
    assert [one.name for one in again.subscriptions if one.alerts_only] == ["a", "b"]


def test_slack_takes_an_incoming_webhook_or_a_bot_token() -> None:
    assert Slack.model_validate({"webhook_url": "http://127.0.0.1:1/x"}).token is None
    assert Slack.model_validate({"token": "xoxb-1", "channel": "C1"}).webhook_url is None


def test_filters_that_look_like_a_slip_are_warnings(tmp_path: Path) -> None:
    text = f"""\
subscriptions:
  - name: a
    match: {{provider: pbs, entity: [episod, link], within: tmdb:series:1}}
    webhook: {{url: 'http://x', secret: {SECRET}}}
"""
    warnings = [str(each).removeprefix(f"{tmp_path}/") for each in read_config(write(tmp_path, text), environ={}).warnings]
    assert warnings == [
        "changecast.yaml:3:37: subscriptions[0].match.entity[0]: not one of the usual entity types, so it may match nothing; "
        'did you mean "episode"?',
        "changecast.yaml:3:60: subscriptions[0].match.within: matches nothing: `provider` here is pbs only",
    ]


def test_the_example_works_as_it_ships() -> None:
    loaded = read_config(EXAMPLE, environ=SANDBOX)
    assert loaded.warnings == []
    assert loaded.config.providers.configured() == {}
    assert loaded.unset == {"tmdb": ("TMDB_TOKEN",), "pbs": ("PBS_KEY", "PBS_SECRET"), "tvdb": ("TVDB_APIKEY",)}
    assert [each.name for each in loaded.config.subscriptions] == ["new-stills", "catalogue", "large-pictures", "newsroom"]
    assert loaded.config.network.allow == [ipaddress.ip_network("127.0.0.0/8")]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["tmdb", "5s", "all", "${X}"])
)
KEYS = st.sampled_from(
    [
        *(
            "data_dir",
            "kafka",
            "providers",
            "tmdb",
            "pbs",
            "tvdb",
            "token",
            "watch",
            "movie",
            "network",
            "allow",
            "delivery",
            "breaker",
        ),
        *("retry_schedule", "subscriptions", "name", "match", "provider", "language", "when", "from", "webhook", "url", "secret"),
        *("headers", "slack", "channel", "rate", "interval", "since", "types"),
    ]
) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=25
)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_mapping_is_a_config_or_a_list_of_problems(
    tmp_path_factory: pytest.TempPathFactory, value: dict[str, object]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(value, file)
    try:
        assert isinstance(load_config(path, environ={}), Config)
    except ConfigError as error:
        assert error.problems
        assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in error.problems)
        assert "pydantic" not in str(error)


@given(st.text(max_size=60) | st.text(alphabet="ab:-[]{}'\"\n\t #&*!|>%@,?$.0", max_size=40))
def test_any_text_is_a_config_or_a_list_of_problems(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "text.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    try:
        assert isinstance(load_config(path, environ={}), Config)
    except ConfigError as error:
        assert str(error)


def test_the_home_of_a_user_who_is_not_there_is_a_folders_name(tmp_path: Path) -> None:
    assert load(tmp_path, "data_dir: ~no-such-user/x").data_dir == tmp_path / "~no-such-user" / "x"
