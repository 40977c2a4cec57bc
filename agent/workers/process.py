"""A worker process, from outside: a child with a heartbeat page, whose usage is watched."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import orjson

from agent.processes.child import Child
from agent.workers.heartbeat import Page
from agent.workers.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class WatchedChild(Child):
    """A running program that beats on a page of its own: ``python -m MODULE SOCKET_FD PAGE_FD SPEC_FD PID``.

    Args:
        module: the program.
        spec_json: what it is to do.
        stdin: the descriptor that it has as standard input; nothing by default.

    Attributes:
        page: where it says what each of its threads does.
        usage: its memory and CPU time.

    Raises:
        OSError: this machine cannot start one now; nothing is left behind.
    """

    def __init__(self, module: str, spec_json: bytes, stdin: int = subprocess.DEVNULL) -> None:
        with ExitStack() as undo:
            self.page = Page.create()
            undo.callback(self.page.close)
            super().__init__(module, spec_json, also=(self.page.fd,), stdin=stdin)
            self.usage = Usage(self.pid)  # now: it hides as soon as it has read what it is to do
            undo.pop_all()

    def tell(self, message: Mapping[str, object], descriptors: Sequence[int] = ()) -> bool:
        """Send it a message; give whether it is there and has room for it."""
        try:
            self.channel.send_with(orjson.dumps(message), descriptors)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Free the descriptors. The process must have ended, or be stuck for good."""
        super().close()
        self.page.close()
        self.usage.close()


class WorkerProcess(WatchedChild):
    """A running ``python -m agent.workers.main``; raises what ``WatchedChild`` does."""

    def __init__(self, spec_json: bytes, stdin: int = subprocess.DEVNULL) -> None:
        super().__init__("agent.workers.main", spec_json, stdin)
