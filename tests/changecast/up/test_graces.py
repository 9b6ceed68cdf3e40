"""How long each part may take to end: sinks as long as a call may take, by the config."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from changecast.up.graces import anew_within, grace_of, reload_grace_of, stop_within
from schemas.config import Config, Delivery


def with_timeout(seconds: float) -> Config:
    return Config(delivery=Delivery(timeout=timedelta(seconds=seconds)))


@pytest.mark.parametrize("seconds", [1, 15, 90, 600])
def test_sinks_may_take_longer_than_their_longest_call(seconds: float) -> None:
    config = with_timeout(seconds)
    assert grace_of("sinks", config) >= seconds + 5
    assert reload_grace_of("sinks", config) >= max(seconds + 5, 20)
    assert anew_within("sinks", config) >= max(seconds + 5, 14)
    assert stop_within(config) >= seconds + 5 + sum(grace_of(part, config) for part in ("producers", "streams", "kafka"))


def test_only_sinks_take_longer_by_it() -> None:
    short, long = with_timeout(1), with_timeout(600)
    for part in ("producers", "streams", "sandbox", "kafka"):
        assert grace_of(part, short) == grace_of(part, long)
    assert anew_within("streams", long) == anew_within("streams", short) < 15


def test_a_longer_call_never_makes_a_grace_period_shorter() -> None:
    for shorter, longer in pairwise(with_timeout(seconds) for seconds in (1, 5, 8, 14, 15, 20, 60)):
        assert anew_within("sinks", shorter) <= anew_within("sinks", longer)
        assert reload_grace_of("sinks", shorter) <= reload_grace_of("sinks", longer)
