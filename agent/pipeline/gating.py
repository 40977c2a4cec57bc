"""The gates of a pipeline, as one: a frame passes when each of them lets it, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.screening import Admission
from agent.types import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.screening import FrameGate
    from agent.types import Frame


class Gating:
    """Asks gates until one leaves the frame out; those after it don't see the frame.

    Args:
        gates: in order.
    """

    def __init__(self, gates: Sequence[FrameGate]) -> None:
        self._gates = gates

    def __call__(self, frame: Frame) -> Admission | None:
        """Give the last region that a gate proposed, or None for a frame that is left out."""
        region = WHOLE
        for gate in self._gates:
            admission = gate.admit(frame)
            if admission is None:
                return None
            if admission.region != WHOLE:
                region = admission.region
        return Admission(region)
