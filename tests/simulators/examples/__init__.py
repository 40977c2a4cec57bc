"""Sources to run the contract on: what each is opened with, and gives. Each module here holds the EXAMPLES of some."""

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
