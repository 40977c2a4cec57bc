"""Sources to run the contract on, and what each is opened with: the ``EXAMPLES`` of all modules here."""

from __future__ import annotations

import importlib
import pkgutil

from tests.simulators.examples.example import FRAMES, Example

EXAMPLES: dict[str, Example] = {
    name: example
    for module in pkgutil.iter_modules(__path__)
    if module.name != "example"
    for name, example in importlib.import_module(f"{__name__}.{module.name}").EXAMPLES.items()
}

__all__ = ["EXAMPLES", "FRAMES", "Example"]
