"""A device and its broker in two network namespaces, and a road between them that can be bad."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from agent.fleet.keys import make_keys
from tests.simulators.field import Field
from tests.simulators.running_agent import PROGRAM
from tests.simulators.slow_road import ADDRESSES

if TYPE_CHECKING:
    from tests.simulators.running_agent import RunningAgent

_PORT = 1883
_TIED = ["setpriv", "--pdeathsig", "KILL"]
_CONFIG = f"listener {_PORT} {ADDRESSES[1]}\nallow_anonymous true\nuser root\nset_tcp_nodelay true\n"
_START_S = 15.0


class Place:
    """A network namespace of its own, which lasts as long as the process that holds it."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen([*_TIED, "unshare", "--net", "sh", "-c", "echo; exec sleep infinity"],
                                        stdout=subprocess.PIPE)  # fmt: skip
        assert self._holder.stdout is not None
        self._holder.stdout.readline()
        self.pid = self._holder.pid

    def inside(self, *command: str) -> list[str]:
        """Give ``command`` so that it runs there."""
        return [*_TIED, "nsenter", f"--net=/proc/{self.pid}/ns/net", *command]

    def close(self) -> None:
        """End it."""
        self._holder.kill()
        self._holder.communicate()


class FarField(Field):
    """A field whose broker and collector are at the other end of a road; a context manager."""

    def __enter__(self) -> Self:
        self._near, self._far = Place(), Place()
        words = [sys.executable, "-m", "tests.simulators.slow_road", str(self._near.pid), str(self._far.pid)]
        self._road = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._answer()
        self._start_broker()
        make_keys(self.keys, self._devices)
        self.start_collector()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_collector()
        self._mosquitto.kill()
        self._mosquitto.wait()
        self._road.communicate()
        self._near.close()
        self._far.close()

    def road(self, **way: float) -> dict[str, int]:
        """Say how the road is from now on (``slow_road.Way``); give how many packets went over it."""
        assert self._road.stdin is not None
        self._road.stdin.write(json.dumps(way).encode() + b"\n")
        self._road.stdin.flush()
        return self._answer()

    def connections(self, device: str) -> int:
        """Count how often the broker was connected to by a device."""
        log = (self.folder / "broker.log").read_text(errors="replace")
        return log.count(f" as field-{device} ")

    def agent(self, device: str, **more: Any) -> RunningAgent:
        """Make an agent of a device, at this end of the road."""
        agent = super().agent(device, port=_PORT, keepalive_s=5, **more)
        agent.config.write_text(agent.config.read_text().replace('"127.0.0.1"', f'"{ADDRESSES[1]}"'))
        agent.program = self._near.inside(*PROGRAM)
        return agent

    def start_collector(self) -> None:
        """Start it beside the broker."""
        where = ["--host", ADDRESSES[1], "--port", str(_PORT), "--fleet", "field"]
        to = ["--to", f"sqlite:///{self.database}", "--keys", str(self.keys), "--json"]
        command = [sys.executable, "-m", "agent.fleet.main", "collect", *where, *to]
        with (self.folder / "collector.log").open("ab") as log:
            self._collector = subprocess.Popen(self._far.inside(*command), stdout=subprocess.PIPE, stderr=log)
        assert self._collector.stdout is not None
        assert json.loads(self._collector.stdout.readline())["event"] == "ready"

    def _answer(self) -> dict[str, Any]:
        assert self._road.stdout is not None
        found: dict[str, Any] = json.loads(self._road.stdout.readline())
        return found

    def _start_broker(self) -> None:
        (self.folder / "mosquitto.conf").write_text(_CONFIG)
        log = self.folder / "broker.log"
        command = self._far.inside("mosquitto", "-c", str(self.folder / "mosquitto.conf"), "-v")
        with log.open("wb") as out:
            self._mosquitto = subprocess.Popen(command, stdout=out, stderr=out)
        give_up = time.monotonic() + _START_S
        while " running" not in log.read_text(errors="replace"):
            assert self._mosquitto.poll() is None, log.read_text()
            assert time.monotonic() < give_up, log.read_text()
            time.sleep(0.02)
