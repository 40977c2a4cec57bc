"""What a thousand inferences cost, of accounts that are made up."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.governor.cost import Cost, Costs, Totals
from agent.ledger import Ledger
from agent.metrics import PIPELINE
from tests.simulators.made_usage import Process

if TYPE_CHECKING:
    from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Run:
    process: Process = field(default_factory=Process)
    received: int = 0


@dataclass
class Lane:
    """What an account looks at of a lane."""

    name: str
    run: Run | None = field(default_factory=Run)
    ledger: Ledger = field(default_factory=Ledger)

    def work(self, cpu_s: float, inferred: int, told: int) -> None:
        assert self.run is not None
        self.run.process.usage.seconds = (self.run.process.usage.seconds or 0.0) + cpu_s
        self.run.received += told
        self.ledger += Ledger(inferred=inferred)


def busy(root: Path, seconds: float) -> None:
    (root / "proc").mkdir(exist_ok=True)
    ticks = round(seconds * TICKS)
    (root / "proc/stat").write_text(f"cpu  {ticks} 0 0 999999 5 0 0 0 0 0\ncpu0 1 1 1\n")


def costs(root: Path, *lanes: Any) -> Costs:
    busy(root, 0)
    made = Costs(lanes, root=root)
    made.tick(0.0, Totals(0, 0, 0.0))
    return made


def test_time_bytes_and_energy_are_shared_by_time_and_by_bytes(tmp_path: Path) -> None:
    door, yard = Lane("door"), Lane("yard")
    made = costs(tmp_path, door, yard)
    door.work(2.0, 1000, 300)
    yard.work(6.0, 500, 100)
    busy(tmp_path, 10)
    made.tick(10.0, Totals(upstream=4000, flash=8000, joules=50.0))
    assert made.of("door") == Cost(cpu_s=2.0, upstream=3000.0, flash=6000.0, joules=10.0)
    assert made.of("yard") == Cost(cpu_s=12.0, upstream=2000.0, flash=4000.0, joules=60.0)


def test_what_is_not_known_is_absent_and_not_free(tmp_path: Path) -> None:
    door = Lane("door")
    made = costs(tmp_path, door)
    made.tick(5.0, Totals(0, 0, 10.0))
    assert made.of("door") == Cost()
    assert made.of("nobody") == Cost()
    door.work(1.0, 100, 10)
    (tmp_path / "proc/stat").write_text("intr 5\n")
    made.tick(10.0, Totals(0, 0, 20.0))
    assert made.of("door").joules is None
    busy(tmp_path, 5)
    made.tick(15.0, Totals(0, 0, None))
    assert made.of("door").joules is None
    assert {one["name"] for one in made.of("door").numbers()} == {*made.of("door").to_json()} - {
        "joules_per_1000_inferences"
    }
    assert {*made.of("door").to_json()} <= {*PIPELINE}


def test_the_time_of_a_worker_that_died_counts_and_its_successor_begins_at_zero(tmp_path: Path) -> None:
    door = Lane("door")
    made = costs(tmp_path, door)
    door.work(3.0, 10, 1)
    made.tick(1.0, Totals(0, 0))
    door.run = None
    made.tick(2.0, Totals(0, 0))
    door.run = Run()
    door.work(1.0, 10, 1)
    made.tick(3.0, Totals(0, 0))
    assert door.run.process.usage.seconds == 1.0
    door.run.process.usage.seconds = None
    made.tick(4.0, Totals(0, 0))
    assert made.of("door").cpu_s == 4.0 * 1000 / 20


def test_time_of_a_process_that_pipelines_share_is_added(tmp_path: Path) -> None:
    door: Any = Lane("door")
    shared = {"door": 0.0}
    made = Costs([door], shared=lambda name: shared[name], root=tmp_path)
    made.tick(0.0, Totals(0, 0))
    door.work(1.0, 1000, 1)
    shared["door"] = 2.0
    made.tick(1.0, Totals(0, 0))
    assert made.of("door").cpu_s == 3.0


def test_only_the_last_ten_minutes_count(tmp_path: Path) -> None:
    door = Lane("door")
    made = costs(tmp_path, door)
    for step in range(1, 200):
        door.work(10.0 if step < 100 else 1.0, 1000, 1)
        made.tick(step * 10.0, Totals(0, 0))
    assert made.of("door").cpu_s == 1.0
    assert len(made._marks) < 50


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 1000)), min_size=1, max_size=4),
    st.integers(0, 10**9),
)
def test_what_is_shared_adds_up(
    tmp_path_factory: pytest.TempPathFactory, work: list[tuple[int, int]], sent: int
) -> None:
    lanes = [Lane(str(number)) for number in range(len(work))]
    made = costs(tmp_path_factory.mktemp("cost"), *lanes)
    for lane, (inferred, told) in zip(lanes, work, strict=True):
        lane.work(1.0, inferred, told)
    made.tick(1.0, Totals(sent, 0))
    total = sum((made.of(one.name).upstream or 0.0) * one.ledger.inferred / 1000 for one in lanes)
    assert total == pytest.approx(sent if any(told for _, told in work) else 0.0, rel=1e-6, abs=0.01)
