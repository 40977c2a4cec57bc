"""Records for pipes: each at least once, and none is lost when the reader leaves."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import zlib
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Block, Lease, pack
from agent.demo.broker import Broker
from agent.errors import AgentError, StoreBusy
from agent.fleet.collecting.databases import open_warehouse, reading
from agent.fleet.collecting.incoming import Incoming
from agent.fleet.collecting.outlet import Form, Outlet
from agent.fleet.collecting.warehouse import Warehouse
from tests.simulators.device import Device

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.simulators.postgres import Server

EPOCH = "0123456789abcdef"


def incoming() -> Incoming:
    records: list[dict[str, Any]] = [
        {"kind": "detection", "pipeline": "gate", "wall_ns": 1_700_000_000_123_456_789, "items": []},
        {"kind": "ledger", "items": [{}]},
        {"wall_ns": -5},
    ]
    block = Block(1, 3, pack(records, {}, {"synced": True}))
    return Incoming("cam-1", Lease(EPOCH, 1, (block,), live=True))


def stored(path: Path) -> Warehouse:
    """A warehouse with three records that are no rows yet."""
    warehouse = Warehouse(path)
    warehouse.store([incoming()])
    return warehouse


def lines(path: Path, form: Form) -> list[dict[str, Any]]:
    mine, theirs = os.pipe()
    with open(mine, "rb") as reader, stored(path) as warehouse:  # noqa: PTH123 - a descriptor
        warehouse.unpack(outlet=Outlet(form, "demo", theirs))
        os.close(theirs)
        return [json.loads(line) for line in reader]


def test_a_record_is_a_cloudevent_that_says_whose_it_is_and_when_it_was_made(tmp_path: Path) -> None:
    first, last = lines(tmp_path / "fleet.db", "cloudevents")
    assert first.pop("data")["pipeline"] == "gate"
    assert first == {
        "specversion": "1.0",
        "id": f"cam-1/result/{EPOCH}/1",
        "source": "edge/v1/demo/d/cam-1",
        "type": "edge-agent.detection",
        "subject": "gate",
        "time": "2023-11-14T22:13:20.123456789Z",
        "datacontenttype": "application/json",
        "synced": True,
    }
    assert (last["id"][-2:], last["type"], "time" in last) == ("/3", "edge-agent.record", False)


def test_a_record_is_a_line_with_its_identity_and_notes_are_left_out(tmp_path: Path) -> None:
    first, last = lines(tmp_path / "fleet.db", "ndjson")
    assert first.pop("record")["kind"] == "detection"
    assert first == {"device": "cam-1", "stream": "result", "epoch": EPOCH, "seq": 1, "synced": True}
    assert last["seq"] == 3


@pytest.mark.parametrize("form", ["ndjson", "cloudevents"])
def test_what_is_nested_too_deep_for_a_line_is_a_bad_block_and_what_is_odd_no_mark(
    tmp_path: Path, form: Form
) -> None:
    def nested(first: int, depth: int, mark: int) -> Block:
        text = f'{{"ledgers": {{}}, "records": [{{"n": {"[" * depth}{"]" * depth}}}], "clock": '
        return Block(first, 1, zlib.compress(f'{text}{{"synced": {"[" * mark}{"]" * mark}}}}}'.encode()))

    blocks = [nested(seq, depth, 1) for seq, depth in enumerate(range(240, 260), 1)]
    lease = Lease(EPOCH, 1, (*blocks, nested(21, 1, 300)), live=True)
    mine, theirs = os.pipe()
    with open(mine, "rb") as reader, Warehouse(tmp_path / "fleet.db") as warehouse:  # noqa: PTH123
        warehouse.store([Incoming("cam-1", lease)])
        warehouse.unpack(outlet=Outlet(form, "demo", theirs))
        os.close(theirs)
        written = [json.loads(line) for line in reader]
        [kept] = warehouse._db.execute("SELECT count(*) FROM records").fetchone()
    assert len(written) == kept < 21
    assert not any(line.get("synced") for line in written)


def test_a_reader_that_leaves_ends_the_transaction_and_the_next_one_gets_all(tmp_path: Path) -> None:
    mine, theirs = os.pipe()
    os.close(mine)
    with stored(tmp_path / "fleet.db") as warehouse:
        with pytest.raises(AgentError, match="its reader left"):
            warehouse.unpack(outlet=Outlet("ndjson", "demo", theirs))
        os.close(theirs)
        assert warehouse._db.execute("SELECT count(*) FROM records").fetchone() == (0,)
        assert warehouse.unpack().records == 3


def sent(first: int, last: int, *, device: str = "cam-1", fresh: bool = False, size: int = 0) -> Incoming:
    """A batch with a block for each record."""
    body = "x" * size
    blocks = tuple(Block(seq, 1, pack([{"n": seq, "x": body}], {})) for seq in range(first, last + 1))
    return Incoming(device, Lease(EPOCH, 1, blocks, live=True), fresh)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that holds 8 KiB: where to read, and where to write."""
    mine, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 8192)
    yield mine, theirs
    for descriptor in (mine, theirs):
        with suppress(OSError):  # closed by the test
            os.close(descriptor)


def taken(descriptor: int, count: int) -> list[int]:
    """The numbers in the next lines of the pipe, and see that it is empty then."""
    with open(descriptor, "rb", closefd=False) as reader:
        found = [json.loads(reader.readline())["seq"] for _ in range(count)]
    assert not select.select([descriptor], [], [], 0)[0]
    return found


def test_a_disk_that_stays_full_writes_no_line_twice(tmp_path: Path, pipe: tuple[int, int]) -> None:
    mine, theirs = pipe
    outlet = Outlet("ndjson", "demo", theirs)
    with Warehouse(tmp_path / "fleet.db") as warehouse:
        warehouse.store([sent(1, 9)])
        [pages] = warehouse._db.execute("PRAGMA page_count").fetchone()
        warehouse._db.execute(f"PRAGMA max_page_count={pages}")
        warehouse._db.execute("CREATE TRIGGER fill AFTER DELETE ON raw BEGIN INSERT INTO bad_blocks "
                              "VALUES ('d', 's', 'e', old.n, 1, '', 0, zeroblob(99999)); END")  # fmt: skip
        for _ in range(3):
            with pytest.raises(StoreBusy, match="the disk is full"):
                warehouse.unpack(outlet=outlet)
        assert taken(mine, 9) == list(range(1, 10))
        warehouse._db.execute("DROP TRIGGER fill")
        assert warehouse.unpack(outlet=outlet).records == 9
        warehouse.store([sent(10, 10)])
        warehouse.unpack(outlet=outlet)
        assert taken(mine, 1) == [10]


def test_what_people_wait_for_is_written_when_it_is_stored_and_before_what_is_older(
    tmp_path: Path, pipe: tuple[int, int]
) -> None:
    mine, theirs = pipe
    outlet = Outlet("ndjson", "demo", theirs)
    with Warehouse(tmp_path / "fleet.db") as warehouse:
        [_, fresh] = warehouse.store([sent(1, 9), sent(20, 21, fresh=True)], at_once=False)
        assert (fresh.rows, warehouse.urgent) == (0, True)
        assert (warehouse.unpack(0, outlet).records, warehouse.urgent) == (2, False)
        assert taken(mine, 2) == [20, 21]
        warehouse.store([sent(22, 22, fresh=True)], at_once=False)
        assert warehouse.unpack(4, outlet).records == 5
        assert taken(mine, 5) == [22, 1, 2, 3, 4]


def test_nothing_is_locked_while_a_reader_takes_its_time(url: str, pipe: tuple[int, int]) -> None:
    mine, theirs = pipe
    with open_warehouse(url) as one, open_warehouse(url) as other:
        one.store([sent(1, 9, size=1000)])
        outlet = Outlet("ndjson", "demo", theirs)
        writing = threading.Thread(target=lambda: one.unpack(outlet=outlet))
        writing.start()
        assert select.select([mine], [], [], 10)[0]  # not all of them fit into the pipe
        [stored] = other.store([sent(10, 12)])
        assert stored.watermark == (12, ())
        assert taken(mine, 9) == list(range(1, 10))
        writing.join()
        with reading(url) as db:
            assert db.execute("SELECT count(*) FROM records").fetchone()[0] == 9


@pytest.mark.postgresql
def test_what_one_collector_writes_no_other_does(postgresql: Server, pipe: tuple[int, int]) -> None:
    mine, theirs = pipe
    url = postgresql.url()
    with open_warehouse(url) as one, open_warehouse(url) as other:
        one.store([sent(1, 9, size=1000), sent(10, 12)])
        outlet = Outlet("ndjson", "demo", theirs)
        writing = threading.Thread(target=lambda: one.unpack(9, outlet=outlet))
        writing.start()
        assert select.select([mine], [], [], 10)[0]
        there, to = os.pipe()
        assert other.unpack(outlet=Outlet("ndjson", "demo", to)).records == 3
        assert taken(there, 3) == [10, 11, 12]
        assert taken(mine, 9) == list(range(1, 10))
        writing.join()
        os.close(there)
        os.close(to)


def test_a_stop_ends_a_write_whose_reader_takes_nothing(tmp_path: Path, pipe: tuple[int, int]) -> None:
    mine, theirs = pipe
    stopping = threading.Event()
    outlet = Outlet("ndjson", "demo", theirs, stopping.is_set)
    with Warehouse(tmp_path / "fleet.db") as warehouse:
        warehouse.store([sent(1, 9, size=1000)])
        later = threading.Timer(0.2, stopping.set)
        later.start()
        began = time.monotonic()
        with pytest.raises(StoreBusy, match="its reader is slow"):
            warehouse.unpack(outlet=outlet)
        assert time.monotonic() - began < 3
        later.join()
        whole = os.read(mine, 1 << 20)
        assert whole.endswith(b"\n")  # a pipe takes a piece as a whole
        assert warehouse._db.execute("SELECT count(*) FROM records").fetchone() == (0,)


@pytest.mark.mosquitto
def test_a_stop_ends_the_command_though_its_reader_takes_nothing(
    tmp_path: Path, pipe: tuple[int, int]
) -> None:
    mine, theirs = pipe
    broker = Broker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    try:
        with closing(Device(broker.port)) as device:
            with subprocess.Popen(
                command(broker, tmp_path), stdout=theirs, stderr=subprocess.PIPE
            ) as process:
                assert process.stderr
                device.commit(size=20_000)
                device.until(lambda: device.drained)
                readable, _, _ = select.select([mine], [], [], 10)
                assert readable
                process.send_signal(signal.SIGTERM)
                errors = process.stderr.read().decode()
                assert process.wait(60) == 0
            assert "its reader is slow" in errors
            assert "Traceback" not in errors
    finally:
        broker.stop()
    with reading(f"sqlite:///{tmp_path}/fleet.db") as db:
        assert db.execute("SELECT sum(count) FROM raw").fetchone() == (10,)


def command(broker: Broker, folder: Path) -> list[str]:
    line = [sys.executable, "-m", "agent.fleet.main", "collect", "--unsigned", "--fleet", "demo", "--json"]
    return [*line, "--port", str(broker.port), "--to", f"sqlite:///{folder}/fleet.db", "--out", "ndjson"]


@pytest.mark.mosquitto
def test_the_command_writes_records_to_the_pipe_and_ends_with_1_when_its_reader_leaves(
    tmp_path: Path,
) -> None:
    broker = Broker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    seen: set[int] = set()
    try:
        with closing(Device(broker.port)) as device:
            for leaves in (True, False):
                with subprocess.Popen(
                    command(broker, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
                ) as process:
                    assert process.stdout
                    assert process.stderr
                    device.commit()
                    device.until(lambda: device.drained)
                    seen.update(json.loads(process.stdout.readline())["seq"] for _ in range(10))
                    if leaves:
                        process.stdout.close()
                        device.commit()
                        device.until(lambda: process.poll() is not None)
                    else:
                        seen.update(json.loads(process.stdout.readline())["seq"] for _ in range(10))
                        process.send_signal(signal.SIGTERM)
                    errors = process.stderr.read().decode()
                    assert process.wait(60) == (1 if leaves else 0)
                assert ("its reader left" in errors.splitlines()[-1]) is leaves
                assert "Traceback" not in errors
    finally:
        broker.stop()
    assert seen == set(range(1, 31))
