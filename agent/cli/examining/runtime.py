"""Asks which TFLite runtime models would run on here, in a process of its own: this one may not load any."""

from __future__ import annotations

import json
import subprocess
import sys

from agent.errors import ExtraMissing
from agent.processes.child import ending

_ASK = (sys.executable, "-I", "-m", "agent.backends._runtimes")
_PATIENCE_S = 60.0
"""A board with a slow card takes seconds to import numpy."""


def runtime_in_use() -> tuple[str, str]:
    """Give the name and version of the runtime that ``auto`` is here, and why it is that one.

    Raises:
        ExtraMissing: none is installed or works, or the process that tries it dies.
    """
    try:
        done = subprocess.run(_ASK, capture_output=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired as error:
        problem = f"trying it takes longer than {_PATIENCE_S:.0f} s"
        raise ExtraMissing("load", "TFLite runtime", problem, "Try again when the machine is idle") from error
    if done.returncode != 0:
        problem = f"the process that tries it dies: {ending(done.returncode)}"
        hint = "Set runtime of the backend to the other one: see docs/operations.md"
        raise ExtraMissing("load", "TFLite runtime", problem, hint)
    found = json.loads(done.stdout)
    if "problem" in found:
        raise ExtraMissing("load", "TFLite runtime", found["problem"], found["hint"])
    return found["runtime"], found["why"]
