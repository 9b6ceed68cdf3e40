"""The streams, measured: see `bench`. Nothing is imported here: what is measured lives below too, in processes of its own."""
