"""What an answer means for a delivery. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.delivery import Outcome
from sinks.answer import Answer, Meaning
from sinks.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wait`: seconds until the next attempt, for RETRY. `reason`: the word for the dead topic, for DEAD and DISABLED."""

    outcome: Outcome
    wait: float = 0.0
    reason: str = ""


DELIVERED = Verdict(Outcome.DELIVERED)
REFUSED, EXHAUSTED = "refused", "attempts-exhausted"
REMOVED = "subscription-removed"
GIVEN_UP = frozenset({REFUSED, EXHAUSTED})
"""Reasons of those that had their last attempt; the others ended with their endpoint."""


def judge(answer: Answer, attempts: int, policy: RetryPolicy, chance: float) -> Verdict:
    """`attempts` counts the one just made. `chance` is drawn from 0 to 1."""
    if answer.meaning is Meaning.DELIVERED:
        return DELIVERED
    if answer.meaning is Meaning.GONE:
        return Verdict(Outcome.DISABLED, reason="endpoint-gone")
    if answer.meaning is Meaning.REFUSED:
        return Verdict(Outcome.DEAD, reason=REFUSED)
    wait = policy.wait(attempts, chance, answer.retry_after)
    return Verdict(Outcome.DEAD, reason=EXHAUSTED) if wait is None else Verdict(Outcome.RETRY, wait)
