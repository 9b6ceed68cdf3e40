"""The edits that people make at PBS. One save touches a whole branch: the asset, then what stands above it."""

from __future__ import annotations

import uuid
from functools import partial
from random import Random
from typing import Any

from changecast.sandbox import words
from changecast.sandbox.edit import Draw, EditKind, JsonObject, Proposal
from changecast.sandbox.pbs import samples
from changecast.sandbox.pbs.catalogue import Entity, PbsCatalogue, pbs_time

MOST_ASSETS = 120
"""Assets beyond which none is made: a sandbox that runs for weeks stays small."""

MOST_EPISODES = 60

FEWEST_CLIPS = 3
"""Clips below which none is deleted."""


def _uuid(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def _pick(catalogue: PbsCatalogue, draw: Draw, *types: str, readable: bool = True) -> Entity:
    if draw.target is not None:
        return catalogue.get(draw.target)
    found = [e for e in catalogue.of_type(*types) if catalogue.readable(e) is readable]
    return draw.random.choice(found)


def _entry(entity: Entity, fields: list[str] | None, offset: float, **more: Any) -> JsonObject:
    entry = {"type": entity.type, "id": entity.id, "action": "update", "offset": offset, **more}
    return entry if fields is None else {**entry, "updated_fields": fields}


def _proposal(entity: Entity, summary: str, *entries: JsonObject) -> Proposal:
    name = str(entity.attributes.get("title") or entity.attributes.get("short_common_name") or entity.id)
    return Proposal(f"pbs:{entity.type}:{entity.id}", name, summary, {"entries": list(entries)})


def _asset_saved(readable: bool, catalogue: PbsCatalogue, draw: Draw) -> Proposal | None:
    """A burst as in the reference page: the asset and its episode again and again, then season and show."""
    entity = _pick(catalogue, draw, "asset", readable=readable)
    told = draw.random.random() < 0.7  # older entries name no fields
    field, value = _new_value(entity, draw.random)
    above = catalogue.lineage(entity)
    offset = -0.4
    entries = [_entry(entity, [field] if told else None, offset, set={field: value})]
    for _ in range(draw.random.randint(1, 3)):
        offset += draw.random.uniform(0.004, 0.06)
        entries += [_entry(parent, ["asset"] if told else None, offset) for parent in above[:1]]
        offset += draw.random.uniform(0.004, 0.06)
        entries.append(_entry(entity, ["auto_publish"] if told else None, offset))
    for parent in above[1:]:
        if parent.type in ("season", "show"):
            offset += draw.random.uniform(0.004, 0.02)
            entries.append(_entry(parent, ["asset"] if told else None, offset))
    return _proposal(entity, f"saved: {field}", *entries)


def _new_value(entity: Entity, random: Random) -> tuple[str, Any]:
    field = random.choice(("title", "description_short", "description_long", "duration"))
    before = entity.attributes[field]
    if field == "duration":
        return field, before + random.choice((-2, -1, 1, 2))
    if field == "title":
        return field, before.removesuffix(" (Preview)") if before.endswith(" (Preview)") else f"{before} (Preview)"
    return field, words.reworded(random, before)


def _availability(catalogue: PbsCatalogue, draw: Draw) -> Proposal | None:
    """Each availability that is moved gives an entry of its own, without an address, and one for the asset."""
    entity = _pick(catalogue, draw, "asset")
    end = f"20{draw.random.randint(26, 39)}-{draw.random.randint(1, 12):02d}-01T03:59:59Z"
    moved = {
        name: {**window, "end": end, "updated_at": pbs_time(draw.time)}
        for name, window in entity.attributes["availabilities"].items()
    }
    entries = []
    for step in range(3):
        offset = -0.3 + step * 0.07
        entries.append(
            {
                "type": "availability",
                "id": _uuid(draw.random),
                "action": "update",
                "offset": offset,
                "updated_fields": ["availability_range"],
            }
        )
        entries.append(_entry(entity, ["availability"], offset + 0.04, set={"availabilities": moved}))
    return _proposal(entity, f"available until {end[:10]}", *entries)


def _image_changed(catalogue: PbsCatalogue, draw: Draw) -> Proposal | None:
    entity = _pick(catalogue, draw, "asset")
    picture = samples.image("asset", _uuid(draw.random), "asset-mezzanine-16x9", draw.time)
    entries = (
        {
            "type": "image",
            "id": _uuid(draw.random),
            "action": "update",
            "offset": -0.05,
            "updated_fields": ["image"],
        },
        _entry(entity, ["image"], 0.0, set={"images": [picture]}),
    )
    return _proposal(entity, "new picture", *entries)


def _link_deleted(catalogue: PbsCatalogue, draw: Draw) -> Proposal | None:
    entity = _pick(catalogue, draw, "show")
    address = {"profile": "producer", "value": "https://example.org/", "updated_at": pbs_time(draw.time)}
    links = [] if entity.attributes["links"] else [address]
    entries = (
        {"type": "link", "id": _uuid(draw.random), "action": "delete", "offset": -0.02, "updated_fields": []},
        _entry(entity, ["link"], 0.0, set={"links": links}),
    )
    return _proposal(entity, "links changed", *entries)


def _described(types: tuple[str, ...], catalogue: PbsCatalogue, draw: Draw) -> Proposal | None:
    entity = _pick(catalogue, draw, *types)
    field = "full_common_name" if entity.type == "station" else "description_short"
    value = words.reworded(draw.random, str(entity.attributes[field]))
    if entity.type == "station":
        value = draw.random.choice(("Sandbox Public Television", "Sandbox Public Media", "Sandbox PBS"))
    return _proposal(entity, f"{field} rewritten", _entry(entity, [field], 0.0, set={field: value}))


def _asset_created(catalogue: PbsCatalogue, draw: Draw) -> Proposal | None:
    if len(catalogue.of_type("asset")) >= MOST_ASSETS:
        return None
    parent = _pick(catalogue, draw, "episode", "special")
    made = samples.asset(_uuid(draw.random), f"Clip: {words.sentence(draw.random).rstrip('.')}", parent.id, draw.time)
    return _proposal(
        made,
        "created",
        _created(made, -0.1),
        *(
            _entry(above, ["asset"], -0.05 + 0.01 * place)
            for place, above in enumerate([parent, *catalogue.lineage(parent)])
            if above.type != "franchise"
        ),
    )


def _episode_created(catalogue: PbsCatalogue, draw: Draw) -> Proposal | None:
    if len(catalogue.of_type("episode")) >= MOST_EPISODES:
        return None
    parent = _pick(catalogue, draw, "season")
    ordinal = 1 + max((e.attributes["ordinal"] for e in catalogue.children(parent, "episode")), default=0)
    title = f"{draw.random.choice(words.TITLE_FIRST)} {draw.random.choice(words.TITLE_LAST)}"
    made = samples.episode(_uuid(draw.random), title, parent.id, ordinal, draw.time)
    return _proposal(made, "created", _created(made, -0.1), _entry(parent, ["episode"], -0.05))


def _created(made: Entity, offset: float) -> JsonObject:
    parts = {"attributes": made.attributes, "parent": made.parent}
    return _entry(made, None, offset, action="create", create=parts)


def _asset_deleted(catalogue: PbsCatalogue, draw: Draw) -> Proposal | None:
    clips = [
        asset for asset in catalogue.of_type("asset") if catalogue.readable(asset) and asset.attributes["object_type"] == "clip"
    ]
    if draw.target is None and len(clips) < FEWEST_CLIPS:
        return None
    entity = catalogue.get(draw.target) if draw.target else draw.random.choice(clips)
    parents = [_entry(parent, ["asset"], 0.0) for parent in catalogue.lineage(entity)[:1]]
    return _proposal(entity, "deleted", _entry(entity, [], -0.05, action="delete"), *parents)


def _late(catalogue: PbsCatalogue, draw: Draw) -> Proposal | None:
    """An entry that arrives after younger ones, as users of the API report."""
    entity = _pick(catalogue, draw, "asset")
    field, value = _new_value(entity, draw.random)
    return _proposal(entity, f"saved late: {field}", _entry(entity, [field], -120.0, set={field: value}))


def _unknown_type(catalogue: PbsCatalogue, draw: Draw) -> Proposal | None:
    """An entry of a type that the reference page does not list, as availability, image and link are: there may be more."""
    entity = _pick(catalogue, draw, "show")
    promotion = {"type": "promotion", "id": _uuid(draw.random), "action": "update", "offset": -0.02}
    return _proposal(entity, "promoted", promotion, _entry(entity, ["promotion"], 0.0))


EDIT_KINDS = (
    EditKind("asset-saved", 30, partial(_asset_saved, True)),
    EditKind("forbidden-asset-saved", 6, partial(_asset_saved, False)),
    EditKind("availability", 8, _availability),
    EditKind("image", 10, _image_changed),
    EditKind("link-deleted", 3, _link_deleted),
    EditKind("episode-described", 8, partial(_described, ("episode",))),
    EditKind("other-described", 6, partial(_described, ("show", "season", "special", "franchise", "collection"))),
    EditKind("station", 1, partial(_described, ("station",))),
    EditKind("asset-created", 4, _asset_created),
    EditKind("episode-created", 1, _episode_created),
    EditKind("asset-deleted", 3, _asset_deleted),
    EditKind("late", 0, _late),
    EditKind("unknown-type", 0, _unknown_type),
)
