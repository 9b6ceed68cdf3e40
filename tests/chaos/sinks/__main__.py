"""The sinks under chaos: `python -m tests.chaos.sinks --kills 50 [--events 15000] [--seed 1]`.

Three sinks workers deliver to receivers that are well, fail, hang, redirect, ask for patience, drip, are away for a while, or have gone,
while workers and the broker are killed, and workers are stopped past their session. Afterwards each event that a subscription wants must
have been delivered, or be dead with its record; what came again must have been in flight at a fault; first attempts must be in order per
entity; attempts, signatures and webhook-ids must be right. Exit code 1 when anything else is found.
"""

from __future__ import annotations

import sys

from tests.chaos.command import main
from tests.chaos.sinks.chaos import ODDS, Chaos

if __name__ == "__main__":
    sys.exit(main("sinks", Chaos, ODDS, sized="events", for_each_kill=300))
