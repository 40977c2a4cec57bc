"""A device's dispatch of commands with a disk, a broker and an operator that a test holds in its hands.

What the store was asked to write is durable only when the test says so; a crash takes the rest. The broker
sends again what was not confirmed to it. The commands are four that note what is done for them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from agent.commands import registry
from agent.commands.registry import Verb
from agent.commands.seams import Answer, Reach
from agent.config.tables import Commands
from agent.dispatch.manager import Dispatch
from agent.dispatch.rules import Rules
from agent.documents import command as commands
from agent.documents import outcome as outcomes
from agent.documents.base import Document
from agent.documents.keys import decode as read_keys
from agent.errors import StoreBusy
from agent.link import topics
from agent.link.settings import LinkDown, LinkMessage, LinkPublished, LinkUp
from agent.slots import Change, Kept
from agent.store.reports import Changed
from agent.supervision.partners import Offer
from tests.simulators.clocks import ManualClock
from tests.simulators.commander import Key, keys_document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.commands.seams import Order
    from agent.documents.outcome import Outcome
    from agent.processes.watch import Watched

FLEET, DEVICE = "default", "device"
CONTROL, OTHER = Key("command"), Key("command")


class NoArgs(Document):
    """Nothing."""


class Careful(Document):
    """Whether it waits for the maintenance window."""

    window: bool = False


@dataclass
class Doing:
    """What commands have done on this device: (id, "run" or "resume"); and the work that is under way."""

    done: list[tuple[str, str]] = field(default_factory=list)
    finished: bool = False


class LongWork:
    """Goes on until the test lets it end."""

    def __init__(self, doing: Doing) -> None:
        self._doing = doing

    def tick(self, now: float) -> Answer | None:
        del now
        if self._doing.finished:
            self._doing.finished = False
            return Answer({"long": True})
        return None

    def watched(self) -> Iterable[Watched]:
        return ()

    def stop(self) -> None:
        """Nothing is left behind."""


@dataclass
class Disk:
    """A store whose writes the test makes durable; ``room`` is how many it takes before that."""

    kept: Kept = field(default_factory=Kept)
    asked: deque[tuple[Change, int]] = field(default_factory=deque)
    room: int = 256

    def change(self, change: Change, token: int) -> None:
        if len(self.asked) >= self.room:
            raise StoreBusy("change", "folder", "the disk refuses")
        self.asked.append((change, token))

    def write(self) -> Changed:
        """Make the oldest durable."""
        change, token = self.asked.popleft()
        rows = {row.id: row for row in self.kept.commands} | {row.id: row for row in change.commands}
        floors = {**self.kept.floors}
        for name, n in change.floors.items():
            floors[name] = max(n, floors.get(name, 0))
        self.kept = replace(self.kept, commands=tuple(rows.values()), floors=floors)
        return Changed(token, (0, ""))


class AtAll:
    """Metadata that never expires."""

    floor_s = 0

    def expired(self, wall_s: int) -> bool:
        del wall_s
        return False


class Authority:
    """Two keys that may sign all commands."""

    keys = read_keys(keys_document(CONTROL, OTHER))
    freshness = AtAll()


class World:
    """All of it. Call ``close`` when done: the list of commands is the agent's own again."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.disk, self.doing = Disk(), Doing()
        self.unconfirmed: dict[str, bytes] = {}
        self.outcomes: list[Outcome] = []
        self.confirmed_early: list[str] = []
        self._tokens = self._connection = 0
        self._flying: list[int] = []
        self.most = 1 << 20
        """Bytes of the largest message that the broker takes."""
        self.window = ""
        """Why what disturbs has to wait for the maintenance window."""
        self._real = registry.find, registry.OPS
        verbs = {
            "quick": Verb("quick", "", NoArgs, self._run, self._resume, quick=True),
            "long": Verb("long", "", NoArgs, self._begin, self._resume_long),
            "careful": Verb("careful", "", Careful, self._begin, self._resume_long),
            "large": Verb(
                "large", "", NoArgs, lambda *_: Answer({"x": "x" * 9000}), lambda *_: Answer({}), quick=True
            ),
            "ping": registry.find("ping"),
        }
        registry.find, registry.OPS = verbs.__getitem__, tuple(verbs)  # type: ignore[assignment]
        self.up = False
        self._start()

    def close(self) -> None:
        registry.find, registry.OPS = self._real

    def _run(self, args: Any, order: Order, reach: Reach) -> Answer:
        del args, reach
        self.doing.done.append((order.id, "run"))
        return Answer({"did": order.id})

    def _resume(self, args: Any, order: Order, reach: Reach) -> Answer:
        del args, reach
        self.doing.done.append((order.id, "resume"))
        return Answer({"did": order.id})

    def _begin(self, args: Any, order: Order, reach: Reach) -> LongWork:
        self._run(args, order, reach)
        return LongWork(self.doing)

    def _resume_long(self, args: Any, order: Order, reach: Reach) -> LongWork:
        self._resume(args, order, reach)
        return LongWork(self.doing)

    def _start(self) -> None:
        self.disk.asked.clear()
        self.doing.finished = False
        self._flying.clear()
        offer = Offer(
            lanes=(),
            publish=self._publish,
            settle=self._settle,
            online=lambda: self.up,
            status=dict,
            end=lambda _why: None,
        )
        rules = Rules(
            FLEET, DEVICE, groups=("gates",), table=Commands(), authority=Authority(), clock=self.clock
        )
        self.dispatch = Dispatch(
            rules=rules,
            groups=("gates",),
            kept=self.disk.kept,
            store=self.disk,
            clock=self.clock,
            reach=Reach(device=DEVICE, status=dict),
            offer=offer,
            signer=None,
            waits=lambda: self.window,
        )
        self.up = False

    def _publish(self, topic: str, payload: bytes, retain: bool) -> int | None:
        assert (topic, retain) == (topics.up_res(FLEET, DEVICE), False)
        if not self.up or len(payload) > self.most:
            return None
        self.outcomes.append(outcomes.decode(payload, None, fleet=FLEET, device=DEVICE))
        self._tokens += 1
        self._flying.append(self._tokens)
        return self._tokens

    def _settle(self, message: LinkMessage) -> None:
        payload = self.unconfirmed.pop(message.topic + str(message.receipt[1]), None)
        if payload is None or payload in self.unconfirmed.values():  # another copy stands for it
            return
        identity = commands.opened(payload, None)[0].id
        durable = any(row.id == identity for row in self.disk.kept.commands)
        if not durable and not any(one.id == identity and one.refusal for one in self.outcomes):
            self.confirmed_early.append(identity)

    def deliver(self, payload: bytes) -> None:
        """Have the broker keep a message, and send it where the device is there."""
        self._tokens += 1
        topic = topics.down_cmd(FLEET, DEVICE)
        self.unconfirmed[topic + str(self._tokens)] = payload
        if self.up:
            self._hand_over(topic, payload, self._tokens)

    def _hand_over(self, topic: str, payload: bytes, mid: int) -> None:
        self.take(LinkMessage(topic, payload, False, (self._connection, mid)))

    def take(self, event: object) -> None:
        """Have the agent take in an event, and turn once."""
        self.dispatch.take(event, self.clock.now)
        self.dispatch.tick(self.clock.now)

    def connect(self) -> None:
        """The link is up: the broker sends what was not confirmed."""
        if self.up:
            self.disconnect()
        self.up = True
        self._connection += 1
        self.take(LinkUp("5", 1 << 20, 20))
        start = len(topics.down_cmd(FLEET, DEVICE))
        for key, payload in list(self.unconfirmed.items()):
            self._hand_over(key[:start], payload, int(key[start:]))

    def disconnect(self) -> None:
        """The link is lost, with all that was on its way."""
        self.up = False
        self._flying.clear()
        self.take(LinkDown("lost", refused=False))

    def write(self) -> None:
        """The disk has written one change."""
        if self.disk.asked:
            self.take(self.disk.write())

    def puback(self) -> None:
        """The broker has taken over the oldest message on its way."""
        if self._flying:
            self.take(LinkPublished(self._flying.pop(0)))

    def crash(self) -> None:
        """SIGKILL, and a new start."""
        self._start()
        self.dispatch.tick(self.clock.now)

    def restart(self) -> None:
        """A stop in good order, which writes all that was asked for, and a new start."""
        self.dispatch.stop()
        while not self.dispatch.idle or self.disk.asked:
            self.dispatch.tick(self.clock.now)
            if self.disk.asked:
                self.take(self.disk.write())
        self.crash()

    def calm(self) -> None:
        """Let all that is under way come to its end."""
        self.connect()
        for _ in range(300):
            self.doing.finished = True
            self.write()
            self.puback()
            self.dispatch.tick(self.clock.now)

    def last_words(self, identity: str) -> list[Outcome]:
        """Give the final outcomes that were told of a command."""
        return [one for one in self.outcomes if one.id == identity and one.last]
