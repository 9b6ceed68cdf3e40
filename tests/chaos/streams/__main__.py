"""The streams under chaos: `python -m tests.chaos.streams --kills 50 [--edits 50000] [--seed 1]`.

A history of edits at the sandbox goes on while two streams workers and the broker are killed, stopped past their session and robbed of
their disks. Afterwards a read_committed consumer must find each edit exactly once, in order per entity, and the changes of each entity
of PBS and TheTVDB must lead from its baseline to its last state. Exit code 1 when anything else is found.
"""

from __future__ import annotations

import sys

from tests.chaos.command import main
from tests.chaos.streams.chaos import ODDS, Chaos

if __name__ == "__main__":
    sys.exit(main("streams", Chaos, ODDS, sized="edits", for_each_kill=1_000))
