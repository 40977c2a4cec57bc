"""Which TFLite runtime runs the models: the best that is installed and works, or the one that was asked for.

``python -m agent.backends._runtimes`` answers as one JSON object, for programs that may not load a runtime.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.backends import _runtime_errors
from agent.backends._quiet import ABSOLUTE, quiet
from agent.backends._runtime_errors import LITERT, TFLITE_RUNTIME
from agent.errors import ExtraMissing

if TYPE_CHECKING:
    from types import ModuleType

AUTO = "auto"
RUNTIMES = {LITERT: "ai_edge_litert", TFLITE_RUNTIME: "tflite_runtime"}
"""Distributions that have the interpreter, best first, and their packages."""

# A library is missing or too old, a build for another numpy or Python, or a folder that only has the name.
_BROKEN = (ImportError, OSError, SystemError, RuntimeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime that works here.

    Attributes:
        name: of the distribution.
        version: of the distribution.
        module: with ``Interpreter`` and ``OpResolverType``.
        why: why it is this one, in a few words.
    """

    name: str
    version: str
    module: ModuleType
    why: str

    def __str__(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"


def choose(wanted: str = AUTO) -> Runtime:
    """Give the runtime that was asked for, or the best that is installed and works.

    Raises:
        ExtraMissing: it is not installed or does not work here, or none does. The hint has the command that
            mends it.
    """
    there = [name for name, package in RUNTIMES.items() if importlib.util.find_spec(package)]
    refused: list[_runtime_errors.Refusal] = []
    for name in there if wanted == AUTO else [wanted]:
        if name not in there:
            continue
        try:
            module = _load(RUNTIMES[name])
        except _BROKEN as error:
            refused.append(_runtime_errors.broken(name, _version(name), error))
        else:
            return Runtime(name, _version(name), module, _why(name, there, refused, wanted))
    if not refused:
        refused.append(_runtime_errors.missing(wanted))
    problem = "; ".join(one.problem for one in refused)
    # Where all that are installed are broken, none of them is a way out.
    hint = _runtime_errors.way_out(refused[0], there if wanted != AUTO else ())
    raise ExtraMissing("load", "TFLite runtime", problem, hint)


@functools.cache
def _load(package: str) -> ModuleType:
    """Import a runtime and have it load a model: an import alone proves nothing."""
    with quiet():
        module = importlib.import_module(f"{package}.interpreter")
        module.Interpreter(model_content=ABSOLUTE, num_threads=1).allocate_tensors()
    return module


def _version(name: str) -> str:
    """Give a distribution's version; where pip has put it, the name of a folder says it."""
    package = importlib.util.find_spec(RUNTIMES[name])
    for place in (package.submodule_search_locations or ()) if package else ():
        for found in Path(place).parent.glob(f"{name.replace('-', '_')}-*.dist-info"):
            return found.stem.rpartition("-")[2]
    from importlib import metadata  # 3 MB, with email and zipfile

    return next((found.version for found in metadata.distributions(name=name)), "of unknown version")


def _why(name: str, there: list[str], refused: list[_runtime_errors.Refusal], wanted: str) -> str:
    if wanted != AUTO:
        return "asked for"
    if refused:
        return "; ".join(one.problem for one in refused)
    others = [f"{other} {_version(other)}" for other in there if other != name]
    return f"preferred to {', '.join(others)}" if others else "the only one installed"


def main() -> None:
    """Print what ``auto`` is here, or why it is none."""
    try:
        runtime = choose()
    except ExtraMissing as error:
        print(json.dumps({"problem": error.problem, "hint": error.hint}))
    else:
        print(json.dumps({"runtime": str(runtime), "why": runtime.why}))


if __name__ == "__main__":
    main()
