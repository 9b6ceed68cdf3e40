from __future__ import annotations

from hypothesis import settings

# what a property test proves does not depend on how busy the machine is
settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")
