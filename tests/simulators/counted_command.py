"""A command that counts what it has done, for an agent that is killed meanwhile: ``count``.

``python -c "from tests.simulators.counted_command import main; main()" run ...`` is an agent that has it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from agent.commands import registry
from agent.commands.seams import Answer
from agent.documents.base import Document

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach

VARIABLE = "EDGE_AGENT_TESTS_COUNTED"
"""Names the file that has a line for each time that a command was done."""


class Args(Document):
    """Nothing."""


def _run(args: Args, order: Order, reach: Reach) -> Answer:
    del args, reach
    file = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.pwrite(file, f"{order.id}\n".encode(), os.fstat(file).st_size)
    os.close(file)
    return Answer({"counted": order.id})


def _resume(args: Args, order: Order, reach: Reach) -> Answer:
    """Count only what is not counted."""
    path = Path(os.environ[VARIABLE])
    if path.exists() and order.id in path.read_text().split():
        return Answer({"counted": order.id})
    return _run(args, order, reach)


def main() -> None:
    """Run the agent."""
    module = ModuleType("agent.commands.count")
    vars(module).update(SUMMARY="count", Args=Args, run=_run, resume=_resume, QUICK=True)
    sys.modules[module.__name__] = module
    registry.OPS = (*registry.OPS, "count")
    from agent.cli.main import main as agent

    agent()
