"""Filters that can match nothing are warned of, and no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from producers.pbs import entries, parents
from producers.tmdb.models import NATIVE_TYPE
from schemas.config import Loaded, Match, Pbs, Tmdb, read_config
from sinks.facts import facts_of
from tests.schemas.config.samples import SECRET, write
from tests.sinks.worlds import change_event

EVENTS = Path(__file__).parents[3] / "docs" / "pictures" / "events.ndjson"
EVERYTHING = "{tmdb: {watch: {person: all}}, pbs: {}, tvdb: {}}"


def loaded(folder: Path, match: str, providers: str = EVERYTHING) -> Loaded:
    text = (
        f"providers: {providers}\nsubscriptions: [{{name: a, webhook: {{url: 'http://x', secret: {SECRET}}}, match: {match}}}]\n"
    )
    return read_config(write(folder, text), environ={})


def warnings(folder: Path, match: str, providers: str = EVERYTHING) -> list[str]:
    """The place within `match`, and what is said of it."""
    found = loaded(folder, match, providers).warnings
    return [f"{each.path.removeprefix('subscriptions[0].match.')}: {each.message}" for each in found]


@pytest.mark.parametrize(
    ("match", "told"),
    [
        ("{key: image}", 'key: no change has this key; did you mean "images"?'),
        ("{key: [title, Images]}", 'key[1]: no change has this key; did you mean "images"?'),
        ("{provider: pbs, key: link}", 'key: no change has this key; did you mean "links"?'),
        ("{key: gap, entity: movie}", "key: matches nothing: a gap is of the entity type `feed`"),
        ("{language: english}", 'language: matches nothing: a language is two small letters (ISO 639-1); did you mean "en"?'),
        ("{language: [EN, de]}", 'language[0]: matches nothing: a language is two small letters (ISO 639-1); did you mean "en"?'),
        ("{language: pt-BR}", 'language: matches nothing: a language is two small letters (ISO 639-1); did you mean "pt"?'),
        ("{language: 'null'}", "language: matches nothing: for changes without a language write null, without quotes"),
        ("{provider: pbs, language: en}", "language: matches nothing: changes of pbs have no language; leave `language` out"),
        ("{entity: show}", 'entity: matches nothing: tmdb, pbs and tvdb have no such type; did you mean "series"?'),
        ("{entity: Episode}", 'entity: matches nothing: types are written in small letters; did you mean "episode"?'),
        (
            "{provider: tmdb, entity: [movie, station]}",
            "entity[1]: matches nothing: tmdb has no such type: there is movie, series, season, episode and person",
        ),
        ("{provider: tmdb, entity: tv}", 'entity: matches nothing: tmdb has no such type; did you mean "series"?'),
        (
            "{provider: tvdb, entity: episode}",
            "entity: matches nothing: tvdb tells it as a change of a series: `entity: series, key: episodes`",
        ),
        ("{entity: feed}", "entity: matches nothing: only a gap is of a feed; add `key: gap`"),
        ("{entity: []}", "entity: an empty list matches nothing: leave `entity` out to match all"),
        ("{id: imdb:title:7}", 'id: matches nothing: there is no such provider; did you mean "tmdb"?'),
        ("{within: pbs:show:7}", 'within: matches nothing: pbs has no such type; did you mean "series"?'),
        ("{id: tmdb:tv:1399}", 'id: matches nothing: tmdb has no such type; did you mean "series"?'),
        ("{id: tmdb:series:1399/1/2}", "id: matches nothing: an id of tmdb is a whole number here"),
        ("{entity: movie, id: tmdb:series:1}", "id: matches nothing: its type is not one that `entity` names"),
        ("{entity: series, within: tmdb:season:1}", "within: matches nothing: nothing that `entity` names is below it"),
        ("{entity: franchise, within: pbs:series:1}", "within: matches nothing: nothing that `entity` names is below it"),
        ("{provider: pbs, within: tmdb:series:1}", "within: matches nothing: `provider` here is pbs only"),
    ],
)
def test_a_word_that_can_match_nothing_is_told_with_what_to_write(tmp_path: Path, match: str, told: str) -> None:
    (said,) = warnings(tmp_path, match)
    assert said.startswith(told)


@pytest.mark.parametrize(
    ("providers", "match", "told"),
    [
        (
            "{tmdb: {}}",
            "{provider: [tmdb, pbs]}",
            "provider[1]: matches nothing that this config polls: add pbs under `providers`",
        ),
        (
            "{tmdb: {watch: {movie: none, tv: none}}, pbs: {}}",
            "{provider: [tmdb, pbs]}",
            "provider[0]: matches nothing: `providers.tmdb.watch.movie` is none and `providers.tmdb.watch.tv` is none and",
        ),
        ("{tmdb: {}}", "{id: pbs:asset:1}", "id: matches nothing that this config polls: add pbs under `providers`"),
        ("{tmdb: {}}", "{provider: tmdb, entity: person}", "entity: matches nothing: `providers.tmdb.watch.person` is none"),
        (
            "{tmdb: {watch: {movie: [550]}}}",
            "{id: tmdb:movie:551}",
            "id: matches nothing: `providers.tmdb.watch.movie` does not name",
        ),
        ("{tmdb: {watch: {tv: none}}}", "{within: tmdb:season:1}", "within: matches nothing: `providers.tmdb.watch.tv` is none"),
        ("{pbs: {types: show}}", "{entity: asset}", "entity: matches nothing: `providers.pbs.types` does not name it"),
        ("{tmdb: {}, tvdb: {}}", "{entity: asset}", "entity: matches nothing: tmdb and tvdb have no such type"),
    ],
)
def test_what_the_config_does_not_poll_is_told(tmp_path: Path, providers: str, match: str, told: str) -> None:
    (said,) = warnings(tmp_path, match, providers)
    assert said.startswith(told)


@pytest.mark.parametrize(
    ("providers", "match"),
    [
        (EVERYTHING, "{}"),
        (EVERYTHING, "{key: [air_date, seriesName, description_long, image_credit], language: [en, xx, null]}"),
        (EVERYTHING, "{entity: [link, availability, image, station]}"),
        (EVERYTHING, "{within: tmdb:episode:1}"),
        (EVERYTHING, "{entity: [episode, asset], within: [pbs:special:1, pbs:season:1, tmdb:series:1]}"),
        (EVERYTHING, "{entity: feed, key: gap, id: tmdb:feed:movie}"),
        (EVERYTHING, "{entity: person, id: tmdb:person:1}"),
        ("{tvdb: {languages: [zhtw]}}", "{language: zhtw}"),
        ("{pbs: {types: [show, asset]}}", "{entity: [series, asset], within: pbs:franchise:1}"),
        ("{tmdb: {watch: {tv: [1399]}}}", "{id: tmdb:episode:5, within: tmdb:series:1399}"),
        # sinks alone: other machines poll, by another config
        ("{}", "{provider: tvdb, entity: series, id: tvdb:series:1}"),
        ("{}", "{provider: tmdb, entity: person}"),
    ],
)
def test_what_may_match_is_not_warned_of(tmp_path: Path, providers: str, match: str) -> None:
    assert warnings(tmp_path, match, providers) == []


def test_no_filter_that_matches_a_real_event_is_warned_of(tmp_path: Path) -> None:
    documents = [json.loads(line) for line in [*EVENTS.read_text().splitlines(), change_event().to_json()]]
    assert {document["data"]["provider"] for document in documents} == {"tmdb", "pbs", "tvdb"}
    for document in documents:
        facts = facts_of(document)
        for trait in facts.traits:
            match = {"provider": facts.provider, "entity": facts.entity, "key": trait.key, "id": facts.subject}
            match |= {"language": trait.language, "within": list(facts.scopes)}
            Match.model_validate(match)
            assert warnings(tmp_path, json.dumps(match)) == [], match


def test_a_warning_points_at_the_word_and_shows_no_value_of_a_variable(tmp_path: Path) -> None:
    match = "{language: '${WORD}', entity: '${WORD}', id: tmdb:movie:1, within: 'tmdb:${WORD}:1'}"
    text = f"subscriptions:\n- name: a\n  webhook: {{url: 'http://x', secret: {SECRET}}}\n  match: {match}\n"
    found = read_config(write(tmp_path, text), environ={"WORD": "hunter2"}).warnings
    assert [(each.line, each.column) for each in found] == [(4, 21), (4, 55), (4, 77)]
    assert not any("hunter2" in each.render() for each in found)


def test_what_is_said_of_the_providers_is_what_they_do() -> None:
    assert set(Tmdb.entity_types) == set(NATIVE_TYPE)
    assert {native for native, shared in entries.SHARED_TYPES.items() if native != shared} == set(Pbs.other_types)
    assert entries.FIELD_KEYS.items() <= Pbs.other_keys.items()
    assert set(parents._WORDS) < set(Pbs.depths)
    outermost_first = sorted(parents._WORDS, key=Pbs.depths.__getitem__)
    assert [outermost_first.index(word) for word in ("franchise", "series", "season")] == [0, 1, 2]
