"""The catalogues of all providers together, the edits that change them, and the journal that remembers both."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from copy import deepcopy
from random import Random

from changecast.sandbox.edit import Draw, Edit, EditError, EditKind, JsonObject, Proposal, ProviderCatalogue
from changecast.sandbox.journal import Journal
from changecast.sandbox.provider import ProviderSandbox
from changecast.sandbox.registry import PROVIDERS

RECENT_EDITS = 200

TRIES = 20
"""Draws of a kind of edit before giving up: some kinds have nothing to do at times."""


class Catalogue:
    """What the providers hold, and every edit of it.

    Each edit draws its chance from the seed and its own number: the same seed gives the same edits at the same times, and
    goes on where it was after a restart. `on_edit` is called after each.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        seed: int = 0,
        journal: Journal | None = None,
        providers: tuple[ProviderSandbox, ...] = PROVIDERS,
    ) -> None:
        self._clock = clock
        self._seed = seed
        self._journal = journal
        self._providers = {provider.name: provider for provider in providers}
        self.on_edit: Callable[[Edit], None] = lambda _edit: None
        self.recent: deque[Edit] = deque(maxlen=RECENT_EDITS)
        self.edits = 0
        self.epoch = clock()
        remembered = journal.read() if journal is not None else None
        if remembered is not None:
            self.epoch = float(remembered[0]["epoch"])
        self._catalogues: dict[str, ProviderCatalogue] = {
            provider.name: provider.first_catalogue(self.epoch) for provider in providers
        }
        if remembered is not None:
            self._restore(*remembered)
        elif journal is not None:
            journal.begin(self._snapshot())

    def of(self, provider: str) -> ProviderCatalogue:
        """One provider's catalogue. Raises EditError when there is no such provider."""
        if provider not in self._catalogues:
            raise EditError(f"no provider {provider}: there are {', '.join(self._catalogues)}")
        return self._catalogues[provider]

    def kinds(self, provider: str) -> Mapping[str, EditKind]:
        self.of(provider)
        return {kind.name: kind for kind in self._providers[provider].edit_kinds}

    def edit(
        self,
        provider: str | None = None,
        kind: str | None = None,
        *,
        target: str | int | None = None,
        time: float | None = None,
    ) -> Edit:
        """Make one edit: of this provider and kind, to the entity whose id is `target`; what is None is drawn.

        `time`: Unix seconds when it shall have happened; now when None. Raises EditError when there is no such kind or
        entity, or nothing that this kind could be done to.
        """
        random = Random(f"{self._seed}:{self.edits + 1}")
        happened = self._clock() if time is None else time
        chosen = provider or random.choice(list(self._providers))
        draw = Draw(random, happened, None if target is None else str(target))
        for _ in range(TRIES):
            edit_kind = self._kind(chosen, kind, random)
            proposal = edit_kind.propose(self.of(chosen), draw)
            if proposal is not None:
                return self.record(chosen, edit_kind.name, proposal, time=happened)
        raise EditError(f"found nothing to edit at {chosen} by {kind or 'any kind of edit'}")

    def _kind(self, provider: str, name: str | None, random: Random) -> EditKind:
        kinds = self.kinds(provider)
        if name is None:
            drawn = random.choices(list(kinds.values()), [kind.weight for kind in kinds.values()])
            return drawn[0]
        if name not in kinds:
            raise EditError(f"no kind of edit {name} at {provider}: there are {', '.join(kinds)}")
        return kinds[name]

    def record(self, provider: str, kind: str, proposal: Proposal, *, time: float | None = None) -> Edit:
        """Take an edit whose content the caller gives. Raises EditError when the catalogue can't take it."""
        edit = Edit(
            number=self.edits + 1,
            time=self._clock() if time is None else time,
            provider=provider,
            kind=kind,
            subject=proposal.subject,
            name=proposal.name,
            summary=proposal.summary,
            data=proposal.data,
        )
        self._apply(edit)
        if self._journal is not None:  # in the same step of the event loop: no request comes between
            self._journal.append(edit)
            if self._journal.full:
                self.prune()
                self._journal.begin(self._snapshot())
        self.on_edit(edit)
        return edit

    def _apply(self, edit: Edit) -> None:
        self.of(edit.provider).apply(deepcopy(edit))  # what it brings becomes state, and state changes
        self.edits = edit.number
        self.recent.append(edit)

    def prune(self) -> None:
        """Forget history that no request can ask for any more."""
        for catalogue in self._catalogues.values():
            catalogue.prune(self._clock())

    def size(self) -> dict[str, Mapping[str, int]]:
        return {name: catalogue.size() for name, catalogue in self._catalogues.items()}

    def _snapshot(self) -> JsonObject:
        return {
            "epoch": self.epoch,
            "edits": self.edits,
            "catalogues": {name: catalogue.dump() for name, catalogue in self._catalogues.items()},
        }

    def _restore(self, snapshot: JsonObject, edits: list[Edit]) -> None:
        """A provider that the journal doesn't know yet keeps its first catalogue."""
        for name, state in snapshot["catalogues"].items():
            if name in self._catalogues:
                self._catalogues[name].restore(state)
        self.edits = int(snapshot["edits"])
        for edit in edits:
            self._apply(edit)
