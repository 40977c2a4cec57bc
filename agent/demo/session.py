"""The demo's processes: broker, collector and agent, as a user would start them, in a temporary folder."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from agent.demo.account import count
from agent.demo.broker import Broker
from agent.demo.deeds import Deeds
from agent.demo.pipelines import PIPELINES, tables
from agent.demo.programs import Programs
from agent.demo.rollouts import Rollouts
from agent.demo.verdict import Account
from agent.errors import AgentError
from agent.fleet.keys import make_keys
from agent.supervision.control import ask

if TYPE_CHECKING:
    from types import TracebackType

    from agent.demo.broker import Kind

_DEVICE, _FLEET = "demo-device", "demo"
_START_S, _DELIVER_S = 30.0, 20.0
_SERVERS = ("agent", "collector")
"""Those that run until they are stopped, in the order in which they are."""
_CONFIG = """\
[device]
id = "{device}"

[mqtt]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
fleet = "{fleet}"
resend_s = 2.0
reconnect_max_s = 2.0

[trust]
device_key = "keys/devices/{device}.key"
collector_key = "keys/collector.pub"

[models]
root = "keys/tuf/meta/1.root.json"

[store]
path = "device"

{pipelines}"""


class DemoSession:
    """Starts everything on entry, ends everything on exit, whatever happens between.

    Args:
        kind: which broker; None takes mosquitto if it is there, else amqtt.

    Attributes:
        folder: where everything is; removed at the end.
        rollouts: the operator of the models; ``status`` lets it go on.
        first_detection_s: from this object's making to the first status in which the first pipeline's
            newest result held an item, seconds; None before that.
    """

    def __init__(self, kind: Kind | None = None) -> None:
        self._made = time.monotonic()
        self._folder = tempfile.TemporaryDirectory(prefix="edge-agent-demo-")
        self.folder = Path(self._folder.name)
        self._broker = Broker(self.folder / "broker", kind=kind)
        self._programs = Programs(self.folder)
        self.rollouts = Rollouts(
            self.folder, self._programs, self._broker, _FLEET, _DEVICE, PIPELINES[0].name
        )
        self._began = time.monotonic()
        self._last_status: dict[str, Any] = {}
        self._kills = 0
        self.first_detection_s: float | None = None
        self.broker_up = False
        self.broker_cuts = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._end)
            make_keys(self.folder / "keys", [_DEVICE])
            with self.rollouts.making_keys():
                self._broker.start()
            self.broker_up = True
            self._start_programs()
            stack.pop_all()  # all runs: from here on it ends in __exit__
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        self._end()

    def _start_programs(self) -> None:
        port = self._broker.port
        config = self.folder / "agent.toml"
        config.write_text(
            _CONFIG.format(
                device=_DEVICE,
                port=port,
                protocol=self._broker.protocol,
                fleet=_FLEET,
                pipelines=tables(),
            )
        )
        where = ["--host", "127.0.0.1", "--port", str(port), "--fleet", _FLEET]
        where += ["--protocol", self._broker.protocol]
        self._programs.start("agent", "agent.cli.main", "run", "--config", str(config))
        to = ["--to", f"sqlite:///{self._warehouse}", "--json", "--keys", str(self.folder / "keys")]
        self._programs.start("collector", "agent.fleet.main", "collect", *where, *to)
        self._began = time.monotonic()
        self._wait_for_frames()

    def _wait_for_frames(self) -> None:
        give_up = time.monotonic() + _START_S
        while time.monotonic() < give_up:
            for name in _SERVERS:
                if self._programs.code(name) is not None:
                    raise AgentError("start", name, self._programs.last_words(name))
            status = self.status()
            if status and all(one["ledger"]["inferred"] for one in status["pipelines"]):
                return
            time.sleep(0.05)
        problem = f"not every pipeline inferred a frame within {_START_S:.0f} s"
        raise AgentError("start", "demo", problem, "Run edge-agent doctor")

    @property
    def crippled(self) -> bool:
        """Whether agent or collector have ended, which they should not."""
        return any(self._programs.code(name) is not None for name in _SERVERS)

    @property
    def broker_kind(self) -> str:
        """Which broker this is."""
        return self._broker.kind

    @property
    def _warehouse(self) -> Path:
        return self.folder / "fleet.db"

    def status(self) -> dict[str, Any] | None:
        """What the agent says of itself; None when it does not answer."""
        try:
            self._last_status = ask(self.folder / "device" / "agent.sock", {"op": "status"}, timeout_s=2.0)
        except AgentError:
            self.rollouts.look(None)
            return None
        if self.first_detection_s is None and _finds(self._last_status["pipelines"][0]):
            self.first_detection_s = round(time.monotonic() - self._made, 2)
        self.rollouts.look(self._last_status)
        return self._last_status

    def cut_broker(self) -> None:
        """Kill the broker."""
        if self.broker_up:
            self.rollouts.break_off()
            self._broker.cut()
            self.broker_up = False
            self.broker_cuts += 1

    def restore_broker(self) -> None:
        """Bring the broker back, on the same port."""
        if not self.broker_up:
            self._broker.restore()
            self.broker_up = True

    @property
    def next_victim(self) -> str:
        """Whose worker ``kill_worker`` kills next: each pipeline's in turn."""
        return PIPELINES[self._kills % len(PIPELINES)].name

    def kill_worker(self) -> str:
        """Kill one pipeline's worker process; say what was done."""
        name = self.next_victim
        status = self.status()
        pids = {one["name"]: one["pid"] for one in status["pipelines"]} if status else {}
        pid = pids.get(name)
        if pid is None:
            return f"{name} has no worker to kill just now"
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return f"the worker of {name} had just ended by itself"
        self._kills += 1
        return f"killed the worker of {name} (pid {pid}); a new one takes over"

    def finish(self) -> Account:
        """Let everything arrive, stop agent and collector, and count."""
        self.restore_broker()
        self.rollouts.stop()
        give_up = time.monotonic() + _DELIVER_S
        while time.monotonic() < give_up:
            status = self.status()
            if status and status["link"]["state"] == "online":
                break
            if self.crippled:
                break  # it will not come back; how it ended is told below
            time.sleep(0.1)
        seconds = time.monotonic() - self._began
        for name in _SERVERS:
            self._programs.stop(name)
        return self._account(seconds)

    def _account(self, seconds: float) -> Account:
        names = [one.name for one in PIPELINES]
        return Account.of(
            count(self.folder / "device", self._warehouse, _DEVICE, names),
            seconds=seconds,
            restarts={one["name"]: one["restarts"] for one in self._last_status["pipelines"]},
            first_detection_s=self.first_detection_s,
            broker=self._broker.kind,
            deeds=self._deeds(),
        )

    def _deeds(self) -> Deeds:
        bundles = self.folder / "device" / "models" / "bundles"
        return Deeds(
            broker_cuts=self.broker_cuts,
            outcomes=self.rollouts.outcomes,
            refusals=self.rollouts.refusals,
            stored=frozenset(one.name for one in bundles.iterdir()) if bundles.is_dir() else frozenset(),
        )

    def _end(self) -> None:
        self._programs.kill()
        self._broker.stop()
        self._folder.cleanup()


def _finds(pipeline: dict[str, Any]) -> bool:
    last = pipeline["last"]
    return last is not None and bool(last["items"] or last["more"])
