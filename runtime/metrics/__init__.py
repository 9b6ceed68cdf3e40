"""What operators measure: the closed list of metrics, one scrape's values, and the page on which Prometheus reads them."""

from runtime.metrics import names
from runtime.metrics.exporter import Measured, exporting
from runtime.metrics.histogram import Histogram
from runtime.metrics.reading import Reading

__all__ = ["Histogram", "Measured", "Reading", "exporting", "names"]
