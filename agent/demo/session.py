"""The demo's processes: broker, collector and agent, as a user would start them, in a temporary folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from agent.child import ending
from agent.control import ask
from agent.demo.account import count
from agent.demo.broker import Broker
from agent.demo.pipelines import PIPELINES, tables
from agent.demo.verdict import Account
from agent.errors import AgentError
from agent.fleet.keys import make_keys

if TYPE_CHECKING:
    from types import TracebackType

_DEVICE, _FLEET = "demo-device", "demo"
_START_S, _STOP_S, _DELIVER_S = 30.0, 20.0, 20.0
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

[store]
path = "device"

{pipelines}"""


class DemoSession:
    """Starts everything on entry, ends everything on exit, whatever happens between.

    Attributes:
        folder: where everything is; removed at the end.
        first_detection_s: from this object's making to the first status in which the first pipeline's
            newest result held an item, seconds; None before that.
    """

    def __init__(self) -> None:
        self._made = time.monotonic()
        self._folder = tempfile.TemporaryDirectory(prefix="edge-agent-demo-")
        self.folder = Path(self._folder.name)
        self._broker = Broker(self.folder / "broker")
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._began = time.monotonic()
        self._last_status: dict[str, Any] = {}
        self._kills = 0
        self.first_detection_s: float | None = None
        self.broker_up = False
        self.broker_cuts = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._end)
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
        keys = self.folder / "keys"
        make_keys(keys, [_DEVICE])
        to = ["--to", f"sqlite:///{self._warehouse}", "--json", "--keys", str(keys)]
        self._start("collector", "agent.fleet.main", "collect", *where, *to)
        self._start("agent", "agent.cli.main", "run", "--config", str(config))
        self._began = time.monotonic()
        self._wait_for_frames()

    def _start(self, name: str, module: str, *arguments: str) -> None:
        # Tethered: no program of the demo outlives it, even if it is killed.
        command = [sys.executable, "-m", "agent.demo.tether", str(os.getpid()), sys.executable, "-m", module]
        with (self.folder / f"{name}.log").open("wb") as log:
            self._programs[name] = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait_for_frames(self) -> None:
        give_up = time.monotonic() + _START_S
        while time.monotonic() < give_up:
            for name, program in self._programs.items():
                if program.poll() is not None:
                    raise AgentError("start", name, self._last_words(name))
            status = self.status()
            if status and all(one["ledger"]["inferred"] for one in status["pipelines"]):
                return
            time.sleep(0.05)
        problem = f"not every pipeline inferred a frame within {_START_S:.0f} s"
        raise AgentError("start", "demo", problem, "Run edge-agent doctor")

    def _last_words(self, name: str) -> str:
        lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it ended at once"

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
            return None
        if self.first_detection_s is None and _finds(self._last_status["pipelines"][0]):
            self.first_detection_s = round(time.monotonic() - self._made, 2)
        return self._last_status

    def cut_broker(self) -> None:
        """Kill the broker."""
        if self.broker_up:
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
        give_up = time.monotonic() + _DELIVER_S
        while time.monotonic() < give_up:
            status = self.status()
            if status and status["link"]["state"] == "online":
                break
            if any(program.poll() is not None for program in self._programs.values()):
                break  # it will not come back; how it ended is told below
            time.sleep(0.1)
        seconds = time.monotonic() - self._began
        self._stop("agent")
        self._stop("collector")
        return self._account(seconds)

    def _stop(self, name: str) -> None:
        program = self._programs[name]
        program.terminate()
        try:
            code = program.wait(_STOP_S)
        except subprocess.TimeoutExpired as error:
            raise AgentError("stop", name, f"it did not end within {_STOP_S:.0f} s") from error
        if code < 0:
            raise AgentError("run", name, f"it was {ending(code)}", "Start the demo again")
        if code:
            raise AgentError("run", name, f"{ending(code)}: {self._last_words(name)}")

    def _account(self, seconds: float) -> Account:
        names = [one.name for one in PIPELINES]
        return Account.of(
            count(self.folder / "device", self._warehouse, _DEVICE, names),
            seconds=seconds,
            restarts={one["name"]: one["restarts"] for one in self._last_status["pipelines"]},
            first_detection_s=self.first_detection_s,
            broker=self._broker.kind,
            broker_cuts=self.broker_cuts,
        )

    def _end(self) -> None:
        for program in self._programs.values():
            if program.poll() is None:
                program.kill()
            program.wait()
        self._broker.stop()
        self._folder.cleanup()


def _finds(pipeline: dict[str, Any]) -> bool:
    last = pipeline["last"]
    return last is not None and bool(last["items"] or last["more"])
