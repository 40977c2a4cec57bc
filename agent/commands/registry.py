"""The commands that there are: a closed list, and what each module gives.

A module of this room is called after its command, "_" for "-". It has ``SUMMARY``, a line for people;
``Args``, a ``Document`` of what it takes; and ``run(args, order, reach)``, which does it, or begins it. It
may have ``resume(args, order, reach)``: what to do about one that the agent's end may have cut off, whether
it had done anything or not; without that it is run anew. It may have ``QUICK = True``: its ``run`` gives an
``Answer`` at once, so that it need not wait for one that takes long; and ``DEADLINE_S``: how long its work
may take, 900 seconds else. One whose ``Args`` have ``window: bool`` is not begun while that is true and the
device's maintenance window is not open.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.errors import MessageInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.commands.seams import Answer, Order, Reach, Work
    from agent.documents.base import Document

    Run = Callable[[Any, Order, Reach], Answer | Work]

OPS: tuple[str, ...] = (
    "ping",
    "status",
    "restart",
    "rollback",
    "probe",
    "bench",
    "prove",
    "snapshot",
    "credentials",
    "logs",
    "log-level",
    "purge",
    "diagnostics",
    "override",
    "reload",
    "reboot",
    "update",
)
"""All commands, as an operator writes them."""


@dataclass(frozen=True, slots=True)
class Verb:
    """A command, as its module describes it."""

    op: str
    summary: str
    args: type[Document]
    run: Run
    resume: Run
    quick: bool = False
    deadline_s: float = 900.0


def find(op: str) -> Verb:
    """Give a command by its name.

    Raises:
        MessageInvalid: there is none of that name.
    """
    if op not in OPS:
        raise MessageInvalid(
            "find command", repr(op), "there is none of this name", f"There are: {', '.join(OPS)}"
        )
    module = importlib.import_module(f"agent.commands.{op.replace('-', '_')}")
    return Verb(
        op,
        module.SUMMARY,
        module.Args,
        module.run,
        getattr(module, "resume", module.run),
        quick=getattr(module, "QUICK", False),
        deadline_s=getattr(module, "DEADLINE_S", 900.0),
    )
