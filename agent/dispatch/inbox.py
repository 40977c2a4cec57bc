"""The inbox: the commands that were taken, and what must be durable before anything follows. Pure.

Each method gives the change that has a row written; what comes next may be done when the store says that it
is. A row in memory stands as it was asked to be written: changes are written in order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.dispatch.admission import floor_name
from agent.dispatch.life import MOST_CRASHES, TABLE, Stand, Turn
from agent.fsm import Machine
from agent.slots import Change, CommandRow, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.documents.command import Command
    from agent.slots import Kept

MOST_WAITING, MOST_OF_KEY = 64, 32
"""Commands that may wait, and those of one key; more are refused."""
_MOST_SETTLED, _MOST_BYTES = 512, 4 << 20
"""Settled ones that are remembered, and how many bytes their outcomes may have."""


class Inbox:
    """All commands that are known.

    Args:
        kept: what the store held at the start.
        boot: the kernel's boot id.

    Attributes:
        floors: the highest counter that was taken, by key and audience.
    """

    def __init__(self, kept: Kept, boot: str) -> None:
        self._boot = boot
        self._rows = {row.id: row for row in sorted(kept.commands, key=lambda one: one.seq)}
        self._last = max((row.seq for row in self._rows.values()), default=0)
        self.floors = {name: n for name, n in kept.floors.items() if name.startswith("command/")}

    def get(self, identity: str) -> CommandRow | None:
        """Give a command's row; None where it is not known, or no more."""
        return self._rows.get(identity)

    def standing(self, stand: Stand) -> list[CommandRow]:
        """Give the rows that stand there, in the order in which they were taken."""
        return [row for row in self._rows.values() if row.state == stand.value]

    def untold(self) -> Iterator[CommandRow]:
        """Give the settled rows whose outcome the broker has not."""
        return (row for row in self._rows.values() if row.outcome and not row.told)

    @property
    def full(self) -> bool:
        """Whether so many wait that no more is taken."""
        return len(self.standing(Stand.WAITING)) >= MOST_WAITING

    def crowded(self, key: str) -> bool:
        """Whether so many of one key wait that no more of it is taken."""
        return sum(row.key == key for row in self.standing(Stand.WAITING)) >= MOST_OF_KEY

    def died(self) -> tuple[list[CommandRow], Change | None]:
        """The agent starts: what ran when it died has crashed.

        Returns:
            Those that are not begun again, to be settled; and the change that has the others wait.
        """
        crashed = self.standing(Stand.RUNNING)
        given_up = [row for row in crashed if row.attempts >= MOST_CRASHES]
        again = [self._move(row, Turn.DIE) for row in crashed if row not in given_up]
        return given_up, Change(commands=tuple(again)) if again else None

    def take(self, command: Command, key: str, received_ns: int) -> Change:
        """Keep a command, and raise the floor of its counter; ``key`` is "" for a local one."""
        self._last += 1
        body = command.model_dump_json().encode()
        row = CommandRow(
            command.id, self._last, key, command.op, body, Stand.WAITING.value, received_ns=received_ns
        )
        self._rows[row.id] = row
        floors = {floor_name(key, command.audience): command.counter} if key else {}
        self.floors |= floors
        note = Note("command.taken", command.op, {"id": row.id, "key": key or "local"})
        return Change(floors=floors, commands=(row,), notes=(note,))

    def begin(self, row: CommandRow) -> Change:
        """Have it written that a command is begun."""
        row = self._move(row, Turn.BEGIN, attempts=row.attempts + 1, boot=self._boot)
        return Change(commands=(row,))

    def leave(self, row: CommandRow, boot: str) -> Change:
        """The agent ends in good order: it goes on at the next start, and that was no crash.

        Args:
            row: the command.
            boot: the kernel's boot id when it was begun last, "" where it was not.
        """
        return Change(commands=(self._move(row, Turn.LEAVE, attempts=row.attempts - 1, boot=boot),))

    def settle(self, row: CommandRow, turn: Turn, outcome: bytes, note: Note) -> Change:
        """Keep what became of it; of a local one nobody else need know."""
        row = self._move(row, turn, outcome=outcome, told=not row.key)
        self._forget()
        return Change(commands=(row,), notes=(note,))

    def told(self, row: CommandRow) -> Change:
        """The broker has its outcome."""
        self._rows[row.id] = row = replace(row, told=True)
        return Change(commands=(row,))

    def _move(self, row: CommandRow, turn: Turn, **changes: str | int | bytes) -> CommandRow:
        machine = Machine(TABLE, Stand(row.state))
        self._rows[row.id] = row = replace(row, state=machine.fire(turn).value, **changes)  # type: ignore[arg-type]
        return row

    def _forget(self) -> None:
        """Let go of the oldest that are settled and told, in memory; the store has a bound of its own."""
        self._cut([row for row in self.standing(Stand.SETTLED) if row.told])

    def unheard(self) -> list[CommandRow]:
        """Let go of the oldest whose outcome no broker takes, where those are too many; give them."""
        return self._cut(list(self.untold()))

    def _cut(self, settled: list[CommandRow]) -> list[CommandRow]:
        size = sum(len(row.outcome) for row in settled)
        gone: list[CommandRow] = []
        while len(settled) - len(gone) > _MOST_SETTLED or size > _MOST_BYTES:
            gone.append(settled[len(gone)])
            size -= len(gone[-1].outcome)
            del self._rows[gone[-1].id]
        return gone
