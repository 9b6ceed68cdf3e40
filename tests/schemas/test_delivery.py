from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from pydantic import ValidationError

from schemas.delivery import MAX_ANSWER_BYTES, Attempt, EndpointState, Outcome

AT = datetime(2025, 1, 21, 4, 46, 31, tzinfo=UTC)
FIRST = {
    "webhook_id": "w",
    "event_id": "e",
    "subject": "tmdb:movie:1",
    "subscription": "s",
    "kind": "webhook",
    "attempt": 1,
    "at": AT,
}


def test_an_attempt_reads_back_as_it_was_written() -> None:
    attempt = Attempt.model_validate({**FIRST, "outcome": Outcome.RETRY, "status_code": 503, "next_at": AT, "ms": 12.5})
    assert Attempt.model_validate_json(attempt.to_json()) == attempt
    assert orjson.loads(attempt.to_json())["next_at"] == "2025-01-21T04:46:31Z"


@pytest.mark.parametrize(
    "wrong", [{"attempt": 0}, {"kind": "email"}, {"outcome": "lost"}, {"answer": "x" * (MAX_ANSWER_BYTES + 1)}]
)
def test_an_attempt_of_another_shape_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Attempt.model_validate({**FIRST, "outcome": "delivered", **wrong})


def test_fields_of_a_later_version_are_ignored() -> None:
    attempt = Attempt.model_validate({**FIRST, "outcome": Outcome.DELIVERED})
    assert Attempt.model_validate({**FIRST, "outcome": "delivered", "more": 1}) == attempt
    assert EndpointState.model_validate({"subscription": "s", "since": AT, "more": 1}) == EndpointState(
        subscription="s", since=AT
    )


def test_an_endpoint_is_enabled_until_it_is_said_to_be_disabled() -> None:
    state = EndpointState(subscription="s", since=AT)
    assert EndpointState.model_validate_json(state.to_json()) == state
    assert (state.disabled_at, state.failing_since) == (None, None)
