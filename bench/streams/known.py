"""The streams alone, with few and with many ids and snapshots known: their rate, memory and disk, and how soon they are back."""

from __future__ import annotations

from pathlib import Path

from bench.streams.measured import Known, Size
from bench.streams.workload import Input
from bench.streams.world import World


async def started(world: World) -> float:
    """Seconds that a worker needs to start when it knows nothing: told apart from the recovery."""
    cluster = world.cluster("empty")
    await world.preload(cluster, 1)
    await world.write(cluster, Input(1).with_repeats(2), 2)
    with world.step("start of a worker"), world.running("streams", cluster) as subject:
        return await world.first_output(cluster, subject)


async def known(world: World, entities: int, size: Size) -> Known:
    name = f"{entities} known"
    cluster = world.cluster(f"known-{entities}")
    await world.preload(cluster, entities)
    await world.write(cluster, Input(entities).with_repeats(size.events), size.events)
    with world.step(f"{name}: through the streams, disk lost"), world.running("streams", cluster) as subject:
        lost_disk_s = await world.first_output(cluster, subject)
        passage = await world.passage(cluster, subject, size.events, size.events // 2)
    # one event more, for the worker that comes back to find
    before = await world.end(cluster)
    await world.write(cluster, [Input(entities).fresh(0)], 1)
    with world.step(f"{name}: started again with its disk"), world.running("streams", cluster) as subject:
        with_disk_s = await world.first_output(cluster, subject, before)
    ids, folder = entities + size.events // 2, world.folder(cluster)
    return Known(
        entities, passage, lost_disk_s, with_disk_s, _on_disk(folder, "seen") / ids, _on_disk(folder, "snapshots") / entities
    )


def _on_disk(folder: Path, name: str) -> int:
    """Bytes of the stores below `folder` whose own folder is named so."""
    stores = [path for path in folder.rglob(f"*{name}*") if path.is_dir()]
    return sum(file.stat().st_size for store in stores for file in store.rglob("*") if file.is_file())
