"""What a verb works with: the open repository, and the broker where there is one."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.errors import CopyBehind
from agent.fleet.repository.passphrase import passphrase
from agent.fleet.repository.repository import Repository, opened
from agent.fleet.repository.roles import OFFLINE, WARN_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.fleet.broker import Broker
    from agent.fleet.repository.publisher import Publisher, Sent
    from agent.fleet.repository.wire import Wire


@dataclass(frozen=True, slots=True)
class Work:
    """An open repository, and the broker that it is published on; None when only the folder is worked on.

    Attributes:
        repository: open, and locked.
        publisher: has compared both, if that was asked for.
        wire: connected.
        taken: the version of the timestamp that was taken over, with all that belongs to it; None for none.
    """

    repository: Repository
    publisher: Publisher | None = None
    wire: Wire | None = None
    taken: int | None = None

    def finish(self) -> Sent | None:
        """Sign what has changed, and send it; give what was sent, None where there is no broker.

        Warns on standard error of what expires soon.

        Raises:
            AgentError: as ``Repository.commit`` and ``Publisher.send`` do.
        """
        if self.publisher is None:
            self.repository.commit()
        else:
            self.publisher.check()
            self.repository.commit(self.publisher.check_meta)
        for line in expiring(self.repository):
            print(f"edgectl: WARNING: {line}", file=sys.stderr)
        return None if self.publisher is None else self.publisher.send()


@contextmanager
def at_work(
    folder: Path,
    file: Path | None,
    broker: Broker | None,
    *,
    shown: bool,
    compare: bool = True,
    take: bool = False,
) -> Iterator[Work]:
    """Open the repository in ``folder``, and connect to the broker before anything is changed.

    Args:
        folder: the operator's.
        file: holds the passphrase; None asks elsewhere, if a key must be opened.
        broker: None works on the folder alone.
        shown: whether people read along.
        compare: refuse to go on where the broker has what another copy of the folder has signed since.
        take: take that over instead, once it is proved.

    Raises:
        AgentError: there is no repository, somebody else is at work in it, or the broker is away or ahead.
        MetadataRefused: what would be taken over does not hold together.
    """
    say_warnings()
    with ExitStack() as stack:
        repository = stack.enter_context(opened(folder, asker(file)))
        if broker is None:
            yield Work(repository)
            return
        from agent.fleet.repository.publisher import Publisher
        from agent.fleet.repository.restore import restore
        from agent.fleet.repository.wire import Wire

        wire = stack.enter_context(Wire(broker.link(f"edgectl-{broker.fleet}"), broker.fleet))
        publisher, taken = Publisher(repository, wire, shown=shown), None
        if compare:
            try:
                publisher.compare()
            except CopyBehind:
                if not take:
                    raise
                taken = restore(repository, wire.shelf).versions["timestamp"]
                publisher = Publisher(repository, wire, shown=shown)
                publisher.compare()
        yield Work(repository, publisher, wire, taken)


def asker(file: Path | None, *, new: bool = False) -> Callable[[], str]:
    """Give what gives the passphrase when a key must be opened, or is made."""
    return lambda: passphrase(file, new=new)


def say_warnings() -> None:
    """Have warnings of the link on standard error."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(message)s"
    )


def told(sent: Sent | None) -> dict[str, Any]:
    """Say for programs what was done at the broker."""
    return {"sent": None} if sent is None else {"sent": {"pieces": len(sent.paths), "bytes": sent.size}}


def words(sent: Sent | None) -> str:
    """Say for people what was done at the broker."""
    if sent is None:
        return "signed, and not sent: edgectl heal sends it"
    return f"sent {len(sent.paths)} pieces, {sent.size:,} bytes"


def expiring(repository: Repository) -> list[str]:
    """Say which offline roles expire soon, and what to do."""
    left = {role: repository.roles.left_days(role) for role in OFFLINE}
    return [
        f"{role} {'has expired' if days <= 0 else f'expires in {days:.0f} days'}:"
        f" sign it anew with: edgectl resign --role {role}"
        for role, days in left.items()
        if days < WARN_DAYS
    ]
