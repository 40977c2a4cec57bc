"""An operator who commands a real agent over a real broker, and hears what becomes of it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Self

from agent.documents import outcome as documents
from agent.link import topics
from agent.link.mqtt import Link
from agent.link.settings import LinkMessage, LinkSettings, LinkUp, Message
from agent.trust.signing import Verifier
from tests.simulators.commander import Key, order, signed
from tests.simulators.ear import Ear
from tests.simulators.operator import DEVICE, FLEET, Operator
from tests.simulators.retained import send

if TYPE_CHECKING:
    from pathlib import Path

    from agent.documents.command import Command
    from agent.documents.outcome import Outcome

GROUP = "gates"


class Commanding:
    """Has control keys of three scopes; a context manager.

    Args:
        folder: where the device's keys and root are written.
        port: the broker's.

    Attributes:
        operator: has the repository, which is published already.
        all, pings: control keys: for all commands, and for ping alone.
        outcomes: all that were heard, in order; each is signed by the device.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.all, self.pings = Key("command"), Key("command.ping")
        self.operator = Operator(folder, port, self.all, self.pings)
        self.operator.publish()
        self._device = Verifier.from_pem((folder / "device.pub").read_bytes())
        self._settings = LinkSettings("127.0.0.1", port, "commander", protocol="3.1.1")
        self._ear = Ear()
        settings = LinkSettings("127.0.0.1", port, "outcomes-ear")
        self._link = Link(settings, post=self._ear.post, subscriptions=((topics.up_res(FLEET, DEVICE), 1),))
        self.outcomes: list[Outcome] = []

    def __enter__(self) -> Self:
        self._link.start()
        self._ear.wait(LinkUp)
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()

    def tables(self, **commands: object) -> str:
        """The device's configuration, as far as it is the operator's."""
        more = "".join(f"{key} = {json.dumps(value)}\n" for key, value in commands.items())
        tables = self.operator.tables().replace("[mqtt]", f'groups = ["{GROUP}"]\n[mqtt]')
        return f"{tables}[commands]\n{more}"

    def say(self, *payloads: bytes, topic: str = "") -> None:
        """Send messages as they are, to the device or on another topic of commands."""
        topic = topic or topics.down_cmd(FLEET, DEVICE)
        send(self._settings, [Message(topic, payload) for payload in payloads])

    def command(self, op: str, **changes: Any) -> Command:
        """Sign and send a command to the device; give it."""
        command = order(op, **changes)
        self.say(signed(command, self.all))
        return command

    def hear(self, identity: str, timeout_s: float = 60.0, *, last: bool = True) -> Outcome:
        """Wait for the next outcome of a command; for its last word, unless told otherwise."""
        give_up = time.monotonic() + timeout_s
        while (left := give_up - time.monotonic()) > 0:
            message = self._ear.wait(LinkMessage, left)
            found = documents.decode(message.payload, self._device, fleet=FLEET, device=DEVICE)
            self.outcomes.append(found)
            if found.id == identity and (found.last or not last):
                return found
        raise AssertionError(f"no outcome of {identity}; heard: {self.outcomes}")

    def heard(self, identity: str) -> list[Outcome]:
        """Give the outcomes of a command that were heard so far."""
        return [one for one in self.outcomes if one.id == identity]

    def until_obeyed(self) -> None:
        """Wait until the device knows the keys: it tries what is signed, and cannot do it."""
        for _ in range(100):
            command = self.command("restart", args={"pipeline": "nowhere"})
            try:
                assert self.hear(command.id, 0.3).state == "failed"
            except AssertionError:
                continue
            return
        raise AssertionError("the device never knew the control keys")
