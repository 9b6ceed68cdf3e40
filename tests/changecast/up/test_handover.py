import os
import sys
from pathlib import Path

from changecast.up.children import Child
from changecast.up.handover import HANDED_VARIABLE, hand_over, handed_over
from schemas.config import Source

SOURCE = Source(
    Path("some/changecast.yaml"), "data_dir: ${WHERE}  # ⏎\n", {"WHERE": "/x", "SECRET": "whsec_1", "BYTES": os.fsdecode(b"\xff")}
)
SAYS = """
from changecast.up.handover import handed_over
print(handed_over().text, "and then", handed_over(), flush=True)
"""


def test_what_was_handed_over_is_the_same_and_is_had_once() -> None:
    descriptor = hand_over(SOURCE)
    environ = {HANDED_VARIABLE: str(os.dup(descriptor))}
    os.close(descriptor)

    assert handed_over(environ) == SOURCE
    assert handed_over(environ) is None


def test_there_is_room_for_a_config_that_an_environment_would_not_hold() -> None:
    long = Source(SOURCE.path, "#" * 3_000_000, SOURCE.variables)

    assert handed_over({HANDED_VARIABLE: str(hand_over(long))}) == long


async def test_every_start_of_a_child_is_handed_the_config(tmp_path: Path) -> None:
    for _ in range(2):
        child = await Child.start([sys.executable, "-c", SAYS], tmp_path / "log", config=SOURCE)
        assert (await child.wait()).code == 0, (tmp_path / "log").read_text()

    said = (tmp_path / "log").read_text()
    assert said.count(f"{SOURCE.text} and then None\n") == 2


def test_no_secret_stands_in_the_words_for_it() -> None:
    assert "whsec_1" not in repr(SOURCE)
