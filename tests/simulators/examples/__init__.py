"""Sources to run the contract on, and what each is opened with: the ``EXAMPLES`` of all modules here."""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from tests.simulators.examples.example import FRAMES, Example, Plug

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODULES = [
    importlib.import_module(f"{__name__}.{module.name}")
    for module in pkgutil.iter_modules(__path__)
    if module.name != "example"
]
EXAMPLES: dict[str, Example] = {
    name: example for module in _MODULES for name, example in module.EXAMPLES.items()
}


@contextmanager
def alongside() -> Iterator[None]:
    """Run what the examples of a module share: its context manager ``alongside``, where it has one."""
    with ExitStack() as stack:
        for module in _MODULES:
            stack.enter_context(getattr(module, "alongside", nullcontext)())
        yield


__all__ = ["EXAMPLES", "FRAMES", "Example", "Plug", "alongside"]
