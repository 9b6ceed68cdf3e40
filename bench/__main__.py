"""`python -m bench streams [--short]`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from bench.streams import FULL, SHORT, run

RESULTS = Path(__file__).with_name("results.md")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures changecast on this machine.")
    parser.add_argument("what", choices=["streams"])
    parser.add_argument("--short", action="store_true", help="small numbers, under a minute; the results file is left alone")
    options = parser.parse_args()
    asyncio.run(run(SHORT if options.short else FULL, results=None if options.short else RESULTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
