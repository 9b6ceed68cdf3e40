"""Why an event was sent to a subscription, or was not, in a word and a line. Pure: what was read is an argument, and the time too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from changecast.deliveries.attempts import KEPT, Course
from changecast.deliveries.matching import Seen
from changecast.deliveries.progress import Progress
from changecast.deliveries.tables import again_words, moment, waiting_words
from runtime.amounts import amount
from schemas.config import Subscription
from schemas.delivery import Attempt, EndpointState, Outcome
from sinks.signing import webhook_id


class Word(StrEnum):
    """The first four are by the last attempt, DISABLED also where the event waits for its endpoint. PASSED_OVER: it is settled, and no
    attempt is on record. NO_RECORD: attempts of its time are kept no more."""

    DELIVERED = "delivered"
    WAITS = "waits"
    DEAD = "dead"
    DISABLED = "disabled"
    NO_MATCH = "no_match"
    EARLIER = "before_its_time"
    NOT_YET = "not_yet"
    PASSED_OVER = "passed_over"
    NO_RECORD = "no_record"


UNSENT = frozenset({Word.EARLIER, Word.PASSED_OVER})
"""Nothing is under way, and nothing was: what its filter wants, and only a replay would send."""
_BY_OUTCOME = {
    Outcome.DELIVERED: Word.DELIVERED,
    Outcome.RETRY: Word.WAITS,
    Outcome.DEAD: Word.DEAD,
    Outcome.DISABLED: Word.DISABLED,
}


@dataclass(frozen=True)
class Answer:
    """For one event and one subscription. `reason` goes on where the word ends. `attempt`: the last."""

    subscription: str
    webhook_id: str
    word: Word
    reason: str
    attempt: Attempt | None = None


@dataclass(frozen=True)
class Known:
    """What was read of the sinks: states by subscription, courses by webhook-id, and whether a worker runs."""

    states: Mapping[str, EndpointState]
    courses: Mapping[str, Course]
    progress: Progress
    run: bool


def answer(subscription: Subscription, seen: Seen, refusal: str | None, known: Known, now: datetime) -> Answer:
    """`refusal`: why its filter, as it is now, does not want the event; None where it does."""
    name, identity = subscription.name, webhook_id(seen.event.id, subscription.name)
    state = known.states.get(name)
    if (course := known.courses.get(identity)) is not None:
        reason = "; ".join(_of_attempts(course, refusal, state))
        return Answer(name, identity, _BY_OUTCOME[course.last.outcome], reason, course.last)
    word, reason = (Word.NO_MATCH, refusal) if refusal is not None else _without_attempt(subscription, seen, state, known, now)
    return Answer(name, identity, word, reason)


def _of_attempts(course: Course, refusal: str | None, state: EndpointState | None) -> Iterator[str]:
    last, error = course.last, course.last.error or "no reason given"
    match last.outcome:
        case Outcome.DELIVERED:
            status = "" if last.status_code is None else f", status {last.status_code}"
            yield f"at {moment(last.at)} UTC, attempt {last.attempt}{status}"
        case Outcome.RETRY:
            yield waiting_words(last).removeprefix("waits ")
            yield f"attempt {last.attempt}: {error}"
            if state is not None and state.disabled_at is not None:
                yield f"{_disabled(state)}, and this ends when it is due, unless `changecast endpoints enable` comes first"
        case Outcome.DEAD:
            yield f"after {amount(last.attempt, 'attempt')}: {error}"
            yield again_words(last)
        case Outcome.DISABLED:
            yield f"it ended with its endpoint at {moment(last.at)} UTC: {error}"
            yield again_words(last)
    if course.delivered is not None and last.outcome is not Outcome.DELIVERED:
        yield f"it had been delivered before, at {moment(course.delivered)} UTC"
    if refusal is not None:
        yield f"the filter as it is now does not want it: {refusal}"


def _without_attempt(
    subscription: Subscription, seen: Seen, state: EndpointState | None, known: Known, now: datetime
) -> tuple[Word, str]:
    """Of an event that its filter wants."""
    name = subscription.name
    if state is None:
        return _not_begun(seen.at >= now - (subscription.since or timedelta()))
    if seen.at < _whole_ms(state.since):
        return Word.EARLIER, f"the subscription began at {moment(state.since)} UTC, and gets what was published from then on"
    if (waits := known.progress.open_words(name, seen)) is not None:
        return _open(state, waits, known.run)
    if now - seen.at > KEPT:
        return Word.NO_RECORD, f"attempts are kept for {KEPT.days} days, what died for longer (`changecast dead list`)"
    return (
        Word.PASSED_OVER,
        "it matches now, but the sinks passed it without an attempt: most likely their config was another then",
    )


def _not_begun(gets_it: bool) -> tuple[Word, str]:
    begins = "no sinks worker has met this subscription: it begins when one does"
    if gets_it:
        return Word.NOT_YET, f"{begins}, and by its `from` so early that it gets this"
    return Word.EARLIER, f"{begins}, and gets what comes from then on; `from` in its config has it begin earlier"


def _open(state: EndpointState, waits: str, run: bool) -> tuple[Word, str]:
    if state.disabled_at is not None:
        return Word.DISABLED, f"{_disabled(state)}; this waits for `changecast endpoints enable {state.subscription}`"
    if not run:
        return Word.NOT_YET, "no sinks worker runs: it goes out when one does (`changecast up`, or `changecast worker sinks`)"
    return Word.NOT_YET, f"{waits} (`changecast endpoints list`)"


def _whole_ms(moment: datetime) -> datetime:
    """As the sinks compare it with the times of records."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _disabled(state: EndpointState) -> str:
    assert state.disabled_at is not None
    return f"the endpoint is disabled since {moment(state.disabled_at)} UTC ({state.disabled_reason or 'no reason given'})"
