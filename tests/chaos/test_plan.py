"""The plan of a chaos run."""

from __future__ import annotations

import pytest

from tests.chaos.plan import Kind, counts, plan
from tests.chaos.sinks.chaos import ODDS as SINKS
from tests.chaos.streams.chaos import ODDS as STREAMS


@pytest.mark.parametrize("odds", [STREAMS, SINKS])
def test_a_seed_draws_the_same_plan_again_with_every_kind_of_kill(odds):
    assert plan(5, 1, odds) == plan(5, 1, odds) != plan(5, 2, odds)
    drawn = counts(plan(5, 1, odds))
    assert sum(drawn[kind] for kind in odds.kills) == 5
    assert all(drawn[kind] for kind in odds.kills)
    assert drawn[Kind.PAUSE_WORKER] >= odds.fewest_others
