"""What the streams' bench has found, beside what was hoped for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.report import Row, machine, met

if TYPE_CHECKING:
    from bench.streams.bench import Measured

_MIB = 1024 * 1024
_NAMES = {
    "agent": "the obvious Faust agent (table, fetch, send)",
    "agent-bare": "the same, without the fetch",
    "loop": "a bare aiokafka loop (no dedupe, no fetch)",
}


def rows(measured: Measured) -> list[Row]:
    """What was measured, the number, the goal, and whether it was met."""
    few, many = measured.known[0], measured.known[-1]
    ours = few.passage.events_s
    found: list[Row] = [
        (f"streams, {known.entities:,} ids and snapshots known", str(known.passage), "", "") for known in measured.known
    ]
    found += [(_NAMES[kind], str(passage), "", "") for kind, passage in measured.others.items()]
    found += [
        _goal("streams : obvious agent", ours / measured.others["agent"].events_s, 2.0, at_least=True),
        ("the same by processor time", f"{measured.others['agent'].cpu_s / few.passage.cpu_s:.2f}", "", ""),
        _goal("streams : obvious agent without the fetch", ours / measured.others["agent-bare"].events_s, 2.0, at_least=True),
        ("the same by processor time", f"{measured.others['agent-bare'].cpu_s / few.passage.cpu_s:.2f}", "", ""),
        _goal("streams : bare loop", ours / measured.others["loop"].events_s, 0.2, at_least=True),
        ("the same by processor time", f"{measured.others['loop'].cpu_s / few.passage.cpu_s:.2f}", "", ""),
        _goal(f"{few.entities:,} : {many.entities:,} known", ours / many.passage.events_s, 1.3, at_least=False),
    ]
    for known in measured.known:
        found.append((f"memory of the worker, {known.entities:,} known", f"{known.passage.resident / _MIB:,.0f} MiB", "", ""))
    growth = (many.passage.resident - few.passage.resident) / (many.entities - few.entities) * 100_000 / _MIB
    found += [
        _goal("memory for each 100,000 ids and snapshots, MiB", growth, 10.0, at_least=False),
        _goal("bytes an id on disk", many.id_bytes, 300, at_least=False),
        ("bytes a snapshot on disk", f"{many.snapshot_bytes:,.0f}", "", ""),
    ]
    for rate, (p50, p99) in measured.latencies.items():
        goal = ("< 100 ms", met(p99 < 0.1)) if rate == 100 else ("", "")
        found.append((f"raw to published at {rate}/s, p50 / p99", f"{p50 * 1000:.0f} / {p99 * 1000:.0f} ms", *goal))
    found.append(("start of a worker that knows nothing, to its first event", f"{measured.start_s:.1f} s", "", ""))
    entries = 2 * many.entities / max(many.lost_disk_s - measured.start_s, 0.1)
    found.append(
        (
            f"disk lost, {2 * many.entities:,} entries: recovered at",
            f"{entries:,.0f} entries/s",
            "≥ 20,000",
            met(entries >= 20_000),
        )
    )
    found.append(
        (
            f"with its disk, {many.entities:,} snapshots: to its first event",
            f"{many.with_disk_s:.1f} s",
            "< 30 s",
            met(many.with_disk_s < 30),
        )
    )
    return found


def words(events: int) -> str:
    return (
        f"`make bench`, {machine()}. All in one run on one broker, so the ratios count; the rates are this machine's.\n\n"
        f"The input of each: {events:,} events, half of them repeats, the others in bursts of four of one entity. The provider is "
        "another process that answers from memory over HTTP. Known ids and snapshots are written to the changelog topics "
        "beforehand, in the streams' own format. The agent with the fetch gets the first fifth."
    )


def _goal(what: str, value: float, goal: float, *, at_least: bool) -> Row:
    reached = value >= goal if at_least else value < goal
    return what, f"{value:,.2f}" if value < 100 else f"{value:,.0f}", f"{'≥' if at_least else '<'} {goal:g}", met(reached)
