"""An accelerator's process, from outside: a child with a heartbeat page."""

from __future__ import annotations

from contextlib import ExitStack

from agent.child import Child
from agent.workers.heartbeat import Page


class AcceleratorProcess(Child):
    """A running ``python -m agent.accelerator.main``.

    Raises:
        OSError: this machine cannot start one now; nothing is left behind.
    """

    def __init__(self, spec_json: bytes) -> None:
        with ExitStack() as undo:
            self.page = Page.create()
            undo.callback(self.page.close)
            super().__init__("agent.accelerator.main", spec_json, also=(self.page.fd,))
            undo.pop_all()

    def close(self) -> None:
        """Free the descriptors. The process must have ended, or be stuck for good."""
        super().close()
        self.page.close()
