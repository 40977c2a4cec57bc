"""The contract of filters: any results in a row, at the times of their frames; the same cases each time."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.contracts.checks import Breach, Check
from agent.contracts.values import check_result
from agent.errors import AgentError, InputRejected
from agent.types import FrameInfo, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.contracts.checks import Subject
    from agent.screening import Filter

_FRAMES = 400
_NAMES = ("person", "car", "dog")
_EARLIER = {"event": "zone.entered", "zone": "yard", "track": 1}
_ALSO = {"faces": {"kind": "embedding", "items": [{"label": "ann", "index": 0, "score": 0.9}]}}


def _items(kind: str, rng: np.random.Generator) -> tuple[dict[str, Any], ...]:
    made: list[dict[str, Any]] = []
    for at in range(int(rng.integers(0, 6))):
        index = int(rng.integers(0, len(_NAMES)))
        item: dict[str, Any] = {
            "label": _NAMES[index],
            "index": index,
            "score": round(float(rng.random()), 4),
        }
        if kind == "detection":
            top, left = rng.random(2) * 0.8
            size = rng.random(2) * 0.2
            box = (top, left, top + size[0], left + size[1])
            item["box"] = [round(float(side), 4) for side in box]
        if kind == "detection" and rng.random() < 0.7:
            item["track"] = at + int(rng.integers(0, 3))
        if kind == "regression":
            item = {"label": "level", "index": 0, "value": float(rng.normal())}
        made.append(item)
    return tuple(made)


def cases(seed: int) -> Iterator[tuple[Result, FrameInfo]]:
    """Give results in a row, with their frames: kinds change, times jump by up to a day, some are empty."""
    rng = np.random.default_rng(seed)
    now_ns = int(rng.integers(0, 1 << 50))
    for seq in range(_FRAMES):
        kind = ("detection", "classification", "regression")[0 if seq < _FRAMES // 2 else seq % 3]
        now_ns += int(
            rng.choice([0, 10**6, 33 * 10**6, 10**9, 86_400 * 10**9], p=[0.05, 0.2, 0.5, 0.2, 0.05])
        )
        events = (_EARLIER,) if rng.random() < 0.2 else ()
        also = _ALSO if rng.random() < 0.1 else {}
        yield Result(kind, _items(kind, rng), events, also), FrameInfo(seq, now_ns, 480, 640)


def _applied(filter_: Filter, result: Result, frame: FrameInfo) -> Result | None:
    try:
        passed = filter_.apply(result, frame)
    except InputRejected:
        return None
    except AgentError as error:
        raise Breach(f"apply raises {type(error).__name__}; only InputRejected fails a frame") from error
    if passed is not None:
        check_result(passed)
    return passed


def _answers(subject: Subject) -> None:
    for example in subject.examples():
        filter_ = subject.built(example)
        for result, frame in cases(1):
            _applied(filter_, result, frame)


def _untouched(subject: Subject) -> None:
    for example in subject.examples():
        filter_ = subject.built(example)
        for result, frame in cases(2):
            before = copy.deepcopy(result)
            _applied(filter_, result, frame)
            if result != before:
                raise Breach(f"frame {frame.seq}: it has changed the result that it was given: make another")


def _passes_on(subject: Subject) -> None:
    for example in subject.examples():
        filter_ = subject.built(example)
        for result, frame in cases(3):
            passed = _applied(filter_, result, frame)
            if passed is None:
                continue
            if any(event not in passed.events for event in result.events):
                raise Breach(f"frame {frame.seq}: an event of a filter before it is gone")
            if any(passed.also.get(stage) != said for stage, said in result.also.items()):
                raise Breach(f"frame {frame.seq}: what a further model said is gone from also")


def _repeatable(subject: Subject) -> None:
    for example in subject.examples():
        one, two = subject.built(example), subject.built(example)
        for result, frame in cases(4):
            if _applied(one, result, frame) != _applied(two, result, frame):
                raise Breach(f"frame {frame.seq}: two filters that saw the same results differ")


CHECKS = (
    Check("answers", "Any results in a row give JSON, or None; events are named noun.verb.", _answers),
    Check("untouched", "The result that it is given stays as it is.", _untouched),
    Check("passes_on", "Events of the filters before it, and what further models said, go on.", _passes_on),
    Check(
        "repeatable", "Two that see the same results give the same: time is that of the frames.", _repeatable
    ),
)
