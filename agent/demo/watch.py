"""What the demo remembers between two looks at the agent's status: scores, and what was done last."""

from __future__ import annotations

from collections import deque
from typing import Any

from agent.demo.chart import HISTORY


class Watch:
    """Fed with statuses as they come.

    Attributes:
        status: the newest one, or None while the agent does not answer.
        said: what the last key did, or has come to since.
    """

    def __init__(self) -> None:
        self.status: dict[str, Any] | None = None
        self.said = ""
        self._heard = ""
        self._scores: dict[str, deque[float]] = {}
        self._frames: dict[str, int] = {}

    def take(self, status: dict[str, Any] | None) -> None:
        """Take a status; a result that was seen before is not taken twice."""
        self.status = status
        for one in status["pipelines"] if status else ():
            last = one["last"]
            if last is None or self._frames.get(one["name"]) == last["frame"]:
                continue
            self._frames[one["name"]] = last["frame"]
            score = last["items"][0].get("score") if last["items"] else None
            if isinstance(score, int | float):
                self._scores.setdefault(one["name"], deque(maxlen=HISTORY)).append(float(score))

    def hear(self, words: str) -> None:
        """Take in how far something is; it stands until something else is said."""
        if words != self._heard:
            self._heard = self.said = words

    def scores(self, pipeline: str) -> list[float]:
        """The first item's score in the newest results, oldest first."""
        return list(self._scores.get(pipeline, ()))
