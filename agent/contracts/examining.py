"""Has a plugin checked in processes of its own; what ends one, or hangs in it, is a check that failed."""

from __future__ import annotations

import select
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.contracts.orders import MODULE, Fault, Orders, Told, packets
from agent.contracts.rooms import checks_of
from agent.errors import MessageInvalid
from agent.processes.child import Child, ending
from agent.processes.message import read

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a check.

    Attributes:
        says: what must hold.
        problem: what is wrong, or "".
    """

    check: str
    says: str
    problem: str


def examine(orders: Orders, timeout_s: float) -> Iterator[Finding]:
    """Give what becomes of each check, as it is known; the first that fails ends it where nothing loads.

    Args:
        orders: which plugin.
        timeout_s: how long one check may take.
    """
    checks = checks_of(orders.room)
    at = orders.start
    while at < len(checks):
        for problem in _run(orders.model_copy(update={"start": at}), timeout_s):
            yield Finding(checks[at].name, checks[at].says, problem)
            at += 1
            if problem and at == 1:
                return


def _run(orders: Orders, timeout_s: float) -> Iterator[str]:
    """Give the problem of each check that one process gets through, and of the one that it ends in."""
    left = len(checks_of(orders.room)) - orders.start
    child = Child(MODULE, orders.model_dump_json().encode())
    over = False
    try:
        poll = select.poll()
        poll.register(child.channel.fileno(), select.POLLIN)
        while left:
            said = _next(child, poll, timeout_s)
            if isinstance(said, Told):
                yield said.problem
                left -= 1
                continue
            over = said is None
            if isinstance(said, Fault):
                yield said.problem
            else:
                yield f"it did not end in {timeout_s:g} s" if said else _died(child)
            return
        over = True
    finally:
        child.see_off(patient=over)


def _next(child: Child, poll: select.poll, timeout_s: float) -> Told | Fault | str | None:
    """Give what it says next; a text when it says nothing, or nonsense; None when it is gone."""
    if not poll.poll(timeout_s * 1000):
        return "silent"
    packet = child.channel.receive()
    if not packet:
        return None
    try:
        return read(packets, packet, "checks")
    except MessageInvalid as error:
        return Fault(error="MessageInvalid", op=error.op, subject=error.subject, problem=error.problem)


def _died(child: Child) -> str:
    """Say how the process ended that was in the middle of a check."""
    select.select([child.pidfd], [], [], 3.0)
    code = child.exit_code()
    return f"its process was {ending(code)}" if code is not None and code < 0 else "its process ended"
