"""Was anything missed? Answers from a real database, for spans of time."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Block, Lease, Loss, pack
from agent.fleet.collecting.incoming import Incoming
from agent.fleet.collecting.missed import missed
from agent.fleet.collecting.warehouse import Warehouse
from agent.ledger import Ledger
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.fleet.collecting.missed import Report

EPOCH = "0123456789abcdef"
NOON = int(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()) * 10**9
MINUTE = 60 * 10**9


class Fleet:
    """A collector's database, and a device that makes a result a minute from noon on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warehouse = Warehouse(path, clock=ManualClock(wall=NOON + 60 * MINUTE))

    def send(
        self,
        first: int,
        last: int,
        ledger: Ledger,
        lost: tuple[Loss, ...] = (),
        *,
        epoch: str = EPOCH,
        live: bool = True,
        unpack: bool = True,
    ) -> None:
        start = 0 if epoch == EPOCH else 10
        records = [
            {"pipeline": "door", "kind": "detection", "wall_ns": NOON + (start + seq) * MINUTE}
            for seq in range(first, last + 1)
        ]
        block = Block(first, len(records), pack(records, {"door": ledger.to_json()}))
        self.warehouse.store([Incoming("gate", Lease(epoch, 1, (block,), live=live, lost=lost))])
        if unpack:
            self.warehouse.unpack()

    def between(self, first: int, last: int) -> Report:
        """What was missed from one minute after noon to another."""
        return missed(self.warehouse._db, "gate", NOON + first * MINUTE, NOON + last * MINUTE)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path / "fleet.db")
    yield made
    made.warehouse.close()


def test_a_span_of_which_everything_has_come_is_complete(fleet: Fleet) -> None:
    fleet.send(1, 10, Ledger(captured=10, inferred=10))
    fleet.send(11, 30, Ledger(captured=30, inferred=28, gated=2))
    report = fleet.between(11, 30)
    assert report.verdict == "complete"
    assert report.pipelines == {"door": {"captured": 20, "inferred": 18, "gated": 2}}


def test_a_frame_whose_result_a_filter_held_back_was_not_missed(fleet: Fleet) -> None:
    fleet.send(1, 10, Ledger(captured=10, inferred=10))
    fleet.send(11, 30, Ledger(captured=30, inferred=18, filtered={"change": 9, "debounce": 3}))
    report = fleet.between(11, 30)
    assert report.verdict == "complete"
    assert report.pipelines["door"]["filtered change"] == 9
    code, out, _ = edgectl(*half_past_noon(fleet))
    assert code == 0
    assert "door: 30 captured, 9 filtered change, 3 filtered debounce, 18 inferred" in out


def test_a_ledger_of_an_earlier_release_has_no_account_of_filters(fleet: Fleet) -> None:
    counts = Ledger(captured=10, inferred=10).to_json()
    del counts["filtered"]
    block = Block(1, 1, pack([{"pipeline": "door", "wall_ns": NOON}], {"door": counts}))
    fleet.warehouse.store([Incoming("gate", Lease(EPOCH, 1, (block,), live=True))])
    fleet.warehouse.unpack()
    assert fleet.between(0, 0).pipelines == {"door": {"captured": 10, "inferred": 10}}


def test_what_was_made_last_may_still_be_on_its_way(fleet: Fleet) -> None:
    fleet.send(1, 10, Ledger(captured=10, inferred=10))
    assert fleet.between(1, 11).verdict == "unknown"
    assert fleet.between(1, 10).verdict == "complete"


@pytest.mark.parametrize("told", [True, False], ids=["told that it is over", "not told"])
def test_frames_in_flight_when_the_agent_was_killed_are_lost(fleet: Fleet, *, told: bool) -> None:
    fleet.send(1, 10, Ledger(captured=12, inferred=10, in_flight=2))
    assert fleet.between(1, 10).verdict == "complete"  # they may be inferred yet
    if told:
        fleet.send(1, 10, Ledger(), live=False)
    fleet.send(1, 10, Ledger(captured=10, inferred=9, in_flight=1), epoch="f" * 16)
    report = fleet.between(1, 20)
    assert report.verdict == "incomplete"
    assert report.pipelines == {"door": {"captured": 22, "inferred": 19, "lost in flight": 2}}
    assert fleet.between(12, 20).verdict == "complete"
    assert fleet.between(1, 9).verdict == "complete"


def test_frames_in_flight_are_not_lost_while_more_of_the_epoch_is_awaited(fleet: Fleet) -> None:
    fleet.send(11, 12, Ledger(captured=14, inferred=12, in_flight=2), live=False)
    fleet.send(1, 30, Ledger(captured=30, inferred=30), epoch="f" * 16)
    assert fleet.between(1, 20).verdict == "unknown"


def test_a_clock_that_was_wrong_once_does_not_make_a_device_heard_for_ever(fleet: Fleet) -> None:
    fleet.send(1, 10, Ledger(captured=10, inferred=10))
    year = 365 * 24 * 60
    fleet.send(year, year, Ledger(captured=11, inferred=11), (Loss(11, year - 1, "damaged"),))
    assert fleet.between(1, 10).heard_ns == NOON + 10 * MINUTE
    assert fleet.between(20, 30).verdict != "complete"


def test_frames_that_were_not_inferred_are_told_by_reason(fleet: Fleet) -> None:
    fleet.send(1, 10, Ledger(captured=10, inferred=10))
    ledger = Ledger(captured=25, inferred=20, dropped={"overwritten": 3}, failed={"decode": 1}, lost=1)
    fleet.send(11, 20, ledger)
    report = fleet.between(11, 20)
    assert report.verdict == "incomplete"
    assert report.pipelines["door"] == {
        "captured": 15,
        "inferred": 10,
        "dropped overwritten": 3,
        "failed decode": 1,
        "lost": 1,
    }
    assert fleet.between(1, 10).verdict == "complete"


def test_records_that_are_gone_lie_between_their_neighbours(fleet: Fleet) -> None:
    fleet.send(1, 10, Ledger(captured=10, inferred=10))
    fleet.send(21, 30, Ledger(captured=30, inferred=30), (Loss(11, 20, "damaged"),))
    [gap] = fleet.between(12, 25).missing
    assert (gap.first, gap.last, gap.reason, gap.count) == (11, 20, "damaged", 10)
    assert (gap.from_ns, gap.to_ns) == (NOON + 10 * MINUTE, NOON + 21 * MINUTE)
    assert fleet.between(22, 30).verdict == "complete"
    assert fleet.between(1, 9).verdict == "complete"


def test_a_loss_that_knows_its_times_keeps_them(fleet: Fleet) -> None:
    fleet.send(21, 30, Ledger(), (Loss(1, 20, "evicted", NOON + 5 * MINUTE, NOON + 6 * MINUTE),))
    assert fleet.between(7, 30).missing == []
    assert len(fleet.between(5, 30).missing) == 1


def half_past_noon(fleet: Fleet) -> list[str]:
    """The words that ask about the half hour from noon on."""
    return [
        "gate",
        *("--from", "2026-11-25T12:00"),
        *("--to", "2026-11-25T12:30"),
        *("--db", f"sqlite:///{fleet.path}"),
    ]


def edgectl(*arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "agent.fleet.main", "gaps", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_what_waits_to_be_unpacked_may_still_tell_of_anything(fleet: Fleet) -> None:
    fleet.send(1, 30, Ledger(captured=30, inferred=30))
    assert fleet.between(0, 30).verdict == "complete"
    fleet.send(31, 40, Ledger(captured=40, inferred=40), unpack=False)
    assert fleet.between(0, 30).verdict == "unknown"
    fleet.warehouse.unpack()
    assert fleet.between(0, 30).verdict == "complete"


def test_a_backlog_that_live_results_have_overtaken_is_still_awaited(fleet: Fleet) -> None:
    fleet.send(1, 10, Ledger(captured=10, inferred=10))
    fleet.send(21, 30, Ledger(captured=30, inferred=30))
    report = fleet.between(0, 30)
    assert report.verdict == "unknown"
    [awaited] = report.awaited
    assert (awaited.first, awaited.last, awaited.reason) == (11, 20, "not here yet")
    assert fleet.between(0, 9).verdict == "complete"
    fleet.send(11, 20, Ledger(captured=20, inferred=20))
    assert fleet.between(0, 30).verdict == "complete"


def test_a_block_that_does_not_unpack_is_missing_as_damaged(fleet: Fleet) -> None:
    fleet.send(1, 10, Ledger(captured=10, inferred=10))
    lease = Lease(EPOCH, 1, (Block(11, 5, b"no block"),), live=True)
    fleet.warehouse.store([Incoming("gate", lease)])
    fleet.send(16, 30, Ledger(captured=30, inferred=30))
    report = fleet.between(0, 30)
    assert report.verdict == "incomplete"
    assert [(one.first, one.last, one.reason) for one in report.missing] == [(11, 15, "damaged")]


def test_a_ledger_that_makes_no_sense_counts_nothing_and_moves_no_cursor(fleet: Fleet) -> None:
    odd: dict[str, Any] = {
        "captured": [1],
        "lost": "x",
        "dropped": [2],
        "failed": {"a": [1], "b\x1b[2J": 3, "c": 2**64 - 1},
    }
    odd |= {"in_flight": {}, "inferred": -1, "gated": True}
    block = Block(1, 1, pack([{"wall_ns": NOON}], {"do\nor": odd}))
    fleet.warehouse.store([Incoming("gate", Lease(EPOCH, 1, (block,), live=False))])
    fleet.warehouse.unpack()
    assert fleet.between(0, 0).pipelines == {"do\nor": {"failed b\x1b[2J": 3, "gated": 1}}
    where = half_past_noon(fleet)
    code, out, _ = edgectl(*where)
    assert (code, out.replace("\n", "").isprintable(), out.count("\n")) == (1, True, 3)
    assert json.loads(edgectl(*where, "--json")[1])["verdict"] == "incomplete"


def test_a_device_without_a_ledger_is_known(fleet: Fleet) -> None:
    block = Block(1, 1, pack([{"wall_ns": NOON}], {}))
    fleet.warehouse.store([Incoming("gate", Lease(EPOCH, 1, (block,), live=True))])
    fleet.warehouse.unpack()
    code, out, _ = edgectl("gate", "--db", f"sqlite:///{fleet.path}")
    assert (code, out.splitlines()[0][-9:]) == (1, ": unknown")
    assert out.splitlines()[1:] == ["  no ledger of it is here that says what it has made"]


@pytest.mark.parametrize(
    "options",
    [
        [b"\xff"],
        [b"Gate"],
        [b"gate", b"--db", b"sqlite:////no/\xff.db"],
        [b"gate", b"--db", b"postgresql://h/\xff"],
        *(
            [b"gate", b"--from", text]
            for text in (b"0001-01-01", b"9999-12-31T23:59:59", b"1000000d", b"9" * 400 + b"w")
        ),
    ],
)
def test_what_makes_no_sense_on_the_command_line_is_told_in_a_line(
    fleet: Fleet, options: list[bytes]
) -> None:
    where = [] if b"--db" in options else [b"--db", f"sqlite:///{fleet.path}".encode()]
    command = [sys.executable.encode(), b"-m", b"agent.fleet.main", b"gaps", *options, *where]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (78, b"", 1)


def test_the_command_says_it_to_people_and_to_programs(fleet: Fleet) -> None:
    fleet.send(1, 10, Ledger(captured=10, inferred=10))
    fleet.send(21, 30, Ledger(captured=30, inferred=30), (Loss(11, 20, "damaged"),))
    where = half_past_noon(fleet)
    ten, twenty_one = "2026-11-25 12:10:00", "2026-11-25 12:21:00"
    code, out, _ = edgectl(*where)
    assert code == 1
    assert out.splitlines() == [
        "gate  2026-11-25 12:00:00 to 2026-11-25 12:30:00: incomplete",
        "  door: 30 captured, 30 inferred",
        f"  missing 10 of result (damaged), 11..20 of {EPOCH}, between {ten} and {twenty_one}",
    ]
    code, out, _ = edgectl(*where, "--json")
    found: dict[str, Any] = json.loads(out)
    assert (code, found["verdict"], found["missing"][0]["count"]) == (1, "incomplete", 10)
    code, out, _ = edgectl(*where[:3], "--to", "2026-11-25T12:09", *where[5:])
    assert (code, out.splitlines()[0][-8:]) == (0, "complete")
    code, _, err = edgectl("gate", "--from", "now", "--to", "1d", *where[5:])
    assert (code, "it ends before it begins" in err) == (78, True)
    code, _, err = edgectl("gate-2", *where[1:])
    assert (code, err.count("\n")) == (1, 1)
    code, _, err = edgectl("gate", "--db", "sqlite:////no/such.db")
    assert (code, "there is no such database" in err) == (1, True)
