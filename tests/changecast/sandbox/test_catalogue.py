from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from changecast.sandbox import Catalogue, EditError, JournalError, Sandbox
from changecast.sandbox import journal as journal_module
from changecast.sandbox.journal import Journal
from changecast.sandbox.stream import MOST_BETWEEN, next_wait

NOON = 1_749_556_800.0


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        self.now += 7.25
        return self.now


def state(catalogue: Catalogue) -> bytes:
    names = ("tmdb", "pbs", "tvdb")
    return orjson.dumps([catalogue.of(name).dump() for name in names], option=orjson.OPT_SORT_KEYS)


def test_the_same_seed_makes_the_same_edits_and_another_one_others():
    first, second, other = (Catalogue(clock=Clock(), seed=seed) for seed in (5, 5, 6))
    edits = [[catalogue.edit() for _ in range(200)] for catalogue in (first, second, other)]
    assert edits[0] == edits[1]
    assert edits[0] != edits[2]
    assert state(first) == state(second)


def test_all_kinds_of_all_providers_can_be_made():
    catalogue = Catalogue(clock=Clock())
    for provider in ("tmdb", "pbs", "tvdb"):
        for _ in range(150):
            catalogue.edit(provider)
        for kind in catalogue.kinds(provider):
            edit = catalogue.edit(provider, kind)
            assert (edit.provider, edit.kind) == (provider, kind)
            assert edit.name
            assert edit.summary
            assert edit.subject.startswith(f"{provider}:")


def test_a_thousand_edits_leave_a_catalogue_of_bounded_size():
    catalogue = Catalogue(clock=Clock())
    for _ in range(3000):
        catalogue.edit()
    sizes = [count for counts in catalogue.size().values() for count in counts.values()]
    assert max(sizes) < 700


def test_an_edit_of_what_is_not_there_is_refused_and_changes_nothing():
    catalogue = Catalogue(clock=Clock())
    before = state(catalogue)
    for provider, kind, target in (
        ("imdb", None, None),
        ("tmdb", "no-such-kind", None),
        ("tmdb", "movie-poster-added", 1),
        ("pbs", "asset-saved", "nope"),
        ("tvdb", "overview", 1),
    ):
        with pytest.raises(EditError):
            catalogue.edit(provider, kind, target=target)
    assert state(catalogue) == before
    assert catalogue.edits == 0


def test_history_survives_a_restart_with_its_times_and_ids(tmp_path: Path):
    clock = Clock()
    first = Sandbox(data_dir=tmp_path, clock=clock)
    for _ in range(300):
        first.catalogue.edit()
    remembered, epoch, secret = state(first.catalogue), first.catalogue.epoch, first.webhook_secret
    first._journal.close()  # as a kill would: nothing else is done at the end

    clock.now += 3600
    second = Sandbox(data_dir=tmp_path, clock=clock)
    assert state(second.catalogue) == remembered
    assert (second.catalogue.epoch, second.webhook_secret) == (epoch, secret)
    edit = second.catalogue.edit()
    assert edit.number == 301
    assert edit.time > epoch + 3600
    second._journal.close()


def test_ids_never_repeat_over_restarts(tmp_path: Path):
    clock, ids = Clock(), []
    for _ in range(4):
        journal = Journal(tmp_path / "journal.jsonl")
        catalogue = Catalogue(clock=clock, journal=journal)
        ids += [catalogue.edit("tmdb", "movie-poster-added", target=550).data["first_item_id"] for _ in range(5)]
        journal.close()
    assert len(set(ids)) == 20


def test_a_line_that_was_cut_off_by_a_kill_is_dropped(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    catalogue = Catalogue(clock=Clock(), journal=journal)
    catalogue.edit()
    remembered = state(catalogue)
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"number": 2, "time"')

    journal = Journal(path)
    catalogue = Catalogue(clock=Clock(), journal=journal)
    assert state(catalogue) == remembered
    catalogue.edit()
    journal.close()
    journal = Journal(path)
    assert Catalogue(clock=Clock(), journal=journal).edits == 2
    journal.close()


def test_a_damaged_journal_says_what_to_do(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"garbage\n{}\n")
    journal = Journal(path)
    with pytest.raises(JournalError, match="delete it"):
        Catalogue(clock=Clock(), journal=journal)


def test_a_data_directory_is_used_by_one_sandbox_at_a_time(tmp_path: Path):
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(JournalError, match="another sandbox"):
        Journal(tmp_path / "journal.jsonl")
    journal.close()


def test_the_journal_is_compacted_and_still_remembers_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(journal_module, "COMPACT_AFTER", 50)
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    catalogue = Catalogue(clock=Clock(), journal=journal)
    for _ in range(120):
        catalogue.edit()
    journal.close()
    assert len(path.read_bytes().splitlines()) == 21
    journal = Journal(path)
    again = Catalogue(clock=Clock(), journal=journal)
    assert state(again) == state(catalogue)
    assert again.edits == 120
    journal.close()


def test_history_that_nobody_can_ask_for_is_forgotten():
    clock = Clock()
    catalogue = Catalogue(clock=clock)
    clock.now += 40 * 24 * 3600
    catalogue.edit("tmdb", "movie-poster-added", target=550)
    catalogue.prune()
    remembered = orjson.loads(state(catalogue))
    items = [change for entity in remembered[0]["entities"] for change in entity["changes"]]
    assert len(items) == 1
    assert remembered[1]["feed"] == []


def test_the_wait_between_edits_is_bounded_and_on_average_the_rate():
    waits = [next_wait(0, number, 30) for number in range(2000)]
    assert 1.8 < sum(waits) / len(waits) < 2.1
    assert max(waits) <= MOST_BETWEEN * 2
    assert next_wait(0, 1, 0) is None
