"""Deciding on a reload: the file is read again, and is taken over whole, or not at all.

Whole, since a config of which only some settings are in force stands in no file, and nobody could say later what runs. So one that also
changes what can't change is refused, as one with mistakes is; the rest of it comes with the restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from changecast.up.difference import Difference, difference
from changecast.up.plan import Plan, Sandbox, SandboxMissing, plan_again
from changecast.up.restart import EXIT_CONFIG
from schemas.config import ConfigError

_RESTART = "Nothing is taken over. Stop changecast and start it again: the rest of the config comes with that."


@dataclass(frozen=True)
class Refused:
    """The old config goes on. `why` in a line; `details`: what to do, or the mistakes with their places. `code`: the exit code for it."""

    why: str
    details: str
    code: int = 1


@dataclass(frozen=True)
class TakenOver:
    """`plan` is in force from here on. `parts` are to start anew, in the order of the stream; there may be none."""

    plan: Plan
    parts: tuple[str, ...]
    words: str
    remarks: tuple[str, ...] = ()
    code: ClassVar[int] = 0


def decide(plan: Plan, sandbox: Sandbox | None) -> Refused | TakenOver:
    """What is to become of the config as it stands now, for what runs by `plan`, beside the `sandbox` that runs."""
    try:
        new = plan_again(plan, sandbox)
    except ConfigError as error:
        return Refused(f"{plan.path} has mistakes, and the config from before goes on", f"\n{error}\n", EXIT_CONFIG)
    except SandboxMissing:
        return Refused("the config needs the built-in sandbox now, which does not run", _RESTART)
    if new.watches_sandbox != plan.watches_sandbox:
        why = "no provider is configured any more" if new.watches_sandbox else "providers are configured now"
        return Refused(f"{why}, and what the sandbox makes up is kept apart from what is real", _RESTART)
    found = difference(plan.config, new.config)
    if found.fixed:
        return Refused(refusal(found), _RESTART)
    remarks = tuple(remark for remark in new.remarks if remark not in plan.remarks)
    return TakenOver(new, found.parts, found.words or "nothing has changed", remarks)


def told(decision: Refused | TakenOver) -> str:
    """The decision as the command that asked for it prints it."""
    if isinstance(decision, Refused):
        return f"Not taken over: {decision.why}.\n{decision.details}"
    if not decision.parts:
        return "\n".join(("Nothing has changed.", *decision.remarks))
    return "\n".join((f"Taken over: {decision.words}.", *decision.remarks, f"Starting anew: {', '.join(decision.parts)}."))


def refusal(found: Difference) -> str:
    """Why a config with this difference can't be taken over."""
    return f"{', '.join(found.fixed)} can't change while changecast runs"
