"""A million results wait, then the broker comes: the backlog drains in order, and live results go beside it.

    python -m tests.backlog [--records 1000000] [--bytes-per-s 1000000] [--json]

The real agent with a camera of 30 frames/s, mosquitto behind a proxy, and ``edgectl collect``. While the
backlog drains the link goes half-open once, and the broker is killed and started again once. A live result's
delay is from its capture to when this program sees it in the collector's database, which it asks every 10 ms;
those of an outage, and of two seconds before and after it, wait for it to end and are told apart.
"""

from __future__ import annotations

import argparse
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.clock import SystemClock
from agent.demo.broker import Broker
from agent.errors import AgentError
from agent.fleet.keys import make_keys
from agent.store.outbox import Outbox
from agent.supervision.control import ask
from bench.figures import machine
from bench.sync import fill
from tests.simulators.broker_proxy import BrokerProxy
from tests.simulators.collected import Accounts, accounts, ranges_of, results_after

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = """\
[device]
id = "gate"
[log]
level = "warning"
[mqtt]
host = "127.0.0.1"
port = {port}
fleet = "backlog"
keepalive_s = 5
resend_s = 2
reconnect_max_s = 1
max_bytes_per_s = {bytes_per_s}
[trust]
device_key = "keys/devices/gate.key"
collector_key = "keys/collector.pub"
[store]
path = "data"
[[pipelines]]
name = "door"
model = "glyphs"
source = {{ kind = "synthetic", width = 160, height = 120, fps = 30 }}
"""
GIVE_UP_S = 900.0
SETTLE_S = 2.0


@dataclass
class Drain:
    """What was seen.

    Attributes:
        records: how many waited.
        bytes_on_disk: of the whole data folder, the ballast left out, before the agent started.
        seconds: from the agent's start until the last of the backlog was stored.
        live: live results; those of outages left out.
        beside: live results that were stored before the last of the backlog.
        p95_ms, worst_ms: their delay.
        p95_all_ms: of all results that were captured meanwhile, those of outages included.
        most_ranges: into how many pieces the backlog was ever split at the collector; 1: strictly in order.
        accounts: what became of everything.
    """

    records: int
    bytes_on_disk: int
    seconds: float = 0.0
    live: int = 0
    beside: int = 0
    p95_ms: float = 0.0
    worst_ms: float = 0.0
    p95_all_ms: float = 0.0
    most_ranges: int = 0
    accounts: Accounts | None = None


@dataclass
class Watch:
    """Looks at the collector's database, and remembers when each live result was first there."""

    database: Path
    epoch: str
    delays: list[tuple[float, float]] = field(default_factory=list)  # captured (wall, s), delay (s)
    seen: set[int] = field(default_factory=set)
    whole: int = 0  # all up to here were seen
    most_ranges: int = 0
    drained: int = 0
    beside: int = 0

    def look(self, db: sqlite3.Connection) -> None:
        """Ask once."""
        pieces = ranges_of(db, self.epoch)
        self.most_ranges = max(self.most_ranges, len(pieces))
        self.drained = pieces[0][1] if pieces and pieces[0][0] == 1 else 0
        for seq, wall_ns in results_after(db, self.epoch, self.whole):
            if seq not in self.seen:
                self.seen.add(seq)
                self.delays.append((wall_ns / 1e9, time.time() - wall_ns / 1e9))
        while self.whole + 1 in self.seen:
            self.whole += 1


def drained(folder: Path, records: int, say: Callable[[str], None], bytes_per_s: int = 0) -> Drain:
    """Fill, drain with two outages, and give what was seen.

    Args:
        folder: an empty one.
        records: how many wait.
        say: told how it goes, in lines.
        bytes_per_s: the agent's cap; 0: none, and a small backlog is gone before a live result comes that no
            outage delays.
    """
    fill(folder / "data", records)
    files = [path for path in (folder / "data").rglob("*") if path.is_file() and path.name != "ballast"]
    drain = Drain(records, sum(path.stat().st_size for path in files))
    say(f"{records} records wait in {drain.bytes_on_disk / 1e6:.1f} MB")
    with closing(Outbox(folder / "data", clock=SystemClock())) as outbox:
        lease = outbox.lease(None, 1)
        assert lease is not None
    with ExitStack() as stack:
        broker = Broker(folder / "broker", kind="mosquitto")
        stack.callback(broker.stop)
        broker.start()
        make_keys(folder / "keys", ["gate"])
        collector = started(stack, folder, *collect(folder, broker.port))
        until(lambda: '"ready"' in (folder / "log").read_text(), "the collector is ready")
        proxy = stack.enter_context(BrokerProxy(broker.port))
        (folder / "agent.toml").write_text(CONFIG.format(port=proxy.port, bytes_per_s=bytes_per_s))
        began = time.monotonic()
        agent = started(stack, folder, "agent.cli.main", "run", "--config", str(folder / "agent.toml"))
        watch = Watch(folder / "fleet.db", lease.epoch)
        outages = disturbed(watch, drain, broker, proxy, say)
        drain.seconds = round(time.monotonic() - began, 1)
        with closing(sqlite3.connect(f"file:{watch.database}?mode=ro", uri=True)) as db:
            while time.monotonic() < began + drain.seconds + SETTLE_S:
                watch.look(db)
                time.sleep(0.01)
        for process in (agent, collector):
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, (folder / "log").read_text()[-2000:]
    judge(drain, watch, outages)
    drain.accounts = accounts(watch.database, {("result", lease.epoch): records})
    return drain


def disturbed(
    watch: Watch, drain: Drain, broker: Broker, proxy: BrokerProxy, say: Callable[[str], None]
) -> list[tuple[float, float]]:
    """Watch the backlog drain; disturb it after a third and two thirds. Give the outages, wall times."""
    socket = watch.database.parent / "data" / "agent.sock"
    began = time.time()
    until(lambda: online(socket), "the link is up")
    outages = [(began, time.time())]
    troubles: list[Callable[[], None]] = [proxy.strand, lambda: restart(broker)]
    give_up = time.monotonic() + GIVE_UP_S
    with closing(sqlite3.connect(f"file:{watch.database}?mode=ro", uri=True)) as db:
        while watch.drained < drain.records:
            assert time.monotonic() < give_up, f"{watch.drained} of {drain.records} after {GIVE_UP_S} s"
            watch.beside = len(watch.delays)
            watch.look(db)
            time.sleep(0.01)
            if troubles and watch.drained > drain.records * (3 - len(troubles)) // 3:
                began = time.time()
                troubles.pop(0)()
                until(lambda: not online(socket), "the link is seen to be gone", watch, db)
                until(lambda: online(socket), "the link is back", watch, db)
                outages.append((began - SETTLE_S, time.time()))
                say(f"{watch.drained} of {drain.records}; an outage of {time.time() - began:.1f} s")
    return outages


def judge(drain: Drain, watch: Watch, outages: list[tuple[float, float]]) -> None:
    """Work out the delays of the results that were captured while the backlog drained."""
    calm = [
        delay
        for captured, delay in watch.delays
        if not any(begin <= captured <= end + SETTLE_S for begin, end in outages)
    ]
    assert calm, "no live result came that no outage delayed: more records, or a cap, make the drain last"
    drain.live, drain.most_ranges = len(calm), watch.most_ranges
    drain.beside = watch.beside
    drain.p95_ms = round(float(np.percentile(calm, 95)) * 1000, 1)
    drain.worst_ms = round(max(calm) * 1000, 1)
    drain.p95_all_ms = round(float(np.percentile([delay for _, delay in watch.delays], 95)) * 1000, 1)


def restart(broker: Broker) -> None:
    """Kill the broker; start it again."""
    broker.cut()
    time.sleep(1)
    broker.restore()


def online(socket: Path) -> bool:
    """Whether the agent says that its link is up."""
    return bool(status(socket).get("link", {}).get("state") == "online")


def status(socket: Path) -> dict[str, Any]:
    """What the agent says of itself; nothing while it does not answer."""
    try:
        return ask(socket, {"op": "status"})
    except AgentError:
        return {}


def until(
    condition: Callable[[], bool], what: str, watch: Watch | None = None, db: sqlite3.Connection | None = None
) -> None:
    """Wait; go on watching meanwhile."""
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, f"never: {what}"
        if watch is not None and db is not None:
            watch.look(db)
        time.sleep(0.01)


def collect(folder: Path, port: int) -> list[str]:
    """The collector's command line."""
    where = ["--host", "127.0.0.1", "--port", str(port), "--fleet", "backlog"]
    to = ["--to", f"sqlite:///{folder}/fleet.db", "--keys", str(folder / "keys"), "--json"]
    return ["agent.fleet.main", "collect", *where, *to]


def started(stack: ExitStack, folder: Path, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a program; it ends with the stack at the latest."""
    log = stack.enter_context((folder / "log").open("ab"))
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def main() -> int:
    """Run, print; give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--bytes-per-s", type=int, default=0, help="the agent's cap; default: none")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        say = partial(print, file=sys.stderr)
        drain = drained(Path(name), arguments.records, say, arguments.bytes_per_s)
    found = {"machine": machine(), **asdict(drain)}
    print(
        json.dumps(found) if arguments.json else "\n".join(f"{key}: {value}" for key, value in found.items())
    )
    assert drain.accounts is not None
    return 0 if drain.p95_ms < 1000 and not (drain.accounts.missing or drain.accounts.lost) else 1


if __name__ == "__main__":
    sys.exit(main())
