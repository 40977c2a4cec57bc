"""The whole agent on a broker that wishes it ill: its memory, its threads and its counts."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.fleet.keys import Keyring, make_keys
from agent.link import ack
from tests.simulators.hostile_broker import CONNECT, SUBSCRIBE, HostileBroker, frame, length, publish
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from collections.abc import Callable

ACKS = b"edge/v1/demo/d/gate/down/ack"
TABLES = """
[device]
id = "gate"
[mqtt]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
fleet = "demo"
reconnect_max_s = 1
[trust]
device_key = "keys/devices/gate.key"
collector_key = "keys/collector.pub"
"""


_FLOOD = 5000


def memory(pid: int) -> int:
    """Bytes that a process really has."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) * 1024


class Siege:
    """An agent under way, and its broker."""

    def __init__(self, broker: HostileBroker, agent: RunningAgent, five: bool) -> None:
        self.broker = broker
        self.agent = agent
        self.five = five

    @property
    def refused(self) -> int:
        return int(self.agent.status()["events"].get("message.refused", 0))

    def settled(self) -> int:
        """How many messages were refused, once no more are."""
        last = -1
        while (now := self.refused) != last:
            last = now
            time.sleep(0.3)
        return now

    def until(self, condition: Callable[[], bool], what: str) -> None:
        give_up = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < give_up, what
            time.sleep(0.05)

    def send(self, *messages: bytes) -> None:
        """Send whole messages on the acknowledgements' topic; all of them reach the main thread."""
        for message in messages:
            before = self.refused
            self.broker.send(publish(ACKS, message, qos=1, mid=9, five=self.five))
            self.until(lambda before=before: self.refused > before, "a refusal was not counted")  # type: ignore[misc]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_hostile_broker_costs_no_memory_no_thread_and_no_result(tmp_path: Path, protocol: str) -> None:
    make_keys(tmp_path / "keys", ["gate"])
    five = protocol == "5"
    with HostileBroker() as broker:
        tables = TABLES.format(port=broker.port, protocol=protocol)
        with RunningAgent(tmp_path, more=tables) as agent:
            siege = Siege(broker, agent, five)
            agent.until_inferred(100)
            broker.wait_for(SUBSCRIBE, 1)
            forge(siege)  # once, so that what is loaded for it does not count
            before = memory(agent.process.pid)
            forge(siege)
            replay(siege)
            flood(siege)
            oversize(siege)
            agent.until_inferred(50)
            after, status = memory(agent.process.pid), agent.status()
            assert status["pipelines"][0]["restarts"] == 0
            assert status["link"]["state"] == "online"
            assert status["store"]["acked"] == 0  # it has never said anything that counts
            assert after < 1.10 * before, f"{before / 1e6:.1f} MB became {after / 1e6:.1f} MB"
            assert agent.end() == 0
        records, ledger = agent.stored()
        assert (
            len({record["frame"] for record in records if record["kind"] != "ledger"}) == ledger["inferred"]
        )


def forge(siege: Siege) -> None:
    """What is no acknowledgement, or of somebody else."""
    other = siege.agent.folder / "others"
    make_keys(other)
    epoch = siege.agent.status()["store"]["epoch"]
    extent = {"result": {epoch: (10_000_000, ())}}
    siege.send(
        ack.encode("demo", "gate", extent),
        ack.encode("demo", "gate", extent, signer=Keyring(other).signer),
        b"[" * 200_000,
        b'{"payload":' + b'{"a":' * 30_000,
        b"\xff\xfe" * 1000,
        b"",
        json.dumps({"payloadType": ack.KIND, "payload": "A" * 100_000, "signatures": []}).encode(),
    )


def replay(siege: Siege) -> None:
    """An acknowledgement that is signed, and says nothing new, a thousand times; of another device, too."""
    old = ack.encode("demo", "gate", {}, signer=Keyring(siege.agent.folder / "keys").signer)
    stranger = ack.encode("demo", "other", {}, signer=Keyring(siege.agent.folder / "keys").signer)
    for _ in range(1000):  # those that come while others wait are dropped, and counted
        siege.broker.send(publish(ACKS, old, qos=1, mid=9, five=siege.five))
    siege.send(stranger)


def flood(siege: Siege) -> None:
    """Topics that nobody asked for, and topics that are none."""
    before = siege.settled()
    for number in range(_FLOOD):
        siege.broker.send(publish(b"flood/%d" % number, b"x" * 100, five=siege.five))
    siege.until(lambda: siege.refused >= before + _FLOOD, "not every message of the flood was counted")
    assert siege.settled() == before + _FLOOD
    siege.broker.send(publish(b"\xff\xfe\xc3\x28", b"{}", qos=1, mid=3, five=siege.five))
    siege.until(lambda: siege.refused == before + _FLOOD + 1, "the bad topic was not counted")


def oversize(siege: Siege) -> None:
    """A packet of 200 MB, what paho would keep, and what would keep it busy: each costs the connection."""
    bomb = publish(ACKS, length(200_000) + b"\x26\0\0\0\0" * 40_000, qos=1)  # would take paho 20 s
    begun = [b"\x30" + length(200_000_000), frame(0x34, b"\0\1a\0\1" + b"x" * 1000)]
    for begin in [*begun, bomb] if siege.five else begun:
        before, connections = siege.refused, len(siege.broker.seen(CONNECT))
        siege.broker.send(begin)
        try:
            for _ in range(50):
                siege.broker.send(b"x" * (1 << 20))
        except OSError:
            pass  # it hung up, as it should
        siege.until(lambda before=before: siege.refused > before, "not counted")  # type: ignore[misc]
        siege.broker.wait_for(CONNECT, connections + 1)
