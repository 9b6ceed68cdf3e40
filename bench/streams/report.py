"""What the streams' bench has found, beside what was hoped for."""

from __future__ import annotations

from bench.report import Row, machine, met
from bench.streams.measured import Measured, Size, Turns

_MIB = 1024 * 1024
_NAMES = {
    "agent": "the obvious Faust agent (table, fetch, send)",
    "agent-bare": "the same, without the fetch",
    "loop": "a bare aiokafka loop (no dedupe, no fetch)",
}


def rows(measured: Measured) -> list[Row]:
    """What was measured, the number, the goal, and whether it was met."""
    return [*_compared(measured), *_state(measured), *_latency(measured), *_recovery(measured)]


def _compared(measured: Measured) -> list[Row]:
    ours, turns, few = measured.turns["streams"], measured.turns, measured.known[0]
    found: list[Row] = [(f"streams, {few.entities:,} ids and snapshots known", str(ours), "", "")]
    found += [(name, str(turns[kind]), "", "") for kind, name in _NAMES.items()]
    for name, kind, goal in (
        ("streams : obvious agent", "agent", 2.0),
        ("streams : obvious agent without the fetch", "agent-bare", 2.0),
        ("streams : bare loop", "loop", 0.2),
    ):
        found.append(_ratio(name, ours.events_s / turns[kind].events_s, goal))
        found.append(_by_processor_time(turns[kind].cpu_s, ours.cpu_s))
    return found


def _by_processor_time(theirs: float, ours: float) -> Row:
    """In the short form a worker may be through with its input before it is looked at first."""
    name = "the same by processor time"
    return _ratio(name, theirs / ours) if ours else (name, "too short to be measured", "", "")


def _state(measured: Measured) -> list[Row]:
    few, *_, many = measured.known
    found: list[Row] = [
        (f"streams alone, {known.entities:,} ids and snapshots known", str(Turns([known.passage])), "", "")
        for known in measured.known[1:]
    ]
    found.append(
        _goal(f"{few.entities:,} : {many.entities:,} known", measured.turns["streams"].events_s / many.passage.events_s, 1.3)
    )
    for known in measured.known:
        found.append((f"memory of the worker, {known.entities:,} known", f"{known.passage.resident / _MIB:,.0f} MiB", "", ""))
    growth = (many.passage.resident - few.passage.resident) / (many.entities - few.entities) * 100_000 / _MIB
    return [
        *found,
        _goal("memory for each 100,000 ids and snapshots, MiB", growth, 10.0),
        _goal("bytes an id on disk", many.id_bytes, 300),
        ("bytes a snapshot on disk", f"{many.snapshot_bytes:,.0f}", "", ""),
    ]


def _latency(measured: Measured) -> list[Row]:
    found: list[Row] = []
    for rate, (p50, p99) in measured.latencies.items():
        goal = ("p99 < 100 ms", met(p99 < 0.1)) if rate == 100 else ("", "")
        found.append((f"raw to published at {rate}/s, p50 / p99", f"{p50 * 1000:.0f} / {p99 * 1000:.0f} ms", *goal))
    return found


def _recovery(measured: Measured) -> list[Row]:
    many = measured.known[-1]
    rate = 2 * many.entities / max(many.lost_disk_s - measured.start_s, 0.1)
    back = many.with_disk_s
    return [
        ("start of a worker that knows nothing, to its first event", f"{measured.start_s:.1f} s", "", ""),
        (
            f"disk lost, {2 * many.entities:,} entries: recovered at",
            f"{rate:,.0f} entries/s",
            "≥ 20,000",
            met(rate >= 20_000),
        ),
        (f"with its disk, {many.entities:,} snapshots: to its first event", f"{back:.1f} s", "< 30 s", met(back < 30)),
    ]


def words(size: Size) -> str:
    return (
        f"`make bench`, {machine()}. All in one run on one broker, so the ratios count; the rates are this machine's.\n\n"
        f"The input of each: {size.events:,} events, half of them repeats, the others in bursts of four of one entity. The provider "
        "is another process that answers from memory over HTTP. Known ids and snapshots are written to the changelog topics "
        "beforehand, in the streams' own format. The agent with the fetch gets the first fifth. What is compared takes turns, "
        f"{size.rounds} times each; the medians are told and compared."
    )


def _ratio(what: str, value: float, at_least: float | None = None) -> Row:
    return what, f"{value:,.2f}", *(("", "") if at_least is None else (f"≥ {at_least:g}", met(value >= at_least)))


def _goal(what: str, value: float, below: float) -> Row:
    return what, f"{value:,.2f}" if value < 100 else f"{value:,.0f}", f"< {below:g}", met(value < below)
