"""The streams and what they are compared with, one after the other, several times: what the machine does meanwhile befalls all."""

from __future__ import annotations

from bench.streams.measured import Passage, Size, Turns
from bench.streams.workload import PROVIDER, Input
from bench.streams.world import World
from runtime.topics import ensure_topics

KINDS = ("streams", "agent", "agent-bare", "loop")


async def in_turns(world: World, size: Size) -> dict[str, Turns]:
    turns = {kind: Turns() for kind in KINDS}
    for number in range(size.rounds):
        for kind in KINDS:
            turns[kind].passages.append(await _turn(world, size, kind, number))
    return turns


async def _turn(world: World, size: Size, kind: str, number: int) -> Passage:
    cluster = world.cluster(f"{kind}-{number}")
    # the agent waits for each fetch before it takes the next event: the beginning of the input must do
    events = size.events // 5 if kind == "agent" else size.events
    expected = events if kind == "loop" else events // 2
    entities = size.known[0]
    if kind == "streams":
        await world.preload(cluster, entities)
    else:
        await ensure_topics(cluster, cluster.topics.of_provider(PROVIDER))
    await world.write(cluster, Input(entities).with_repeats(events), events)
    with world.step(f"{kind}, turn {number + 1}"), world.running(kind, cluster) as subject:
        await world.first_output(cluster, subject)
        return await world.passage(cluster, subject, events, expected)
