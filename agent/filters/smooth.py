"""Posterior smoothing: the mean of the last results' scores, and an event when one is high enough.

A keyword spotter looks at overlapping windows; a single one may err, and one word is in several of them. As
in Chen, Parada and Heigold, "Small-footprint keyword spotting using deep neural networks" (ICASSP 2014), and
in RecognizeCommands of TensorFlow's micro_speech example: scores are averaged label by label over the last
windows, the best mean that is high enough is heard, and is not heard again for a while.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from agent.filters._items import SECOND_NS, label_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.types import FrameInfo, Result

_DIGITS = 6


class Options(BaseModel):
    """What counts as heard."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    windows: int = Field(default=3, ge=1, le=100, description="over how many results scores are averaged")
    min_score: float = Field(default=0.6, ge=0, le=1, description="the mean from which on a label is heard")
    suppress_s: float = Field(
        default=1.5,
        ge=0,
        le=3600,
        description="seconds after which a label that was heard may be heard again",
    )
    max_gap_s: float = Field(
        default=5.0, gt=0, le=3600, description="seconds between two results after which it begins anew"
    )


def build(options: Options) -> Smooth:
    """Make the filter."""
    return Smooth(options)


class Smooth:
    """Items become {"label", "index", "score"}: the means that are high enough, the best first.

    What a result does not have scored 0 in it. Until there are ``windows`` results nothing is high enough.
    The best label that was not heard in the last ``suppress_s`` makes the event
    {"event": "keyword.heard", "label", "score"}; what else is as good waits for the next result.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._last: deque[dict[str, Mapping[str, Any]]] = deque(maxlen=options.windows)
        self._seen_ns: int | None = None
        self._heard_ns: dict[str, int] = {}

    def apply(self, result: Result, frame: FrameInfo) -> Result:
        """Give the result with means in place of its scores, and what is heard now as an event."""
        now = frame.captured_ns
        if self._seen_ns is not None and now - self._seen_ns > self._options.max_gap_s * SECOND_NS:
            self._last.clear()
        self._seen_ns = now
        self._last.append(_best(result))
        quiet = self._options.suppress_s * SECOND_NS
        self._heard_ns = {label: at for label, at in self._heard_ns.items() if now - at < quiet}
        items = self._means() if len(self._last) == self._options.windows else []
        heard = next((item for item in items if item["label"] not in self._heard_ns), None)
        if heard is None:
            return replace(result, items=tuple(items))
        self._heard_ns[heard["label"]] = now
        event = {"event": "keyword.heard", "label": heard["label"], "score": heard["score"]}
        return replace(result, items=tuple(items), events=(*result.events, event))

    def _means(self) -> list[dict[str, Any]]:
        named = {label: item for scores in self._last for label, item in scores.items()}
        means = []
        for label, item in named.items():
            total = sum(float(scores[label]["score"]) for scores in self._last if label in scores)
            score = round(total / len(self._last), _DIGITS)
            if score >= self._options.min_score:
                means.append({"label": label, "index": item.get("index", 0), "score": score})
        return sorted(means, key=lambda one: (-one["score"], one["index"], one["label"]))


def _best(result: Result) -> dict[str, Mapping[str, Any]]:
    """Give the best item of each label; what has no label or no score is none."""
    found: dict[str, Mapping[str, Any]] = {}
    for item in result.items:
        label, score = label_of(item), item.get("score")
        known = isinstance(score, int | float) and 0 <= score <= 1
        if label is not None and known and score >= found.get(label, item)["score"]:
            found[label] = item
    return found
