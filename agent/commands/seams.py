"""What a command is given, what it gives, and what it can reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from agent.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from agent.documents.loglines import Level
    from agent.processes.watch import Watched

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Order:
    """Which command it is that is carried out.

    Attributes:
        id: its id.
        local: whether it came from this machine, not from the fleet's operator.
        attempts: how often it was begun, this time included.
        boot: the kernel's boot id when it was begun before this; "" at first.
    """

    id: str
    local: bool = False
    attempts: int = 1
    boot: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command that was done.

    Attributes:
        result: what there is to tell; JSON, at most 64 KiB.
        files: what comes beside it; each is deleted once it is sent, or a day old.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


class Work(Protocol):
    """A command that goes on when its turn is over. It is looked after until it has an answer."""

    def tick(self, now: float) -> Answer | None:
        """Go on; give the answer, or None while there is none.

        Raises:
            AgentError: it has failed.
        """

    def watched(self) -> Iterable[Watched]:
        """Give its processes, and who hears of them."""

    def stop(self) -> None:
        """The agent ends: leave nothing behind. Idempotent."""


class Restarts(Protocol):
    """Pipelines, as a command may treat them."""

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""

    def restart(self, pipeline: str) -> None:
        """End its worker in good order and start a new one.

        Raises:
            Rejected: there is no such pipeline.
        """


class Rollbacks(Protocol):
    """The operator's models, as a command may treat them."""

    def rollback(self, pipeline: str, order: str = "") -> None:
        """Go back to the model before; ``order`` is the id of the command that asks for it.

        Raises:
            Rejected: there is nothing to go back to, or no such pipeline.
        """

    def rolled_back(self, order: str) -> bool:
        """Whether this command's way back is taken already; as durable as the slots are."""


class Configuration(Protocol):
    """The configuration, as a command may treat it."""

    def reload(self, order: Order) -> Work:
        """Read the file again, and begin anew with it, once an order; what does not hold changes nothing.

        Raises:
            ConfigInvalid: it does not hold.
        """

    def override(self, values: Mapping[str, Any], *, seconds: float, order: Order) -> Work:
        """Lay settings over those of the file, for so long; 0 until the next ones. No values take them away.

        The same order is carried out once, however often it comes.

        Raises:
            ConfigInvalid: a key is unknown or not the operator's to set, or the whole does not hold.
        """


class Logs(Protocol):
    """The log, as a command may treat it."""

    def level(self, level: Level, seconds: float) -> None:
        """Write from this level on, for so long."""

    def recent(self, lines: int, level: Level = "debug") -> list[str]:
        """Give the newest lines of at least this level, the oldest first."""

    def follow(self, seconds: float, level: Level) -> None:
        """Send each line of at least this level upstream, for so long.

        Raises:
            Rejected: there is no broker.
        """


class Pictures(Protocol):
    """Pictures of what pipelines see, after their privacy."""

    def ask(self, pipeline: str) -> Work:
        """Have the next frame drawn; the answer has it as a file.

        Raises:
            Rejected: there is no such pipeline, or its configuration does not allow it.
        """


class Programs(Protocol):
    """The agent's own programs, run apart."""

    def run(self, *arguments: str, seconds: float, file: str = "") -> Work:
        """Run ``edge-agent ARGUMENTS --json``, for so long at most; the answer is what it says.

        With ``file`` it writes one at ``--out``, which comes beside the answer under that name.

        Raises:
            AgentError: it cannot be started.
        """


class Data(Protocol):
    """What the device keeps, as a command may treat it."""

    def purge(self, what: Iterable[str]) -> Work:
        """Delete results, metrics, alerts, media, or bundles that nobody needs; the answer says what went."""


class Credentials(Protocol):
    """What the device shows to the broker."""

    def request(self) -> str:
        """Make a new key, and give the request for a certificate (PEM, PKCS #10)."""

    def install(self, certificate: str) -> Work:
        """Go over to the new pair; back to the old one where the broker does not take it.

        Raises:
            Rejected: it does not belong to the key that was made last.
        """


class Machine(Protocol):
    """The machine, through helper units that run as root."""

    def reboot(self, order: Order) -> Work:
        """Have it rebooted.

        Raises:
            Forbidden: the configuration does not allow it, or no helper is there.
        """

    def update(self, version: str, order: Order) -> Work:
        """Have another release of the agent installed, proven, or taken back.

        Raises:
            Rejected: as ``reboot``.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What commands can reach of a running agent; None for a part that this agent does not have.

    Attributes:
        device: this device's id.
        status: gives what ``edge-agent status --json`` shows.
    """

    device: str
    status: Callable[[], dict[str, Any]]
    lanes: Restarts | None = None
    models: Rollbacks | None = None
    configuration: Configuration | None = None
    logs: Logs | None = None
    pictures: Pictures | None = None
    programs: Programs | None = None
    data: Data | None = None
    credentials: Credentials | None = None
    machine: Machine | None = None


def needed(part: T | None, name: str) -> T:
    """Give a part of the agent that a command cannot do without.

    Raises:
        Rejected: this agent does not have it.
    """
    if part is None:
        raise Rejected("reach", name, "this agent has none", "Look at its configuration, and at its log")
    return part
