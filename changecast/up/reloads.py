"""The reloads of a running `up`: one after the other, each decided, told, and carried out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiokafka.errors import KafkaError

from changecast.up.answer import Answer, leave
from changecast.up.plan import Plan, Sandbox
from changecast.up.reload import Refused, TakenOver, decide, told
from changecast.up.screen import Screen
from runtime.topics import TopicMismatch

log = logging.getLogger(__name__)


class Reloads:
    """Waits for `asked`. `prepare` makes ready what a new plan needs, and may fail for want of Kafka; `take_over` brings it into force,
    and has the named parts start anew."""

    def __init__(
        self,
        asked: asyncio.Event,
        screen: Screen,
        *,
        prepare: Callable[[Plan], Awaitable[None]],
        take_over: Callable[[Plan, tuple[str, ...]], Awaitable[None]],
    ) -> None:
        self._asked = asked
        self._screen = screen
        self._prepare = prepare
        self._take_over = take_over

    async def follow(self, plan: Plan, sandbox: Sandbox | None) -> None:
        """Until cancelled. A signal that comes during a reload asks for another."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            read_at = time.monotonic()
            decision = await self._prepared(decide(plan, sandbox))
            self._tell(decision)
            self._answer(plan, Answer(read_at=read_at, code=decision.code, text=told(decision)))
            if isinstance(decision, TakenOver):
                plan = decision.plan
                await self._take_over(plan, decision.parts)

    async def _prepared(self, decision: TakenOver | Refused) -> TakenOver | Refused:
        """The decision, unless Kafka is away: nothing has been stopped yet, so all stays as it was."""
        try:
            if isinstance(decision, TakenOver):
                await self._prepare(decision.plan)
        except (KafkaError, ConnectionError, TopicMismatch) as error:
            return Refused("Kafka does not take it just now, and the config from before goes on", str(error))
        return decision

    def _tell(self, decision: TakenOver | Refused) -> None:
        if isinstance(decision, Refused):
            log.warning("reload refused: %s: %s", decision.why, decision.details)
            self._screen.warn(f"not reloaded: {decision.why}", datetime.now(UTC))
            self._screen.say(decision.details)
            return
        log.info("reload: %s", decision.words)
        self._screen.step("Reload")
        self._screen.done(decision.words)
        for remark in decision.remarks:
            self._screen.say(remark)

    def _answer(self, plan: Plan, answer: Answer) -> None:
        """By the plan from before: a data directory can't change."""
        try:
            leave(plan.config.data_dir, answer)
        except OSError as error:
            log.warning("the outcome of the reload could not be written down: %s", error)
