"""An accelerator's process, from outside."""

from __future__ import annotations

from agent.workers.process import WatchedChild


class AcceleratorProcess(WatchedChild):
    """A running ``python -m agent.accelerator.main``; raises what ``WatchedChild`` does."""

    def __init__(self, spec_json: bytes) -> None:
        super().__init__("agent.accelerator.main", spec_json)
