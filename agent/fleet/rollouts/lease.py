"""One controller at a time works on a rollout, on this machine or another.

On one machine a lock says so, which ends with its process. Between machines that share the folder, or hand
its copy on, the lease in the rollout's file says who holds it: it is given back at the end. Another machine
takes one that was not, only when a person says that nobody works there any more. Who has lost his lease
writes nothing, and publishes nothing.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.errors import AgentError
from agent.files import advice
from agent.fleet.rollouts.record import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.fleet.rollouts.record import Rollout
    from agent.fleet.rollouts.shelf import Shelf

_OP = "work on rollout"


class Held:
    """A rollout that is ours to work on.

    Args:
        shelf: where it lies.
        lease: ours.
    """

    def __init__(self, shelf: Shelf, lease: Lease) -> None:
        self._shelf = shelf
        self.lease = lease

    def check(self, name: str) -> None:
        """Make sure that nobody has taken it over.

        Raises:
            AgentError: somebody has.
        """
        found = self._shelf.read(name).lease
        if found != self.lease:
            who = f"{found.host}, process {found.pid}," if found else "somebody"
            raise AgentError(_OP, name, f"{who} has taken it over", "Look at: edgectl rollout status")

    def write(self, rollout: Rollout) -> None:
        """Keep it.

        Raises:
            AgentError: somebody has taken it over, or the disk refuses.
        """
        self.check(rollout.plan.name)
        self._shelf.write(rollout.model_copy(update={"lease": self.lease}))

    def give_back(self, name: str) -> None:
        """Let others work on it, where nobody has taken it over.

        Raises:
            AgentError: the disk refuses.
        """
        found = self._shelf.read(name)
        if found.lease == self.lease:
            self._shelf.write(found.model_copy(update={"lease": None}))


@contextmanager
def holding(
    shelf: Shelf, name: str, wall: Callable[[], float], *, take_over: bool = False
) -> Iterator[tuple[Rollout, Held]]:
    """Take a rollout, and give it as it is kept; it is given back at the end.

    A kill leaves the lease, which this machine may take again.

    Args:
        shelf: where it lies.
        name: the rollout's.
        wall: seconds since 1970.
        take_over: take it from another machine.

    Raises:
        AgentError: somebody works on it.
        ConfigInvalid: there is none.
    """
    shelf.path(name)  # a name that is none makes no file
    shelf.read(name)
    with locked(shelf.lock(name)) as ours:
        found = shelf.read(name)
        host = here()
        if not ours:
            pid = f" as process {found.lease.pid}" if found.lease else ""
            hint = f"Let it, or ask it: edgectl rollout pause {name}"
            raise AgentError(_OP, name, f"this machine works on it already{pid}", hint)
        if found.lease and found.lease.host != host and not take_over:
            problem = f"{found.lease.host} works on it, as process {found.lease.pid}"
            hint = "If it does no longer, add --take-over"
            raise AgentError(_OP, name, problem, hint)
        lease = Lease(host=host, pid=os.getpid(), since=int(wall()), token=secrets.token_hex(16))
        mine = found.model_copy(update={"lease": lease})
        shelf.write(mine)
        held = Held(shelf, lease)
        try:
            yield mine, held
        finally:
            held.give_back(name)


def here() -> str:
    """Name this machine."""
    return socket.gethostname()[:255]


def busy(shelf: Shelf, name: str) -> bool:
    """Whether a controller on this machine works on a rollout."""
    with locked(shelf.lock(name)) as ours:
        return not ours


@contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold a lock on a file while this lasts; give whether it is ours.

    Args:
        path: the file, which is made.
        wait: until who holds it lets go.

    Raises:
        AgentError: the disk refuses.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise AgentError("lock", str(path), error.strerror or str(error), advice(error)) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
