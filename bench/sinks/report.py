"""What the sinks' bench has found, beside what was hoped for."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import Row, machine, met
from bench.sinks.measured import Measured, Pass, Size

_SHARES = {1: 0.35, 10: 0.5}
_LATE_MS = 12
_NEIGHBOUR_MS = 100
_GROWTH = 1.5


def rows(measured: Measured, rate: int) -> list[Row]:
    """What was measured, the number, the goal, and whether it was met."""
    found: list[Row] = []
    for against in measured.saturated:
        places = f"{against.endpoints} endpoints" if against.endpoints > 1 else "one endpoint"
        goal = _SHARES[against.endpoints]
        found += [
            (f"deliveries/s to {places}, {against.concurrency} at a time each", _passes(against.ours), "", ""),
            ("a bare aiohttp client with the same bodies", _passes(against.bare), "", ""),
            (f"sinks : bare client, {places}", f"{against.ratio:.2f}", f"≥ {goal:g}", met(against.ratio >= goal)),
            ("the same by processor time", f"{against.cpu_ratio:.2f}", "", ""),
        ]
    late, beside = _ms(measured.open_loop, 0.95), _ms(measured.isolated, 0.95)
    found += [
        (f"append to receiver at {rate}/s, a bare consumer that posts", _cuts(measured.relayed), "", ""),
        (
            f"append to receiver at {rate}/s, the sinks, p50 / p95 / p99",
            _cuts(measured.open_loop),
            f"p95 < {_LATE_MS} ms",
            met(late < _LATE_MS),
        ),
        (
            "the same beside a neighbour that takes 4 s, at 100 slots",
            _cuts(measured.isolated),
            f"p95 < {_NEIGHBOUR_MS} ms",
            met(beside < _NEIGHBOUR_MS),
        ),
    ]
    for count, cost in measured.matching.items():
        found.append((f"an event read and matched, {count:,} subscriptions", f"{cost:.1f} µs", "", ""))
    few, many = min(measured.matching), max(measured.matching)
    growth = measured.matching[many] / measured.matching[few]
    found.append((f"{many:,} : {few:,} subscriptions", f"{growth:.2f}", f"≤ {_GROWTH:g}", met(growth <= _GROWTH)))
    return found


def words(size: Size) -> str:
    return (
        f"`make bench`, {machine()}, shared by the writer, the broker, the sinks and the receiver. The sinks and the bare client took "
        f"turns, {size.rounds} times each, so the ratios count (their median); the rates are this machine's.\n\n"
        f"Saturated: {size.saturated:,} deliveries of 730 bytes, written as fast as it goes, over the middle nine tenths by the "
        "receiver's clock. Signed, recorded in `changecast.deliveries`, offsets committed; the bare client only posts. Latency: from the "
        f"broker's time of the append to the receiver's clock, {size.rate} events/s written at their times whatever the sinks do, for "
        f"{size.seconds:g} s, beside the neighbour for {size.isolated_s:g} s. The neighbour wants every event too, and can take 25 of "
        "them a second."
    )


def _passes(passes: Sequence[Pass]) -> str:
    rates = sorted(one.deliveries_s for one in passes)
    cpu = sorted(one.cpu_s for one in passes)[len(passes) // 2]
    return f"{rates[len(rates) // 2]:,.0f}/s ({rates[0]:,.0f} to {rates[-1]:,.0f}), {cpu * 1000:.2f} ms CPU each"


def _cuts(latencies: Sequence[float]) -> str:
    return " / ".join(f"{_ms(latencies, share):.0f}" for share in (0.5, 0.95, 0.99)) + " ms"


def _ms(latencies: Sequence[float], share: float) -> float:
    return latencies[min(int(len(latencies) * share), len(latencies) - 1)] * 1000
