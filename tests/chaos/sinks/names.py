"""The DNS server of the run, in a process that outlives all kills: `python -m tests.chaos.sinks.names` prints its address.

The names of lost endpoints get no answer until a line comes on standard input.
"""

from __future__ import annotations

import asyncio
import sys

from tests.chaos.sinks.endpoints import NAMED
from tests.nameserver import Answer, naming


async def main() -> None:
    answers: dict[str, Answer | str] = {one.host: "hang" if one.lost else "127.0.0.1" for one in NAMED}
    async with naming(answers) as server:
        print(server.address, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        server.answers.update(dict.fromkeys(answers, "127.0.0.1"))
        await asyncio.to_thread(sys.stdin.readline)  # its end: whoever started this has ended


if __name__ == "__main__":
    asyncio.run(main())
