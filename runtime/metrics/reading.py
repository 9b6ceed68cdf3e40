"""One scrape: the values of a part's metrics as they are now, in the form that the Prometheus client writes out."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from runtime.metrics import names
from runtime.metrics.histogram import Histogram
from runtime.metrics.names import Metric
from runtime.rate import RateLimit

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
_FAMILY = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}


class Reading:
    """The metrics named, of which each stands on the page, also one that has no value. Nothing else can be put."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._families = {metric: _family(metric) for metric in metrics}

    def put(self, metric: Metric, value: float | None, *labels: object) -> None:
        """A counter or gauge. None: there is no value to tell."""
        if value is not None:
            family = self._families[metric]
            assert not isinstance(family, HistogramMetricFamily)
            family.add_metric(_texts(metric, labels), value)

    def put_histogram(self, metric: Metric, seconds: Histogram, *labels: object) -> None:
        family = self._families[metric]
        assert isinstance(family, HistogramMetricFamily)
        family.add_metric(_texts(metric, labels), seconds.buckets(), seconds.sum)

    def put_budget(self, provider: str, rate: RateLimit) -> None:
        """A provider's request budget in this process."""
        self.put(names.BUDGET, rate.rate, provider)
        self.put(names.REQUESTS, rate.spent, provider)
        self.put(names.PAUSED, rate.paused_s, provider)

    def families(self) -> list[Family]:
        return list(self._families.values())


def _family(metric: Metric) -> Family:
    family: Family = _FAMILY[metric.kind](metric.name, metric.meaning, labels=metric.labels)
    return family


def _texts(metric: Metric, labels: tuple[object, ...]) -> list[str]:
    assert len(labels) == len(metric.labels), f"{metric.name} has the labels {metric.labels}"
    return [str(label) for label in labels]
