"""An operator's command and polling together keep to polling's share of the budget."""

from __future__ import annotations

import asyncio
import math
import re
from contextlib import asynccontextmanager

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from changecast.cli import cli
from changecast.provider.borrowing import borrowing
from producers.lending import KEPT_S, MOST_LENT, Lending, LoanBook
from runtime.clock import ManualClock
from runtime.kafka import Cluster
from runtime.rate import RateLimit
from runtime.topics import ensure_topics
from schemas.loan import Loan
from tests.eventually import until
from tests.producers.sandbox_process import sandbox_process
from tests.producers.worlds import config_for, cursors, now, read_past, working, write_config

RATE, POLLING = 40, 12
FEEDS = 2


def loan(holder: str, rate: float = 1.0) -> Loan:
    return Loan(provider="tmdb", holder=holder, rate=rate)


def book(share: float, *rates: float) -> LoanBook:
    found = LoanBook(share)
    for number, rate in enumerate(rates):
        found.note(loan(str(number), rate), at=0.0)
    return found


def test_what_is_lent_is_taken_from_polling_and_comes_back():
    lent = book(12, 4)
    assert (lent.rate, [one.holder for one in lent.granted]) == (8, ["0"])
    lent.end("0")
    assert lent.rate == 12


def test_less_than_a_request_a_second_costs_one_since_it_is_one_in_some_second():
    assert book(12, 0.2).rate == 11


def test_a_loan_that_does_not_fit_waits_until_another_ends():
    lent = book(12, 6, 6, 2)
    assert [one.holder for one in lent.granted] == ["0", "2"]
    lent.end("0")
    assert [one.holder for one in lent.granted] == ["1", "2"]


def test_a_loan_that_is_not_renewed_is_over():
    lent = book(12, 4)
    lent.expire(KEPT_S)
    assert lent.rate == 8
    lent.note(loan("0", 4), at=KEPT_S)
    lent.expire(2 * KEPT_S)
    assert lent.rate == 8
    lent.expire(2 * KEPT_S + 1)
    assert lent.rate == 12


@given(st.floats(2, 1000), st.lists(st.floats(0.01, 500), max_size=6))
def test_all_together_have_no_more_in_any_second_than_polling_alone(share, rates):
    lent = book(share, *rates)
    most = math.floor(lent.rate + 1e-9) + sum(max(1, math.floor(one.rate)) for one in lent.granted)
    assert most <= share + 1e-6
    assert lent.rate >= (1 - MOST_LENT) * share - 1e-6


@pytest.fixture
async def cluster(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    await ensure_topics(cluster, [*cluster.topics.common(), *cluster.topics.of_provider("tmdb")])
    return cluster


@asynccontextmanager
async def lending(cluster, limit, clock=None):
    leader = Lending(cluster, {"tmdb": limit}, lambda: None, clock)
    await leader.begin()
    task = asyncio.create_task(leader.run())
    try:
        yield leader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def write(cluster, *records):
    async with cluster.producer() as producer:
        for key, value in records:
            await producer.send_and_wait(cluster.topics.cursors.name, value, key=key)


async def test_a_worker_that_takes_over_knows_what_is_lent_before_it_polls(cluster):
    await write(cluster, (loan("a", 3).key, loan("a", 3).to_json()), (loan("b").key, loan("b").to_json()), (loan("b").key, None))
    limit = RateLimit(POLLING)
    async with lending(cluster, limit) as leader:
        assert (limit.rate, leader.lent_to("tmdb")) == (9, ["a"])


async def test_a_record_that_is_no_loan_lends_nothing_and_stops_nobody(cluster):
    key, suffix = loan("a", 3).key, loan("a", 3).key.rpartition(b":")[2]
    await write(cluster, (key, b"{"), (b"\xff:" + suffix, None), (suffix, b"[]"), (key, loan("a", 3).to_json()))
    limit = RateLimit(POLLING)
    async with lending(cluster, limit) as leader:
        assert (limit.rate, leader.lent_to("tmdb")) == (9, ["a"])


async def test_what_a_killed_command_held_comes_back_when_others_are_heard_of_and_it_is_not(cluster):
    clock, limit = ManualClock(), RateLimit(POLLING)
    async with lending(cluster, limit, clock):
        await write(cluster, (loan("a", 3).key, loan("a", 3).to_json()))
        await until(lambda: asyncio.sleep(0, limit.rate == 9), what="lent")
        clock.advance(KEPT_S + 1)
        await write(cluster, (b"tmdb:movie:status", b"{}"))
        await until(lambda: asyncio.sleep(0, limit.rate == POLLING), what="taken back")


async def test_where_nobody_polls_a_command_begins_at_once_and_leaves_nothing_behind(cluster):
    async def work():
        return "done"

    assert await borrowing(cluster, loan("a"), work) == "done"
    limit = RateLimit(POLLING)
    async with lending(cluster, limit) as leader:
        assert (limit.rate, leader.lent_to("tmdb")) == (POLLING, [])
    assert await cursors(cluster) == {}


@pytest.mark.timeout(180)
async def test_a_backfill_beside_polling_exceeds_the_budget_in_no_second(cluster, tmp_path):
    async with sandbox_process(tmp_path, tmdb_per_second=10_000) as sandbox:
        await sandbox.edit(provider="tmdb", count=200)
        await sandbox.edit(provider="tmdb", count=40, time=now().timestamp() - 60 * 3600)
        config = config_for(sandbox.url, cluster, providers=("tmdb",), rate=RATE)
        path = write_config(tmp_path / "changecast.yaml", config)
        command = ["provider", "backfill", "tmdb", "--since", "72h", "-c", str(path)]
        async with working(config, cluster):
            began = now()
            await until(lambda: read_past(cluster, began, FEEDS), 60, "the first sweep")
            await sandbox.reset_requests()
            result = await asyncio.to_thread(CliRunner().invoke, cli, command)
            requests = await sandbox.requests()
            during, peak = requests.count("tmdb"), requests.peak("tmdb")
            # the requests come back to polling, which sweeps on as fast as before
            await sandbox.reset_requests()

            async def share_is_back():
                return (await sandbox.requests()).peak("tmdb") > POLLING - 4

            await until(share_is_back, what="polling has its share again")
            peak_after = (await sandbox.requests()).peak("tmdb")
    assert result.exit_code == 0, result.output
    assert "4 requests/s" in result.output
    assert peak <= POLLING
    assert peak_after <= POLLING
    # both have worked, or this would show nothing
    backfilled = int(re.search(r"(\d+) requests\. What was", result.output)[1])
    assert backfilled > 20
    assert during > 2 * backfilled


async def test_a_rate_that_polling_cannot_do_without_is_refused(cluster, tmp_path):
    path = write_config(tmp_path / "changecast.yaml", config_for("http://127.0.0.1:1", cluster, providers=("tmdb",), rate=RATE))
    command = ["provider", "backfill", "tmdb", "--since", "72h", "--rate", "10", "-c", str(path)]
    result = await asyncio.to_thread(CliRunner().invoke, cli, command)
    assert result.exit_code == 1
    assert "polling has 12 requests/s and leaves at most 9 of them, not 10" in result.output
