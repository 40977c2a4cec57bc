"""What the collector needs of the parts around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.fleet.collecting.incoming import Incoming, Stored
    from agent.fleet.collecting.outlet import Outlet
    from agent.fleet.collecting.ranges import Watermark
    from agent.fleet.collecting.unpacking import Unpacked
    from agent.fleet.states import State
    from agent.link.settings import LinkMessage
    from agent.trust.signing import Signer, Verifier

Watermarks = dict[str, dict[str, "Watermark"]]
"""By stream and epoch."""


class Warehouse(Protocol):
    """Where batches go. See ``agent.fleet.collecting.warehouse``."""

    def store(self, batches: Sequence[Incoming], *, at_once: bool) -> list[Stored]:
        """Store in one transaction, and make rows of what is urgent in it, or next; raises StoreBusy."""

    @property
    def urgent(self) -> bool:
        """Whether people may be waiting for the next rows."""

    def unpack(self, most: int, outlet: Outlet | None = None) -> Unpacked:
        """Make rows of about ``most`` records, of the urgent ones first; raises StoreBusy."""

    def watermarks(self, device: str) -> Mapping[str, Mapping[str, Watermark]]:
        """What is stored of a device's last epochs."""

    def devices(self, after: str, most: int) -> Sequence[str]:
        """The first ``most`` devices after one, by name."""

    def told(self, states: Mapping[str, State]) -> None:
        """Note what devices say of themselves; raises StoreBusy."""


class Keys(Protocol):
    """Whose batches count, and what acknowledgements are signed with. See ``agent.fleet.keys``."""

    @property
    def signer(self) -> Signer:
        """The collector's own key."""

    def verifier(self, device: str) -> Verifier | None:
        """The key of a device; None when there is none."""


class Downlink(Protocol):
    """What the collector needs of the link."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Queue a message; raises LinkLost or MessageInvalid."""

    def settle(self, message: LinkMessage) -> None:
        """Confirm a message to the broker."""
