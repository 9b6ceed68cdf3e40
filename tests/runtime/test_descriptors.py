"""The limit of open files: raised at the start of each worker, and told apart from others' trouble."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from runtime.descriptors import OutOfDescriptors, exhausted, is_shortage
from runtime.dns import Resolver
from tests.nameserver import naming
from tests.shortage import no_descriptors

WORKER = """
import resource
from pathlib import Path
from changecast.up.worker import run_worker
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
try:
    run_worker("sinks", Path("no-such-file.yaml"))
except Exception as error:
    assert "no-such-file" in str(error), error
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_a_worker_raises_its_soft_limit_at_its_start() -> None:
    done = subprocess.run([sys.executable, "-c", WORKER], capture_output=True, text=True, check=True)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 200 < int(done.stdout) <= max(hard, 65_536)


def test_a_shortage_is_found_also_in_what_aiohttp_makes_of_several_errors() -> None:
    assert is_shortage(OSError(24, "Too many open files"))
    assert is_shortage(OSError(f"Multiple exceptions: [Errno 111] Connect call failed, [Errno 24] {os.strerror(24)}"))
    assert not is_shortage(OSError(111, "Connection refused"))


async def test_a_look_up_without_a_descriptor_blames_no_name() -> None:
    async with naming({"good.example": "192.0.2.7"}) as server:
        resolver = Resolver(1.0, [server.address])
        with no_descriptors():
            assert exhausted()
            with pytest.raises(OutOfDescriptors):
                await resolver.resolve("good.example")
        assert not exhausted()
        assert [found["host"] for found in await resolver.resolve("good.example")] == ["192.0.2.7"]
        await resolver.close()
