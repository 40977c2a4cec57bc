"""Records for pipes: each at least once, and none is lost when the reader leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zlib
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Block, Lease, pack
from agent.demo.broker import Broker
from agent.errors import AgentError
from agent.fleet.incoming import Incoming
from agent.fleet.outlet import Form, Outlet
from agent.fleet.warehouse import Warehouse
from tests.simulators.device import Device

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = "0123456789abcdef"


def incoming(*, fresh: bool = False) -> Incoming:
    records: list[dict[str, Any]] = [
        {"kind": "detection", "pipeline": "gate", "wall_ns": 1_700_000_000_123_456_789, "items": []},
        {"kind": "ledger", "items": [{}]},
        {"wall_ns": -5},
    ]
    block = Block(1, 3, pack(records, {}, {"synced": True}))
    return Incoming("cam-1", Lease(EPOCH, 1, (block,), live=True), fresh)


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


def test_what_becomes_rows_at_once_is_written_before_it_is_stored(tmp_path: Path) -> None:
    mine, theirs = os.pipe()
    outlet = Outlet("ndjson", "demo", theirs)
    with open(mine, "rb") as reader, Warehouse(tmp_path / "fleet.db") as warehouse:  # noqa: PTH123
        [there] = warehouse.store([incoming(fresh=True)], outlet)
        assert there.rows == 3
        assert [json.loads(reader.readline())["seq"] for _ in range(2)] == [1, 3]
        reader.close()
        again = replace(incoming(fresh=True), device="cam-2")
        with pytest.raises(AgentError, match="its reader left"):
            warehouse.store([again], outlet)
        os.close(theirs)
        assert warehouse.devices() == ["cam-1"]


@pytest.mark.mosquitto
def test_the_command_writes_records_to_the_pipe_and_ends_with_1_when_its_reader_leaves(
    tmp_path: Path,
) -> None:
    broker = Broker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    command = [sys.executable, "-m", "agent.fleet.main", "collect", "--unsigned", "--fleet", "demo", "--json"]
    command += ["--port", str(broker.port), "--to", f"sqlite:///{tmp_path}/fleet.db", "--out", "ndjson"]
    seen: set[int] = set()
    try:
        with closing(Device(broker.port)) as device:
            for leaves in (True, False):
                with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
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
                    assert process.wait(10) == (1 if leaves else 0)
                assert ("its reader left" in errors.splitlines()[-1]) is leaves
                assert "Traceback" not in errors
    finally:
        broker.stop()
    assert seen == set(range(1, 31))
