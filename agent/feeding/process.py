"""A capture process, from outside."""

from __future__ import annotations

from agent.workers.process import WatchedChild


class CaptureProcess(WatchedChild):
    """A running ``python -m agent.capture.main``; raises what ``WatchedChild`` does."""

    def __init__(self, spec_json: bytes) -> None:
        super().__init__("agent.capture.main", spec_json)
