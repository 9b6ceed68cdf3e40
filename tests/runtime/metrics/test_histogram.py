"""Our histogram counts as the client's own does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client import Histogram as Theirs

from runtime.metrics import Histogram
from runtime.metrics.histogram import BOUNDS_S

SECONDS = st.lists(st.one_of(st.floats(0, 100), st.sampled_from(BOUNDS_S)), max_size=30)


@given(SECONDS)
def test_it_puts_values_into_the_same_buckets_as_the_clients_own(values: list[float]) -> None:
    ours, theirs = Histogram(), Theirs("theirs", "", buckets=BOUNDS_S, registry=CollectorRegistry())
    for value in values:
        ours.observe(value)
        theirs.observe(value)
    (family,) = theirs.collect()
    expected = [(sample.labels["le"], sample.value) for sample in family.samples if sample.name == "theirs_bucket"]
    assert ours.buckets() == expected
    assert ours.sum == sum(values)


@given(SECONDS, SECONDS)
def test_two_of_them_add_up(first: list[float], second: list[float]) -> None:
    one, other, both = Histogram(), Histogram(), Histogram()
    for histogram, values in ((one, first), (other, second)):
        for value in values:
            histogram.observe(value)
            both.observe(value)
    assert Histogram().add([one, other]).buckets() == both.buckets()
