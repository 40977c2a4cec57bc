"""What became of every frame and record: proved from the device's disk, and from the collector's database."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from agent.blocks import unpack
from agent.store.inspect import segment_files
from agent.store.segment import Segment
from agent.store.verify import verify
from tests.simulators import collected
from tests.simulators.collected import Accounts
from tests.simulators.running_agent import balanced
from tests.system.booted import DATA, UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.blocks import Block
    from agent.store.chain import SegmentName
    from tests.system.container import Container

DATABASE = "/var/lib/edgectl/north.db"
_ASK = """
import sys
from dataclasses import asdict
from pathlib import Path
wanted = {(stream, epoch): last for stream, epoch, last in json.loads(sys.argv[2])}
print(json.dumps(asdict(accounts(Path(sys.argv[1]), wanted))))
"""
_ROWS_S = 60.0
OWN_KINDS = frozenset(("failed", "ledger", "event", "metrics"))
"""Records that are no result of a frame."""


@dataclass(slots=True)
class Books:
    """What a data folder has.

    Attributes:
        ledgers: the newest of each epoch and pipeline.
        results: how many records of results there are, by epoch and pipeline.
        whole: epochs of which every record is there, since none was acknowledged yet.
        first, last: the first and the last number of each stream and epoch.
    """

    ledgers: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    results: Counter[tuple[str, str]] = field(default_factory=Counter)
    whole: set[str] = field(default_factory=set)
    first: dict[tuple[str, str], int] = field(default_factory=dict)
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
    books = Books()
    for file in sorted(segment_files(data), key=lambda one: str(one.name)):
        with closing(Segment.create(file.path)) as segment:
            _enter(books, file.name, segment.read(1, 1 << 40))
    acknowledged = {epoch for (_, epoch), first in books.first.items() if first > 1}
    books.whole = {epoch for _, epoch in books.first} - acknowledged
    return books


def _enter(books: Books, name: SegmentName, blocks: tuple[Block, ...]) -> None:
    for block in blocks:
        records, ledgers, _ = unpack(block)
        books.first.setdefault((name.stream, name.epoch), block.first)
        books.last[name.stream, name.epoch] = block.last
        for pipeline, ledger in ledgers.items():
            books.ledgers[name.epoch, pipeline] = ledger
        for record in records:
            if record["kind"] not in OWN_KINDS:
                books.results[name.epoch, record["pipeline"]] += 1


def on_disk(machine: Container, folder: Path) -> Books:
    """Stop the agent, and read what it has on its disk: every ledger must balance, no record be missing."""
    machine.run("systemctl", "stop", UNIT)
    books = read(machine.copied(DATA, folder))
    assert books.problems() == []
    return books


def delivered(machine: Container, folder: Path, committed: Mapping[tuple[str, str], int]) -> Accounts:
    """Stop the agent; prove that all it ever committed is at the collector or on its disk, and nothing twice.

    Args:
        machine: with agent and collector.
        folder: for a copy of the agent's data.
        committed: what was seen on the device, by stream and epoch: the last number.
    """
    books = on_disk(machine, folder / "data")
    gone = dict(committed) | {place: first - 1 for place, first in books.first.items()}
    give_up = time.monotonic() + _ROWS_S  # what was stored as it came is made rows of afterwards
    while True:
        found = _collected(machine, gone)
        clear = (found.missing, found.lost, found.duplicated, found.unbalanced) == (0, 0, 0, ())
        if clear or time.monotonic() > give_up:
            assert clear, found
            return found
        time.sleep(0.1)


def _collected(machine: Container, gone: Mapping[tuple[str, str], int]) -> Accounts:
    """Have a look at the collector's database where it is, while the collector runs."""
    wanted = orjson.dumps([[*place, last] for place, last in gone.items()]).decode()
    told = machine.run(
        "/usr/bin/python3", "-c", Path(collected.__file__).read_text() + _ASK, DATABASE, wanted
    )
    assert told.returncode == 0, told.stderr
    found = orjson.loads(told.stdout)
    return Accounts(**{**found, "unbalanced": tuple(found["unbalanced"])})
