"""A device's updater with a memory of its own: what the supervisor and the store do around it."""

from __future__ import annotations

import re
import select
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import AgentError, BundleRefused
from agent.link.bulk import Bulk
from agent.link.settings import LinkSettings
from agent.processes.child import Child
from agent.processes.message import error_of
from agent.updater import session
from agent.updater.messages import (
    Ask,
    Brought,
    Done,
    Failed,
    Fetched,
    FromUpdater,
    Refreshed,
    UpdaterSpec,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.updater.seams import Shelf


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an updater has said."""

    said: tuple[FromUpdater, ...]

    @property
    def verdict(self) -> str:
        """Give ``accepted``, or the class of the first error; of a refused bundle its rule, too."""
        error = self.error
        if error is None:
            return "accepted"
        rule = f" {error.rule}" if isinstance(error, BundleRefused) else ""
        return f"{type(error).__name__}{rule}"

    @property
    def error(self) -> AgentError | None:
        """The first error; None when all that was asked for is there."""
        return next((error_of(one) for one in self.said if isinstance(one, Failed)), None)

    @property
    def refreshed(self) -> Refreshed | None:
        """What metadata was proved; None when it was not."""
        return next((one for one in self.said if isinstance(one, Refreshed)), None)

    @property
    def fetched(self) -> list[Fetched]:
        """The bundles that are there now."""
        return [one for one in self.said if isinstance(one, Fetched)]

    @property
    def documents(self) -> dict[str, str]:
        """The documents, by name."""
        return {one.name: one.body for one in self.said if isinstance(one, Brought)}


class Device:
    """A device as far as updates go.

    Args:
        folder: its part of the data folder.
        root: the metadata that trust starts from.
        port: of the broker on this machine.
        fleet: whose device it is.

    Attributes:
        root: the metadata that trust starts from.
        floors: as its store keeps them: they only rise.
    """

    def __init__(self, folder: Path, root: bytes, port: int = 0, fleet: str = "barn") -> None:
        self.folder = folder
        self.floors: dict[str, int] = {}
        self.settings = LinkSettings("127.0.0.1", port, "", answer_timeout_s=20.0)
        self.root = root
        self._fleet = fleet

    def update(self, *models: str, shelf: Shelf | None = None) -> Outcome:
        """Run an updater in this process, over the broker or another shelf.

        Args:
            models: to fetch, as ``name@version``.
            shelf: instead of the broker.
        """
        said: list[FromUpdater] = []
        with closing(shelf or Bulk(self.settings, self._fleet, "cam-1")) as source:
            session.run(self.spec(*models), source, said.append)
        return self._outcome(said)

    def update_in_a_process(
        self, *models: str, environment: Mapping[str, str] | None = None
    ) -> tuple[Outcome, int]:
        """Run an updater as the supervisor does; give what it said, and its peak RSS in bytes."""
        broker = {"host": "127.0.0.1", "port": self.settings.port, "client_id": ""}
        broker |= {"answer_timeout_s": self.settings.answer_timeout_s, "protocol": self.settings.protocol}
        spec = self.spec(*models).model_copy(update={"broker": broker})
        child = Child("agent.updater.main", spec.model_dump_json().encode(), environment=environment)
        said: list[FromUpdater] = []
        peak = 0
        with closing(child):
            while not said or not isinstance(said[-1], Done):
                ready, _, _ = select.select([child.channel], [], [], 0.02)
                peak = max(peak, _peak_rss(child.pid))
                if ready:
                    packet = child.channel.receive()
                    assert packet, said
                    said.append(parse(packet))
            assert select.select([child.pidfd], [], [], 10)[0]
            assert child.exit_code() == 0
        return self._outcome(said), peak

    def spec(self, *models: str) -> UpdaterSpec:
        """What the updater is to do."""
        asked = [model.partition("@") for model in models]
        return UpdaterSpec(
            fleet=self._fleet,
            device="cam-1",
            broker=None,
            folder=str(self.folder),
            root=self.root.decode(),
            floors=self.floors,
            ask=tuple(Ask(name=name, version=version) for name, _, version in asked),
        )

    def bundles(self) -> dict[str, dict[str, bytes]]:
        """The files of each bundle that is there, by its digest."""
        return {
            one.name: {
                path.relative_to(one).as_posix(): path.read_bytes()
                for path in one.rglob("*")
                if path.is_file()
            }
            for one in sorted((self.folder / "bundles").glob("*"))
        }

    def remember(self, said: list[FromUpdater]) -> None:
        """Keep the floors of what an updater has said."""
        for one in said:
            if isinstance(one, Refreshed):
                for name, value in one.floors.items():
                    self.floors[name] = max(value, self.floors.get(name, 0))

    def _outcome(self, said: list[FromUpdater]) -> Outcome:
        assert isinstance(said[-1], Done)
        self.remember(said)
        return Outcome(tuple(said))


def _peak_rss(pid: int) -> int:
    """Bytes of the most memory that a process has had since its program began; 0 when it is gone.

    What ``wait4`` tells counts what was there before the program, too.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) << 10 if found else 0
