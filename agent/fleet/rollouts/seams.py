"""What a rollout sees of its devices, and how it reaches them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from agent.documents.desired import Desired
    from agent.documents.reported import Reported
    from agent.documents.vitals import Vitals


@dataclass(frozen=True, slots=True)
class View:
    """What is known of devices, by their names.

    Attributes:
        reports: what each reports, proved.
        vitals: how each does, proved.
        online: those that are connected, as the broker says; nobody signs that.
        refused: why something that came in a device's name does not count.
    """

    reports: Mapping[str, Reported]
    vitals: Mapping[str, Vitals]
    online: Collection[str]
    refused: Mapping[str, str] = field(default_factory=dict)


class Fleet(Protocol):
    """The devices of a rollout."""

    @property
    def view(self) -> View:
        """What is known now."""

    def look(self, timeout_s: float) -> None:
        """Take in what came; wait so long for something, at most.

        Raises:
            LinkLost: the broker refuses us.
        """

    def refresh(self, devices: Sequence[str]) -> None:
        """Ask again what the broker keeps of some devices: it may drop what it sends of a whole fleet.

        Raises:
            LinkLost: the broker is away.
        """

    def latest(self, devices: Sequence[str]) -> Mapping[str, Desired]:
        """Give the newest desired state of each device that has one.

        Raises:
            LinkLost: the broker is away.
            AgentError: somebody else is at work in the folder.
        """

    def publish(self, wishes: Sequence[Desired]) -> None:
        """Keep desired states durably, have the broker retain them; all is confirmed when this returns.

        Raises:
            Retryable: the broker is away for too long, somebody else is at work in the folder, or has
                published for one of the devices since ``latest``.
            AgentError: the disk refuses.
        """
