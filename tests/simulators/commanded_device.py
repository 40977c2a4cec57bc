"""A device that hears commands, and answers them as a test wants; nothing of the agent's own inbox."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.documents import command as commands
from agent.documents import outcome as outcomes
from agent.documents import part
from agent.documents.outcome import Attached, Outcome
from agent.link import topics
from agent.link.mqtt import Link
from agent.link.settings import LinkMessage, LinkUp
from agent.trust.signing import Signer
from tests.simulators.ear import Ear
from tests.simulators.links import IMPATIENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from agent.documents.command import Command

    Answers = Callable[["CommandedDevice", Command], None]

FLEET = "demo"


def done(device: CommandedDevice, command: Command) -> None:
    """Say that it was done."""
    device.answer(command, "done", result={"device": device.name, **command.args})


def silent(device: CommandedDevice, command: Command) -> None:
    """Say nothing."""


class CommandedDevice:
    """Hears the commands of its own topic, its groups' and all devices'.

    Attributes:
        heard: each payload, as it came, with its topic.
        answers: what it does about a command.
    """

    def __init__(
        self, port: int, name: str, keys: Path | None, *, groups: Sequence[str] = (), answers: Answers = done
    ) -> None:
        self.name = name
        self.heard: list[tuple[str, bytes]] = []
        self.answers = answers
        self.ear = Ear()
        self.signer = Signer.from_pem((keys / f"devices/{name}.key").read_bytes()) if keys else None
        self._audiences = {f"d/{name}", *(f"g/{one}" for one in groups), "all"}
        listen = [topics.down_cmd(FLEET, name), *(topics.group_cmd(FLEET, one) for one in groups)]
        self.link = Link(
            replace(IMPATIENT, port=port, client_id=f"{FLEET}-{name}"),
            post=self._post,
            subscriptions=[(topic, 1) for topic in (*listen, topics.all_cmd(FLEET))],
        )

    def answer(self, command: Command, state: Any, signer: Signer | None = None, **more: Any) -> None:
        """Publish an outcome, signed with the device's key or another."""
        said = {"fleet": FLEET, "device": self.name, "id": command.id, "op": command.op, "state": state}
        found = Outcome(**{**said, "at": 1, **more})
        payload = outcomes.encode(found, signer or self.signer)
        self.link.publish(topics.up_res(FLEET, self.name), payload)

    def _post(self, event: object) -> None:
        if isinstance(event, LinkMessage):
            self.heard.append((event.topic, event.payload))
            command, _ = commands.decode(event.payload, None, fleet=FLEET, audiences=self._audiences)
            self.answers(self, command)
        self.ear.post(event)


@contextmanager
def commanded(
    port: int, keys: Path, *names: str, groups: Sequence[str] = (), answers: Answers = done
) -> Iterator[list[CommandedDevice]]:
    """Connect devices of the fleet "demo"."""
    with ExitStack() as stack:
        devices = [CommandedDevice(port, name, keys, groups=groups, answers=answers) for name in names]
        for device in devices:
            device.link.start()
            stack.callback(device.link.close, 1)
        for device in devices:
            device.ear.wait(LinkUp)
        yield devices


def with_file(name: str, content: bytes) -> Answers:
    """Give what says that it was done, and sends a file beside that."""

    def answers(device: CommandedDevice, command: Command) -> None:
        sha256, of = hashlib.sha256(content).hexdigest(), part.parts_of(len(content))
        told = {"name": name, "bytes": len(content), "sha256": sha256, "parts": of}
        device.answer(command, "done", files=(Attached.model_validate(told),))
        for n in range(of):
            header = part.Header(
                fleet=FLEET, device=device.name, command=command.id, file=name, n=n, of=of, sha256=sha256
            )
            body = content[n * part.PART_BYTES : (n + 1) * part.PART_BYTES]
            payload = part.encode(header, body, device.signer)
            device.link.publish(topics.up_diag(FLEET, device.name), payload)

    return answers
