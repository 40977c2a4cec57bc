"""What became of every frame and every record: proved from the device's disk, and from the collector's database."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.blocks import unpack
from agent.store.inspect import segment_files
from agent.store.segment import Segment
from agent.store.verify import verify
from tests.simulators.collected import accounts
from tests.simulators.running_agent import balanced
from tests.system.booted import COLLECTOR, DATA, UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.blocks import Block
    from agent.store.chain import SegmentName
    from tests.simulators.collected import Accounts
    from tests.system.container import Container

COLLECTED, DATABASE = "/var/lib/edgectl", "north.db"
_OWN_KINDS = frozenset(("failed", "ledger", "event", "metrics"))


@dataclass(slots=True)
class Books:
    """What a data folder has.

    Attributes:
        ledgers: the newest of each epoch and pipeline.
        results: how many records of results there are, by epoch and pipeline.
        whole: epochs of which every record is there, since none was acknowledged yet.
        last: the last number of each stream and epoch.
    """

    ledgers: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    results: Counter[tuple[str, str]] = field(default_factory=Counter)
    whole: set[str] = field(default_factory=set)
    last: dict[tuple[str, str], int] = field(default_factory=dict)

    def problems(self) -> list[str]:
        """Say which ledgers do not balance, or name other numbers than what is there."""
        found = [f"{place}: {ledger}" for place, ledger in self.ledgers.items() if not balanced(ledger)]
        for place, ledger in self.ledgers.items():
            if place[0] in self.whole and self.results[place] != ledger["inferred"]:
                found.append(f"{place}: {self.results[place]} results are there of {ledger}")
        return found


def read(data: Path) -> Books:
    """Read a copy of a data folder, of which no byte may be damaged and no record missing."""
    verdict = verify(data)
    assert not verdict.findings, verdict
    books, cut = Books(), set()
    for file in sorted(segment_files(data), key=lambda one: str(one.name)):
        name = file.name
        if (name.stream, name.epoch) not in books.last and name.first > 1:
            cut.add(name.epoch)
        with closing(Segment.create(file.path)) as segment:
            _enter(books, name, segment.read(1, 1 << 40))
    books.whole = {epoch for _, epoch in books.last} - cut
    return books


def _enter(books: Books, name: SegmentName, blocks: tuple[Block, ...]) -> None:
    for block in blocks:
        records, ledgers, _ = unpack(block)
        books.last[name.stream, name.epoch] = block.last
        for pipeline, ledger in ledgers.items():
            books.ledgers[name.epoch, pipeline] = ledger
        for record in records:
            if record["kind"] not in _OWN_KINDS:
                books.results[name.epoch, record["pipeline"]] += 1


def on_disk(machine: Container, folder: Path) -> Books:
    """Stop the agent, and read what it has on its disk: every ledger must balance, and no record be missing."""
    machine.run("systemctl", "stop", UNIT)
    books = read(machine.copied(DATA, folder))
    assert books.ledgers, "there is nothing to prove"
    assert books.problems() == []
    return books


def delivered(machine: Container, folder: Path, committed: Mapping[tuple[str, str], int]) -> Accounts:
    """Stop the agent, which has delivered all, and the collector; prove that nothing is missing or twice.

    Args:
        machine: with agent and collector.
        folder: for copies.
        committed: what was seen on the device, by stream and epoch: the last number.
    """
    books = on_disk(machine, folder / "data")
    known = Counter(books.last) | Counter(committed)
    machine.run("systemctl", "stop", COLLECTOR)
    found = accounts(machine.copied(COLLECTED, folder / "collected") / DATABASE, known)
    machine.run("systemctl", "start", COLLECTOR)
    assert (found.missing, found.lost, found.duplicated, found.unbalanced) == (0, 0, 0, ()), found
    return found
