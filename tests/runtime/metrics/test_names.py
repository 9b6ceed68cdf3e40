"""The closed list keeps to Prometheus' conventions, and the docs tell of all of it."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from runtime.metrics import names
from runtime.metrics.names import OF_PART, Metric

EVERY = list(dict.fromkeys(chain.from_iterable(OF_PART.values())))
DOCS = Path(__file__).parents[3] / "docs" / "operating.md"
BOUNDED = {"provider", "feed", "kind", "state", "partition", "status", "outcome", "subscription", "reason"}
UNITS = ("_seconds", "_bytes", "_requests_per_second")
THINGS = ("_records", "_events", "_ids", "_queued", "_in_flight", "_parked")
YES_OR_NO = ("_leading", "_state", "_stopped", "_open", "_disabled")


@pytest.mark.parametrize("metric", EVERY, ids=lambda metric: metric.name)
def test_a_metric_has_a_conventional_name_few_labels_and_a_line_that_explains_it(metric: Metric) -> None:
    assert re.fullmatch(r"changecast(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    if metric.kind == "histogram":
        assert metric.name.endswith("_seconds")
    if metric.kind == "gauge":
        assert metric.name.endswith((*UNITS, *THINGS, *YES_OR_NO))
    assert set(metric.labels) <= BOUNDED
    assert metric.meaning.endswith(".")
    assert "\n" not in metric.meaning


def test_the_list_is_all_there_is() -> None:
    declared = {value for value in vars(names).values() if isinstance(value, Metric)}
    assert declared == set(EVERY)
    assert len({metric.name for metric in EVERY}) == len(EVERY)


def table(part: str) -> list[str]:
    """A part's metrics as the docs show them."""
    rows = [f"| `{one.name}` | {', '.join(one.labels)} | {one.meaning} |" for one in OF_PART[part]]
    return ["| metric | labels | what it says |", "|---|---|---|", *rows]


@pytest.mark.parametrize("part", OF_PART)
def test_the_docs_show_each_parts_metrics_as_they_are(part: str) -> None:
    lines = DOCS.read_text().splitlines()
    begin = lines.index(f"**{part}**") + 2
    shown = list(lines[begin : lines.index("", begin)])
    assert shown == table(part)


def test_the_alerts_in_the_docs_use_metrics_and_labels_that_there_are() -> None:
    (rules,) = re.findall(r"```yaml\n(groups:.*?)```", DOCS.read_text(), re.DOTALL)
    known = {name: set(metric.labels) for metric in EVERY for name in _series(metric)}
    used = re.findall(r"(changecast_\w+)(?:\{([^}]*)\})?", rules)
    assert used
    for name, selected in used:
        assert name in known
        assert set(re.findall(r"(\w+)=", selected)) <= known[name]
    for labels in re.findall(r"\bby \(([^)]*)\)", rules):
        assert set(re.split(r",\s*", labels)) <= BOUNDED


def _series(metric: Metric) -> list[str]:
    return [f"{metric.name}_{suffix}" for suffix in ("bucket", "count", "sum")] if metric.kind == "histogram" else [metric.name]


def test_nothing_is_registered_where_other_libraries_would_find_it() -> None:
    from prometheus_client import REGISTRY

    assert isinstance(REGISTRY, CollectorRegistry)
    assert [family.name for family in REGISTRY.collect() if family.name.startswith("changecast")] == []
