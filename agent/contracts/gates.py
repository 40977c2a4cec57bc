"""The contract of gates: pictures and windows of any size in a row; the same cases each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.contracts.checks import Breach, Check
from agent.errors import AgentError, InputRejected
from agent.screening import Admission
from agent.types import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.contracts.checks import Subject
    from agent.screening import FrameGate
    from agent.types import Array

_SHAPES: tuple[tuple[int, ...], ...] = (
    (120, 160, 3),
    (48, 64),
    (1, 1, 3),
    (90, 7, 1),
    (256, 3),
    (64,),
    (0, 4, 3),
)
_FRAMES = 120


def cases(seed: int) -> Iterator[Frame]:
    """Give frames in a row: sizes and kinds change, some stand still, times jump by up to a day."""
    rng = np.random.default_rng(seed)
    now_ns = int(rng.integers(0, 1 << 50))
    shape, data = _SHAPES[0], np.zeros(_SHAPES[0], np.uint8)
    for seq in range(_FRAMES):
        if seq % 10 == 9:
            shape = _SHAPES[int(rng.integers(0, len(_SHAPES)))]
        if data.shape != shape or rng.random() < 0.5:
            data = _data(shape, rng)
        now_ns += int(rng.choice([0, 33 * 10**6, 10**9, 86_400 * 10**9]))
        shown = data.copy()
        shown.flags.writeable = False
        yield Frame(seq, now_ns, shown)


def _data(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    if shape in {(256, 3), (64,)}:  # a window of samples
        window: Array = rng.normal(0, 1 + 5 * rng.random(), shape).astype(np.float32)
        return window if rng.random() < 0.9 else np.full(shape, np.nan, np.float32)
    return rng.integers(0, 256, shape, np.uint8) // np.uint8(rng.integers(1, 9))


def _asked(gate: FrameGate, frame: Frame) -> Admission | None:
    try:
        said = gate.admit(frame)
    except InputRejected:
        return None
    except AgentError as error:
        raise Breach(f"admit raises {type(error).__name__}; only InputRejected fails a frame") from error
    if said is None:
        return None
    if not isinstance(said, Admission):
        raise Breach(f"it gives {type(said).__name__}, not agent.screening.Admission or None")
    sides: tuple[object, ...] = tuple(said.region)
    if [type(side) for side in sides] != [float] * 4:
        raise Breach(f"a region of {said.region!r}, which are not four floats")
    top, left, bottom, right = said.region
    if not (0 <= top < bottom <= 1 and 0 <= left < right <= 1):
        raise Breach(f"a region of {said.region!r}, which has no area within the frame")
    return said


def _answers(subject: Subject) -> None:
    for example in subject.examples():
        gate = subject.built(example)
        for frame in cases(1):
            _asked(gate, frame)


def _repeatable(subject: Subject) -> None:
    for example in subject.examples():
        one, two = subject.built(example), subject.built(example)
        for frame in cases(2):
            if _asked(one, frame) != _asked(two, frame):
                raise Breach(f"frame {frame.seq}: two gates that saw the same frames differ")


CHECKS = (
    Check("answers", "Any frames in a row get a region within the frame, None, or InputRejected.", _answers),
    Check(
        "repeatable", "Two that see the same frames say the same: time is that of the frames.", _repeatable
    ),
)
