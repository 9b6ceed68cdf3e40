from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.urn import Urn

WORDS = st.text(alphabet=st.characters(exclude_characters=":", exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(WORDS, WORDS, st.text(min_size=1, max_size=20))
def test_a_urn_reads_back_as_it_was_written(provider: str, kind: str, identity: str) -> None:
    urn = Urn(provider, kind, identity)
    assert Urn.parse(str(urn)) == urn


@given(st.text(max_size=20))
def test_any_text_is_a_urn_or_an_error_that_shows_the_form(text: str) -> None:
    try:
        assert str(Urn.parse(text)) == text
    except ValueError as error:
        assert "provider:type:id" in str(error)


@pytest.mark.parametrize(
    ("text", "identity"),
    [("tmdb:movie:550", "550"), ("tmdb:series:1399/1/2", "1399/1/2"), ("tmdb:feed:tv:changes", "tv:changes")],
)
def test_an_id_may_hold_colons_and_slashes(text: str, identity: str) -> None:
    assert Urn.parse(text).id == identity


@pytest.mark.parametrize("text", ["", "tmdb", "tmdb:movie", "tmdb:movie:", ":movie:1", "tmdb::1"])
def test_a_part_that_is_missing_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="as tmdb:movie:550"):
        Urn.parse(text)
