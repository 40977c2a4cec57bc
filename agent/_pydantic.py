"""Keeps pydantic from looking for plugins in every distribution that is installed.

It does so at its first model, and loads importlib.metadata for it, with email and csv: more than a megabyte
in each process, for what nobody wants here. It is the import of that module that costs, so its own switch,
PYDANTIC_DISABLE_PLUGINS, saves the look alone. Where a release of pydantic has another layout this does
nothing, and the tests of what processes load say so.
"""

from __future__ import annotations

import sys
from types import ModuleType

_LOADER = "pydantic.plugin._loader"


def without_plugins() -> None:
    """Give pydantic an empty list of plugins, unless it has made one already."""
    if _LOADER not in sys.modules:
        loader = ModuleType(_LOADER, "Loads no plugins: see agent._pydantic.")
        loader.__dict__["get_plugins"] = tuple
        sys.modules[_LOADER] = loader
