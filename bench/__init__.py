"""Measurements: `python -m bench streams|sinks [--short]`. Ratios of one run count; rates are of the machine."""
