"""The judge of the chaos run: it must see what it is there to see."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.event import Action, Change, ChangeData, ChangeEvent, Enrichment, Entity, Status
from streams.snapshots import State
from tests.chaos.streams.verdict import judge

NOW = datetime(2025, 1, 21, tzinfo=UTC)
ENTITY = Entity(type="series", native_type="show", id="1")
SUBJECT = "pbs:series:1"


def state(**fields) -> State:
    return State(ENTITY, NOW, fields)


def event(number: int, *changes: Change, baseline: bool = False) -> ChangeEvent:
    enrichment = Enrichment(status=Status.COMPLETE, baseline=baseline)
    data = ChangeData(provider="pbs", entity=ENTITY, changes=list(changes), enrichment=enrichment, observed_at=NOW)
    return ChangeEvent(id=f"e{number}", source="urn:changecast:pbs", type="t", subject=SUBJECT, time=NOW, data=data)


def title(before: str, after: str) -> Change:
    return Change(key="title", action=Action.UPDATED, before=before, after=after)


TOLD = [event(1, baseline=True), event(2, title("A", "B")), event(3, title("B", "C"))]


def judged(published, last="C"):
    return judge({SUBJECT: ["e1", "e2", "e3"]}, published, {SUBJECT: state(title="A")}, {SUBJECT: state(title=last)})


def test_all_once_in_order_and_leading_to_the_last_state_is_good():
    assert judged(TOLD).good


@pytest.mark.parametrize(
    ("published", "wrong"),
    [
        (TOLD[:2], "lost"),
        ([*TOLD, TOLD[2]], "repeated"),
        ([*TOLD, event(4)], "unexpected"),
        ([TOLD[0], TOLD[2], TOLD[1]], "misordered"),
        ([TOLD[0], TOLD[1], event(3, title("A", "C"))], "unlike"),
        ([TOLD[0], event(2, baseline=True), event(3, title("A", "C"))], "unlike"),
    ],
)
def test_each_violation_is_seen(published, wrong):
    verdict = judged(published)
    assert not verdict.good
    assert verdict.told()[wrong]


def test_changes_that_end_at_another_state_than_the_provider_are_seen():
    assert judged(TOLD, last="D").unlike == [f'{SUBJECT} ends with title "C", the provider has "D"']
