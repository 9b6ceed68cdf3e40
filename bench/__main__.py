"""`python -m bench streams|sinks|catchup [--short]`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from bench.catchup import bench as catchup
from bench.sinks import bench as sinks
from bench.sinks import measured as sinks_sizes
from bench.streams import bench as streams
from bench.streams import measured as streams_sizes

RESULTS = Path(__file__).with_name("results.md")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures changecast on this machine.")
    parser.add_argument("what", choices=["streams", "sinks", "catchup"])
    parser.add_argument("--short", action="store_true", help="small numbers, about a minute; the results file is left alone")
    options = parser.parse_args()
    results = None if options.short else RESULTS
    if options.what == "catchup":
        met = asyncio.run(catchup.run(catchup.SHORT if options.short else catchup.FULL, results=results))
        return 0 if met else 1
    if options.what == "streams":
        asyncio.run(streams.run(streams_sizes.SHORT if options.short else streams_sizes.FULL, results=results))
    else:
        asyncio.run(sinks.run(sinks_sizes.SHORT if options.short else sinks_sizes.FULL, results=results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
