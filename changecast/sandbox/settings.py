"""What a sandbox may be told: how strict the providers are, and which of their oddities they show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Limits:
    """The bounds that providers set. They may be changed while the sandbox runs.

    `tmdb_retry_after`: seconds in the Retry-After of TMDB's 429; None leaves the header out, as TMDB has been seen to do.
    `slack_burst`: how many messages a channel may get at once before the rate of `slack_per_second` holds.
    """

    tmdb_per_second: int = 40
    tmdb_retry_after: int | None = None
    tvdb_token_lifetime: float = 24 * 3600
    slack_per_second: float = 1.0
    slack_burst: int = 3


@dataclass
class Quirks:
    """Oddities that have been seen at the real providers. All off at first; they may be switched while the sandbox runs.

    `tmdb_duplicate_ids`: a page of a change list names its first id again at its end.
    `tmdb_null_ids`: a page of a change list holds one entry whose id is null.
    `tmdb_null_adult`: every third entry of a change list has `adult: null`.
    `tmdb_whole_list`: a change list that is asked for without a page comes whole, with a wrong `total_results`.
    `tmdb_open_words`: a deletion may be called `destroyed`, any other edit by a word that is in no list, and `xx` stands for no language.
    `tmdb_bad_texts`: the first text in an entity's changes has a lone surrogate in it, which JSON parsers refuse.
    `pbs_platforms`: clips are only on `partnerplayer`, and forbidden to whoever does not name that platform.
    `tvdb_old_pictures`: pictures name their language by its id alone and a thumbnail by a path that the host refuses.
    `pbs_null_ids`: an entry for a deleted link or an image has no id.
    `pbs_since_inclusive`: an entry whose timestamp equals `since` is in the answer.
    """

    tmdb_duplicate_ids: bool = False
    tmdb_null_ids: bool = False
    tmdb_null_adult: bool = False
    tmdb_whole_list: bool = False
    tmdb_open_words: bool = False
    tmdb_bad_texts: bool = False
    tvdb_old_pictures: bool = False
    pbs_platforms: bool = False
    pbs_null_ids: bool = False
    pbs_since_inclusive: bool = True
