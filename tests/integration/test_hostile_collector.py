"""The collector on a broker that wishes it ill: its memory, its counts, and what it stores."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Block, Lease, pack
from agent.fleet.keys import make_keys
from agent.link import batch
from agent.trust.signing import Signer
from tests.simulators.hostile_broker import CONNECT, PUBACK, PUBLISH, HostileBroker, length, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EPOCH = "0123456789abcdef"
TOPIC = b"edge/v1/demo/d/%s/up/results"
FLOOD = 5_000
REPLAYS = 300


def lease(first: int = 1, stream: Any = "result") -> Lease:
    block = Block(first, 2, pack([{"n": first}, {"n": first + 1}], {}))
    return Lease(EPOCH, 1, (block,), live=True, stream=stream)


def key(folder: Path, device: str) -> Signer:
    return Signer.from_pem((folder / f"devices/{device}.key").read_bytes())


@contextmanager
def collecting(broker: HostileBroker, folder: Path, protocol: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "agent.fleet.main", "collect", "--json", "--fleet", "demo"]
    command += ["--port", str(broker.port), "--protocol", protocol, "--keys", str(folder / "keys")]
    command += ["--to", f"sqlite:///{folder / 'fleet.db'}"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    with process:
        try:
            assert process.stdout
            assert json.loads(process.stdout.readline())["event"] == "ready"
            yield process
        finally:
            process.kill()


def memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) * 1024


def until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up, what
        time.sleep(0.02)


class Siege:
    """Sends batches to the collector, each of which must be confirmed to the broker, good or bad."""

    def __init__(self, broker: HostileBroker, folder: Path, five: bool) -> None:
        self.broker = broker
        self.five = five
        self.keys = folder / "keys"
        self.gate = key(self.keys, "gate")
        make_keys(folder / "others", ["gate"])
        self.impostor = key(folder / "others", "gate")

    def send(self, *messages: bytes, topic: bytes = TOPIC % b"gate", times: int = 1) -> None:
        before = len(self.broker.seen(PUBACK))
        for message in messages * times:
            self.broker.send(publish(topic, message, qos=1, mid=7, five=self.five))
        wanted = before + len(messages) * times
        until(lambda: len(self.broker.seen(PUBACK)) >= wanted, "not every message was confirmed")

    def forge(self) -> int:
        """Send six that nobody vouches for, and one that is no batch at all; give how many."""
        header = b"\0" + (40_000).to_bytes(3, "big") + b"[" * 40_000
        self.send(
            batch.encode("demo", "gate", lease(101)),
            batch.encode("demo", "gate", lease(101), self.impostor),
            batch.encode("demo", "gate", lease(101), self.gate)[:-1],
            b"\1" + header[1:] + bytes(64),
            header,
            b"\xff\xfe" * 1000,
        )
        self.send(batch.encode("demo", "stranger", lease(), self.impostor), topic=TOPIC % b"stranger")
        return 7

    def lie(self) -> dict[str, int]:
        """Send what is signed and wrong all the same; give how many of which kind."""
        self.send(batch.encode("demo", "other", lease(101), self.gate))
        self.send(batch.encode("demo", "gate", lease(101, "metric"), self.gate))
        body = b"\1" + (40_000).to_bytes(3, "big") + b"[" * 40_000
        self.send(body + self.gate.sign(batch.KIND, body))
        return {"sender": 1, "format": 2}

    def oversize(self) -> int:
        """Begin what must not be read; give how many connections that cost."""
        begun = [b"\x30" + length(200_000_000), b"\x34"]
        begun += [publish(b"t", length(100_000) + b"\x26\0\0\0\0" * 20_000)] if self.five else []
        for begin in begun:
            connections = len(self.broker.seen(CONNECT))
            try:
                self.broker.send(begin)
            except OSError as error:  # it hung up while we sent
                self.broker.problems.append(error)
            self.broker.wait_for(CONNECT, connections + 1)
        return len(begun)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_hostile_broker_costs_the_collector_no_memory_and_makes_it_store_nothing(
    tmp_path: Path, protocol: str
) -> None:
    make_keys(tmp_path / "keys", ["gate"])
    with HostileBroker() as broker, collecting(broker, tmp_path, protocol) as process:
        siege = Siege(broker, tmp_path, protocol == "5")
        good = batch.encode("demo", "gate", lease(), siege.gate)
        siege.send(good, times=REPLAYS)
        siege.forge()  # once, so that what is loaded for it does not count
        siege.send(b"x", topic=b"flood/before", times=FLOOD)
        before, acked = memory(process.pid), len(broker.seen(PUBLISH))
        forged, lied = siege.forge(), siege.lie()
        siege.send(b"x", topic=b"\xff\xfe\xc3\x28")
        assert len(broker.seen(PUBLISH)) == acked, "it acknowledged what it refused"
        siege.send(good, times=REPLAYS)
        siege.send(b"x" * 100, topic=b"flood/more", times=FLOOD)
        cut = siege.oversize()
        after = memory(process.pid)
        assert after < 1.10 * before, f"{before / 1e6:.1f} MB became {after / 1e6:.1f} MB"
        process.send_signal(signal.SIGTERM)
        assert process.stdout
        last = json.loads(process.stdout.read())
        assert process.wait(20) == 0
        assert (last["new"], last["duplicate"]) == (2, 2 * (2 * REPLAYS - 1))
        assert last["refused"] == 2 * forged + sum(lied.values()) + 2 * FLOOD
        assert {name: count for name, count in last.items() if name.startswith("refused_")} == {
            "refused_signature": 2 * (forged - 1),
            "refused_sender": lied["sender"],
            "refused_format": lied["format"] + 2,
            "refused_topic": 2 * FLOOD + 1,
            "refused_packet": cut,
        }
    with closing(sqlite3.connect(tmp_path / "fleet.db")) as db:
        assert db.execute("SELECT device, seq FROM results ORDER BY 2").fetchall() == [
            ("gate", 1),
            ("gate", 2),
        ]
