"""Commands from this machine: the same inbox, over the local socket."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
from pydantic import Field, ValidationError

from agent.dispatch.admission import arguments
from agent.documents.base import Free
from agent.documents.command import Command, Id, Op
from agent.errors import MessageInvalid, StoreBusy
from agent.processes.message import Message
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.clerk import Clerk
    from agent.clock import Clock
    from agent.dispatch.inbox import Inbox
    from agent.slots import CommandRow


class Asked(Message):
    """A request to do a command."""

    op: Literal["command"] = "command"
    command: Op
    args: Annotated[dict[str, Free], Field(max_length=32)] = Field(default_factory=dict)


class Looked(Message):
    """A request for what became of one."""

    op: Literal["outcome"] = "outcome"
    id: Id


class Local:
    """Answers on the local socket.

    Args:
        fleet: ours.
        device: ours.
        inbox: where commands are kept.
        clerk: has that written.
        outcome: gives the outcome of a settled row once it is durable, else None.
        held: why a command that was taken is not begun yet, "" where nothing holds it.
        clock: where time comes from.

    Attributes:
        shut: why nothing is taken, "" while it is.
    """

    def __init__(
        self,
        fleet: str,
        device: str,
        *,
        inbox: Inbox,
        clerk: Clerk,
        outcome: Callable[[CommandRow], bytes | None],
        held: Callable[[CommandRow], str],
        clock: Clock,
    ) -> None:
        self._fleet, self._device = fleet, device
        self._inbox, self._clerk, self._outcome, self._clock = inbox, clerk, outcome, clock
        self._held = held
        self.shut = ""

    def command(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ``{"op": "command", "command": ..., "args": {...}}``: its id, to ask for its outcome by.

        Raises:
            MessageInvalid: there is no such command, or its arguments are wrong.
            StoreBusy: none is taken now.
        """
        asked = _read(Asked, request)
        now_s = max(0, self._clock.wall_ns() // 10**9)
        command = Command(
            fleet=self._fleet,
            audience=f"d/{self._device}",
            id=f"local-{secrets.token_hex(8)}",
            counter=1,
            issued=now_s,
            expires=now_s + 1,
            op=asked.command,
            args=asked.args,
        )
        arguments(command)
        if self.shut or self._inbox.full or self._clerk.busy:
            problem = self.shut or "so many commands wait already, or the disk refuses them"
            raise StoreBusy("take command", asked.command, problem, "Try again later")
        self._clerk.keep(self._inbox.take(command, "", self._clock.wall_ns()))
        return {"id": command.id}

    def outcome(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ``{"op": "outcome", "id": ...}``: where it stands, and its outcome once it is settled.

        ``waits`` says what holds one that is not begun, "" where nothing does.

        Raises:
            MessageInvalid: no such command is known.
        """
        asked = _read(Looked, request)
        if (row := self._inbox.get(asked.id)) is None:
            raise MessageInvalid("look for outcome of", asked.id, "no such command is known, or no more")
        body = self._outcome(row)
        state = "settled" if body else "running" if row.outcome else row.state
        outcome = orjson.loads(body) if body else None
        return {"id": row.id, "state": state, "waits": self._held(row), "outcome": outcome}


def _read(kind: type[Any], request: dict[str, Any]) -> Any:
    try:
        return kind.model_validate(request)
    except ValidationError as error:
        raise MessageInvalid("answer", repr(request.get("op"))[:40], first_problem(error)) from error
