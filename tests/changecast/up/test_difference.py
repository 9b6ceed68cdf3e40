from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changecast.up.difference import PARTS, Change, Difference, difference
from schemas.config import Config

SECRET = "whsec_" + "Y2hhbmdlY2FzdC1yZWxvYWQtdGVzdC1rZXktMDAwMQ=="
OTHER = "whsec_" + "Y2hhbmdlY2FzdC1yZWxvYWQtdGVzdC1rZXktMDAwMg=="
BASE: dict[str, Any] = {
    "providers": {"tmdb": {"token": "a-token"}, "pbs": {"key": "k", "secret": "a-secret"}, "tvdb": {"apikey": None}},
    "subscriptions": [
        {"name": "news", "match": {"provider": "pbs"}, "webhook": {"url": "https://example.org/news", "secret": SECRET}},
        {"name": "stills", "webhook": {"url": "https://example.org/stills", "secret": SECRET}},
    ],
}
SINKS = ("sinks",)
READING = ("producers", "streams")


def merged(base: Any, change: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    return base | {key: merged(base.get(key), value) for key, value in change.items()}


def config(change: dict[str, Any] | None = None) -> Config:
    return Config.model_validate(merged(BASE, change or {}))


def webhook(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "webhook": {"url": f"https://example.org/{name}", "secret": SECRET, **changes}}


NEWS, STILLS = BASE["subscriptions"]


@pytest.mark.parametrize(
    ("change", "words", "parts"),
    [
        ({"providers": {"tmdb": {"interval": "90s"}}}, "provider tmdb has another interval", READING),
        ({"providers": {"tmdb": {"token": "b-token"}}}, "provider tmdb has another token", READING),
        ({"providers": {"tmdb": {"watch": {"tv": "none"}, "rate": 7}}}, "provider tmdb has another rate, watch.tv", READING),
        ({"providers": {"tmdb": {"token": None}}}, "provider tmdb is gone", READING),
        ({"providers": {"tvdb": {"apikey": "key"}}}, "provider tvdb is new", READING),
        ({"network": {"allow": "10.0.0.0/8"}}, "network.allow changed", SINKS),
        ({"network": {"nameservers": "10.0.0.2"}}, "network.nameservers changed", SINKS),
        ({"network": {"proxy": "http://proxy:3128"}}, "network.proxy changed", PARTS),
        ({"network": {"proxy": "http://proxy:3128", "allow": "10.0.0.0/8"}}, "network.allow, network.proxy changed", PARTS),
        ({"delivery": {"timeout": "9s", "breaker": {"failed": 0.5}}}, "delivery.timeout, delivery.breaker.failed changed", SINKS),
        ({"subscriptions": [NEWS, STILLS, webhook("more")]}, "subscription more is new", SINKS),
        ({"subscriptions": [NEWS]}, "subscription stills is gone", SINKS),
        ({"subscriptions": [NEWS, STILLS | {"when": "true"}]}, "subscription stills has another when", SINKS),
        ({"subscriptions": [NEWS, STILLS | {"from": "2h"}]}, "subscription stills has another from", SINKS),
        ({"subscriptions": [NEWS, webhook("stills", secret=OTHER)]}, "subscription stills has another webhook.secret", SINKS),
        ({"subscriptions": [NEWS, webhook("posters")]}, "subscription stills is gone; subscription posters is new", SINKS),
        ({"subscriptions": [NEWS, {"name": "stills", "slack": {"webhook_url": "https://hooks.slack.com/x"}}]},
         "subscription stills has another webhook, slack", SINKS),
        ({"subscriptions": [], "providers": {"pbs": {"rate": 3}}},
         "provider pbs has another rate; subscription news is gone; subscription stills is gone", PARTS),
    ],
)  # fmt: skip
def test_a_change_is_told_and_concerns_the_parts_that_read_it(change: dict[str, Any], words: str, parts: tuple[str, ...]) -> None:
    found = difference(config(), config(change))

    assert (found.words, found.parts, found.fixed) == (words, parts, ())


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"providers": {"tvdb": {"rate": 3}}},
        {"subscriptions": [STILLS, NEWS]},
        {"delivery": {"timeout": "15000ms"}},
    ],
    ids=["the same", "a provider without credentials", "another order", "a default that is written out"],
)
def test_what_nobody_acts_on_is_no_change(change: dict[str, Any]) -> None:
    found = difference(config(), config(change))

    assert (found.changes, found.fixed) == ((), ())


@pytest.mark.parametrize(
    ("change", "fixed"),
    [
        ({"data_dir": "elsewhere"}, ("data_dir",)),
        ({"kafka": {"topic_prefix": "news", "partitions": 8}}, ("kafka.topic_prefix", "kafka.partitions")),
        ({"kafka": {"bootstrap_servers": "kafka:9092"}}, ("kafka.bootstrap_servers",)),
        ({"kafka": {"embedded_port": 9093, "embedded_heap": "1g"}}, ("kafka.embedded_port", "kafka.embedded_heap")),
        ({"kafka": {"sasl_plain_password": "p"}}, ("kafka.sasl_plain_password",)),
    ],
)
def test_what_cannot_change_while_running_is_named(change: dict[str, Any], fixed: tuple[str, ...]) -> None:
    assert difference(config(), config(change)).fixed == fixed


def test_no_secret_is_told() -> None:
    change = {"providers": {"tmdb": {"token": "b-token"}}, "subscriptions": [NEWS, webhook("stills", secret=OTHER)]}

    told = difference(config(), config(change)).words

    assert not any(secret in told for secret in ("a-token", "b-token", SECRET, OTHER))


def test_a_section_that_is_not_known_here_concerns_every_part() -> None:
    class Later(Config):
        later: int = 0

    assert difference(Later(), Later(later=1)) == Difference((Change("later changed", PARTS),))


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "providers": st.fixed_dictionaries({}, optional={
            "tmdb": st.sampled_from([{"rate": 3}, {"token": None}, {"interval": "5s"}]),
            "tvdb": st.sampled_from([{"apikey": "x"}, {"rate": 2}]),
        }),
        "network": st.sampled_from([{"allow": []}, {"allow": "10.0.0.0/8"}]),
        "delivery": st.sampled_from([{"queue": 5}, {"jitter": 0.1}]),
        "subscriptions": st.lists(
            st.sampled_from([NEWS, STILLS, webhook("more"), STILLS | {"when": "true"}]), unique_by=lambda one: one["name"]
        ),
        "kafka": st.sampled_from([{}, {"partitions": 5}]),
    },
)  # fmt: skip


@given(CHANGES, CHANGES)
def test_a_part_that_is_not_concerned_reads_the_same_as_before(one: dict[str, Any], other: dict[str, Any]) -> None:
    old, new = config(one), config(other)

    found = difference(old, new)

    if "sinks" not in found.parts:
        assert (old.network, old.delivery) == (new.network, new.delivery)
        assert sorted(old.subscriptions, key=lambda each: each.name) == sorted(new.subscriptions, key=lambda each: each.name)
    if not {"producers", "streams"} & set(found.parts):
        assert old.providers.configured() == new.providers.configured()
    if not found.fixed:
        assert (old.kafka, old.data_dir) == (new.kafka, new.data_dir)
    assert difference(new, old).parts == found.parts
