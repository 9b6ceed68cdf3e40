"""Measurements: `python -m bench streams [--short]`. Ratios of one run count; rates are of the machine."""
