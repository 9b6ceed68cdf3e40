from hypothesis import given
from hypothesis import strategies as st

from changecast.up.restart import (
    EXIT_CONFIG,
    FIRST_DELAY_S,
    HEALTHY_AFTER_S,
    LONGEST_DELAY_S,
    GiveUp,
    StartAgain,
    after_exit,
    exit_words,
)


def test_delays_double_from_half_a_second_to_half_a_minute() -> None:
    delays, failures = [], 0
    for _ in range(9):
        verdict = after_exit(1, 0.1, failures)
        assert isinstance(verdict, StartAgain)
        failures = verdict.failures
        delays.append(verdict.delay)

    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_part_that_ran_for_a_minute_is_started_again_at_once() -> None:
    assert after_exit(-9, HEALTHY_AFTER_S, failures=7) == StartAgain(FIRST_DELAY_S, 1)


def test_a_wrong_config_is_final() -> None:
    assert after_exit(EXIT_CONFIG, 0.2, failures=0) == GiveUp(78)


@given(code=st.integers(-64, 255).filter(lambda code: code != EXIT_CONFIG), ran=st.floats(0, 1e9), failures=st.integers(0, 10**9))
def test_any_other_end_leads_to_a_start_within_bounds(code: int, ran: float, failures: int) -> None:
    verdict = after_exit(code, ran, failures)

    assert isinstance(verdict, StartAgain)
    assert FIRST_DELAY_S <= verdict.delay <= LONGEST_DELAY_S


def test_an_end_is_told_in_words() -> None:
    assert exit_words(3) == "exit code 3"
    assert exit_words(-9) == "killed by signal 9"
