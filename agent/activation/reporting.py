"""Makes the reported state, and publishes it when it has changed."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from agent import __version__
from agent.documents import reported as documents
from agent.documents.reported import AuditHead, Metadata, Reported
from agent.link import topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.clock import Clock
    from agent.documents.reported import Standing
    from agent.trust.signing import Signer

_PAUSE_S = 1.0
_WORDS = 500


class Reporter:
    """Publishes the reported state: on each change, at most once a second, and when the link comes up.

    Args:
        fleet: ours.
        device: ours.
        signer: the device's key; None where nothing is signed.
        clock: says when, and whether that is to be believed.
        publish: sends a message by topic and payload, retained; gives None where it was not taken.

    Attributes:
        more: gives what others have to report, by the document's fields.
    """

    def __init__(
        self,
        fleet: str,
        device: str,
        signer: Signer | None,
        clock: Clock,
        publish: Callable[[str, bytes, bool], int | None],
    ) -> None:
        self._fleet, self._device = fleet, device
        self._signer, self._clock, self._publish = signer, clock, publish
        self._topic = topics.up_reported(fleet, device)
        self._told: Reported | None = None
        self.more: Callable[[], dict[str, Any]] = dict
        self._next = 0.0

    def again(self) -> None:
        """The link has come up: say everything."""
        self._told = None

    def tick(self, now: float, make: Callable[[], Reported]) -> None:
        """Publish what is new."""
        if now < self._next:
            return
        self._next = now + _PAUSE_S
        report = make()
        if self._told is not None and report == self._told.model_copy(
            update={"at": report.at, "synced": report.synced}
        ):
            return
        if self._publish(self._topic, documents.encode(report, self._signer), True) is not None:  # noqa: FBT003
            self._told = report

    def report(
        self,
        generation: int,
        pipelines: Mapping[str, Standing],
        metadata: Metadata,
        audit: tuple[int, str],
        problem: str,
    ) -> Reported:
        """Make the document."""
        return Reported(
            fleet=self._fleet,
            device=self._device,
            generation=generation,
            at=max(0, self._clock.wall_ns() // 10**9),
            synced=self._clock.synced(),
            pipelines=dict(pipelines),
            metadata=metadata,
            audit=AuditHead(seq=audit[0], head=audit[1]),
            problem=problem[:_WORDS],
            agent=__version__,
            arch=platform.machine(),
            **self.more(),
        )
