"""Whether the turn of a command that waits has come. Pure."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from agent.dispatch.inbox import MOST_WAITING
from agent.documents.base import read
from agent.documents.command import Command
from agent.errors import MessageInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.dispatch.rules import Rules
    from agent.documents.outcome import Refusal
    from agent.slots import CommandRow

_WINDOW = "window"
"""The argument with which a command waits for the maintenance window."""


class Turns:
    """Judges commands that were taken, and are not begun.

    Args:
        rules: what holds for commands.
        waits: why what disturbs has to wait now, "" when it has not to.
    """

    def __init__(self, rules: Rules, waits: Callable[[], str]) -> None:
        self._rules, self._waits = rules, waits

    def held(self, row: CommandRow) -> str:
        """Say why a command is not begun yet, "" where nothing holds it; what was begun waits no more."""
        if row.outcome or row.boot or not (why := self._waits()):
            return ""
        return why if _in_window(row) else ""

    def stale(self, row: CommandRow) -> tuple[Refusal, str] | None:
        """Say why a command is not begun any more; what was begun is brought to its end."""
        if not row.key or row.boot:
            return None
        if self._rules.revoked(row.key, row.op):
            return "scope", "its key lost the right to sign it before its turn came"
        command = _command(row.body)
        if command is None or command.expires > self._rules.terms({}).now_s:
            return None
        why = self.held(row)
        return "expired", f"its time was over before its turn came{why and f': {why}'}"


def _in_window(row: CommandRow) -> bool:
    command = _command(row.body)
    return command is not None and command.args.get(_WINDOW) is True


@functools.lru_cache(MOST_WAITING)  # one may wait for a day, and is looked at in each turn of the loop
def _command(body: bytes) -> Command | None:
    """Read it; None for one of another release: whoever runs it says so."""
    try:
        return read(Command, body, "command")
    except MessageInvalid:
        return None
