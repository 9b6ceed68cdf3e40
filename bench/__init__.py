"""Measurements: `python -m bench streams|sinks|catchup [--short]`. Ratios of one run count; rates are of the machine."""
