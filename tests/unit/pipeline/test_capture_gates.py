"""The capture thread, and gates that leave frames out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.errors import InputRejected
from agent.ledger import Ledger
from agent.pipeline.gate import Gate
from agent.pipeline.slot import BUFFERS
from agent.screening import Admission
from agent.types import WHOLE
from tests.unit.pipeline.test_capture import Bench

if TYPE_CHECKING:
    import threading

    from agent.types import Frame


class Counted(Gate):
    """Counts how often a recording's frame was waited for."""

    held = 0

    def hold(self, stop: threading.Event) -> bool:
        self.held += 1
        return super().hold(stop)


def odd(frame: Frame) -> Admission | None:
    """Let odd numbers pass, in a part of the frame from 3 on, and refuse those that are 9."""
    if frame.data[0] == 9:
        raise InputRejected("judge", frame.origin, "it is nine", "Count on")
    region = WHOLE if frame.data[0] < 3 else (0.0, 0.0, 0.5, 0.5)
    return Admission(region) if frame.data[0] % 2 else None


@pytest.mark.parametrize("live", [True, False])
def test_what_a_gate_leaves_out_is_counted_and_no_buffer_is_lost(live: bool) -> None:
    bench = Bench([2, 4, 6, 8, 2, 4, 6, 9, 8, 3, 2], admit=odd, live=live)
    _, taken = bench.run()
    done = [(seq, content, item.info.region) for seq, content, item in taken if not item.error]
    assert done == [(9, 3, (0, 0, 0.5, 0.5))]
    reason = "input" if live else "x"
    assert bench.slot.ledger() == Ledger(captured=11, inferred=1, gated=9, failed={reason: 1})
    assert sorted(bench.slot._free) == list(range(BUFFERS))


def test_a_recording_is_slowed_to_its_rate_even_where_a_gate_leaves_frames_out() -> None:
    gate = Counted(most_fps=1000)
    bench = Bench([2, 4, 6, 1], admit=odd, gate=gate)
    bench.run()
    assert gate.held == 5


def test_a_gate_sees_what_is_hidden_as_it_is_hidden() -> None:
    seen: list[float] = []

    def admit(frame: Frame) -> Admission:
        seen.append(float(frame.data[0]))
        return Admission()

    def doubled(frame: Frame) -> Frame:
        return replace(frame, data=frame.data * 2)

    Bench([1, 2], prepare=doubled, admit=admit).run()
    assert seen == [2, 4]
