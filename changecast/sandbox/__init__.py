"""A sandbox that plays the three providers, Slack and a webhook receiver: to watch, and to test against.

    from changecast.sandbox import Sandbox

    async with Sandbox() as sandbox:
        ...  # sandbox.url, sandbox.catalogue.edit(...), sandbox.faults.add(...), sandbox.requests, sandbox.webhooks

Names are imported when they are first used: whoever only wants the credentials waits for no web server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from changecast.sandbox.activity import Activity
    from changecast.sandbox.catalogue import Catalogue
    from changecast.sandbox.credentials import SANDBOX_CREDENTIALS, Credentials, load_environment, sandbox_providers
    from changecast.sandbox.edit import Edit, EditError, Proposal
    from changecast.sandbox.faults import Fault
    from changecast.sandbox.journal import JournalError
    from changecast.sandbox.server import Sandbox
    from changecast.sandbox.settings import Limits, Quirks

__all__ = [
    "SANDBOX_CREDENTIALS",
    "Activity",
    "Catalogue",
    "Credentials",
    "Edit",
    "EditError",
    "Fault",
    "JournalError",
    "Limits",
    "Proposal",
    "Quirks",
    "Sandbox",
    "load_environment",
    "sandbox_providers",
]

_MODULES = {
    "activity": ("Activity",),
    "catalogue": ("Catalogue",),
    "credentials": ("SANDBOX_CREDENTIALS", "Credentials", "load_environment", "sandbox_providers"),
    "edit": ("Edit", "EditError", "Proposal"),
    "faults": ("Fault",),
    "journal": ("JournalError",),
    "server": ("Sandbox",),
    "settings": ("Limits", "Quirks"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
