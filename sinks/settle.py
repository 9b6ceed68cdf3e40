"""Carries out what an answer means: the offset settled, the retry parked or the event buried, the attempt on record."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime, timedelta
from random import Random

from runtime.clock import Clock
from schemas import redaction
from schemas.dead import MAX_ERROR_BYTES
from schemas.delivery import ErrorClass, Outcome
from schemas.handover import LateAnswer
from sinks.answer import Answer, Kind, Meaning
from sinks.delivery import Delivery
from sinks.handover import Handover
from sinks.journal import Journal
from sinks.parcel import Parcel
from sinks.retry import RetryPolicy
from sinks.signing import webhook_id
from sinks.states import EndpointStates
from sinks.verdict import REMOVED, Verdict, judge

log = logging.getLogger(__name__)


class Settler:
    """`outcomes`: how many attempts of each subscription had each outcome."""

    def __init__(
        self,
        policy: RetryPolicy,
        journal: Journal,
        states: EndpointStates,
        handover: Handover,
        clock: Clock,
        random: Random,
        kinds: dict[str, Kind],
    ) -> None:
        self._policy = policy
        self._journal = journal
        self._states = states
        self._handover = handover
        self._clock = clock
        self._random = random
        self._kinds = kinds
        self.outcomes: Counter[tuple[str, Outcome]] = Counter()

    def settle(self, delivery: Delivery, answer: Answer) -> None:
        """An attempt has ended."""
        if answer.error is not None:
            answer = answer._replace(error=redaction.excerpt(answer.error, MAX_ERROR_BYTES))
        attempts, now = delivery.attempts + 1, self._clock.now()
        verdict = judge(answer, attempts, self._policy, self._random.random())
        if verdict.outcome is Outcome.DELIVERED:
            self._states.succeeded(delivery.subscription)
        elif verdict.outcome is Outcome.RETRY and answer.blames_endpoint:
            self._states.failed(delivery.subscription)
        if delivery.handed_over:
            self._pass_on(delivery, answer, attempts, verdict, now)
        elif not delivery.shard.closed:
            self._carry_out(delivery, answer, attempts, verdict, now)
        self._record(delivery, answer, attempts, verdict, now)
        if verdict.outcome is Outcome.DISABLED:
            self._states.disable(delivery.subscription, answer.error or "the endpoint has ended")

    def _pass_on(self, delivery: Delivery, answer: Answer, attempts: int, verdict: Verdict, now: datetime) -> None:
        """The partition has moved during the call: its owner carries out what the answer means."""
        late = LateAnswer(
            token=delivery.handed_over,
            subscription=delivery.subscription,
            outcome=verdict.outcome,
            attempts=attempts,
            next_at=now + timedelta(seconds=verdict.wait) if verdict.outcome is Outcome.RETRY else None,
            reason=verdict.reason,
            error="" if verdict.outcome is Outcome.DELIVERED else answer.error or "refused",
        )
        self._handover.answered(late, delivery.shard.partition)

    def _carry_out(self, delivery: Delivery, answer: Answer, attempts: int, verdict: Verdict, now: datetime) -> None:
        shard = delivery.shard
        if verdict.outcome is Outcome.RETRY:
            due = now.timestamp() + verdict.wait
            shard.park(
                Parcel(
                    delivery.subscription, delivery.event.value, attempts, due, delivery.topic, shard.partition, delivery.offset
                ),
                now.timestamp(),
            )
        elif verdict.outcome is not Outcome.DELIVERED:
            error = answer.error or "refused"
            log.warning("%s to %s is dead after attempt %d: %s", delivery.event.id, delivery.subscription, attempts, error)
            shard.bury(
                delivery.event.subject.encode(),
                delivery.event.value,
                reason=verdict.reason,
                error=error,
                topic=delivery.topic,
                offset=delivery.offset,
                attempts=attempts,
                subscription=delivery.subscription,
            )
        shard.settle(delivery.held_topic, delivery.held_offset, delivery.subscription)

    def give_up(self, delivery: Delivery) -> None:
        """A retry is due, and its endpoint has been disabled meanwhile."""
        state = self._states.state(delivery.subscription)
        error = f"the endpoint is disabled: {state.disabled_reason}"
        answer = Answer(meaning=Meaning.GONE, ms=0.0, error=error, error_class=ErrorClass.DISABLED)
        verdict = Verdict(Outcome.DISABLED, reason="endpoint-disabled")
        now = self._clock.now()
        self._carry_out(delivery, answer, delivery.attempts, verdict, now)
        self._record(delivery, answer, max(delivery.attempts, 1), verdict, now)

    def end_removed(self, delivery: Delivery) -> None:
        """A retry of a subscription that no worker has had for the grace period."""
        until = self._states.kept_until(delivery.subscription)
        error = f"the subscription was removed, and kept until {until.isoformat(timespec='seconds') if until else 'now'}"
        answer = Answer(meaning=Meaning.GONE, ms=0.0, error=error, error_class=ErrorClass.DISABLED)
        verdict = Verdict(Outcome.DISABLED, reason=REMOVED)
        now = self._clock.now()
        self._carry_out(delivery, answer, delivery.attempts, verdict, now)
        self._record(delivery, answer, max(delivery.attempts, 1), verdict, now)

    def _record(self, delivery: Delivery, answer: Answer, attempts: int, verdict: Verdict, now: datetime) -> None:
        """The fields of schemas.delivery.Attempt, written without it: the model would take as long as matching does."""
        self.outcomes[delivery.subscription, verdict.outcome] += 1
        event = delivery.event
        self._journal.write(
            delivery.subscription,
            {
                "webhook_id": webhook_id(event.id, delivery.subscription),
                "event_id": event.id,
                "subject": event.subject,
                "subscription": delivery.subscription,
                "kind": self._kinds.get(delivery.subscription, "webhook"),  # the config that knew it is gone
                "attempt": attempts,
                "outcome": verdict.outcome,
                "at": now,
                "ms": answer.ms,
                "status_code": answer.status,
                "error": answer.error,
                "error_class": answer.error_class,
                "address": answer.address,
                "next_at": now + timedelta(seconds=verdict.wait) if verdict.outcome is Outcome.RETRY else None,
                "answer": None if verdict.outcome is Outcome.DELIVERED else answer.text,
                "name": event.name,
                "change": event.change,
                # rare, and unknown to versions that read no record with a field that they don't know
                **({"note": answer.note} if answer.note else {}),
            },
        )
