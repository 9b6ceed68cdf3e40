"""An outage of days, walked through and measured: see `bench`."""
