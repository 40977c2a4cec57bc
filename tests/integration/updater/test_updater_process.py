"""The updater as a process: it is killed, orphaned, told to stop, and held to its folder."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.processes.child import Child
from agent.updater.messages import Ask, Done, Failed, Fetched, Progress, parse
from tests.simulators.retained import Retained
from tests.simulators.running_agent import alive
from tests.simulators.tuf_fleet import TufFleet
from tests.simulators.updated import spec_of
from tests.simulators.web_shelf import WebShelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.demo.broker import Broker
    from agent.updater.messages import FromUpdater, UpdaterSpec

MODEL = os.urandom(60 * 4096)
ASK = (Ask(name="det", version="1.0.0"),)


@pytest.fixture(scope="module")
def fleet() -> TufFleet:
    found = TufFleet()
    found.add_bundle("det", "1.0.0", {"model.tflite": MODEL}, chunk_size=4096)
    return found


@pytest.fixture
def web(fleet: TufFleet) -> Iterator[WebShelf]:
    with WebShelf(fleet.files()) as found:
        yield found


class Run:
    """One process."""

    def __init__(self, spec: UpdaterSpec) -> None:
        self.child = Child("agent.updater.main", spec.model_dump_json().encode())
        self.child.channel._sock.settimeout(60)
        self.said: list[FromUpdater] = []

    def hear(self) -> FromUpdater | None:
        packet = self.child.channel.receive()
        if not packet:
            return None
        self.said.append(parse(packet))
        return self.said[-1]

    def end(self) -> int:
        while self.hear() is not None:
            pass
        return self.close()

    def close(self) -> int:
        code = self.child._process.wait(30)
        self.child.close()
        return code


def of(run: Run, kind: type[Any]) -> list[Any]:
    return [one for one in run.said if isinstance(one, kind)]


def test_a_bundle_comes_from_a_mirror(fleet: TufFleet, web: WebShelf, tmp_path: Path) -> None:
    run = Run(spec_of(tmp_path / "models", fleet.root, ASK, mirror=web.address))
    assert run.end() == 0
    [fetched] = of(run, Fetched)
    assert (tmp_path / "models" / "bundles" / fetched.digest / "model.tflite").read_bytes() == MODEL
    assert isinstance(run.said[-1], Done)


@pytest.mark.mosquitto
def test_a_bundle_comes_from_a_broker(fleet: TufFleet, broker: Broker, tmp_path: Path) -> None:
    Retained(broker.port, "demo").show(fleet.files())
    settings = {"host": "127.0.0.1", "port": broker.port, "client_id": "gate"}
    run = Run(spec_of(tmp_path / "models", fleet.root, ASK, broker=settings))
    assert run.end() == 0
    [fetched] = of(run, Fetched)
    assert (tmp_path / "models" / "bundles" / fetched.digest / "model.tflite").read_bytes() == MODEL


def test_killed_again_and_again_it_fetches_no_chunk_twice(
    fleet: TufFleet, web: WebShelf, tmp_path: Path
) -> None:
    spec = spec_of(tmp_path / "models", fleet.root, ASK, mirror=web.address)
    noise, kills = random.Random(3), 4
    web.delay_s = 0.005
    for _ in range(kills):
        run = Run(spec)
        while not isinstance(run.hear(), Progress):
            pass
        time.sleep(noise.uniform(0.02, 0.12))
        run.child.signal(signal.SIGKILL)
        assert run.close() == -signal.SIGKILL
    web.delay_s = 0
    run = Run(spec)
    assert run.end() == 0
    [fetched] = of(run, Fetched)
    assert (tmp_path / "models" / "bundles" / fetched.digest / "model.tflite").read_bytes() == MODEL
    assert 0 < fetched.fetched < len(MODEL)
    chunks = [path for path in web.asked if path.startswith("blob/") and fetched.digest not in path]
    assert len(chunks) <= len(set(chunks)) + kills  # one was on its way each time


def test_sigterm_ends_it_at_once(fleet: TufFleet, web: WebShelf, tmp_path: Path) -> None:
    web.delay_s = 0.05
    run = Run(spec_of(tmp_path / "models", fleet.root, ASK, mirror=web.address))
    while not isinstance(run.hear(), Progress):
        pass
    began = time.monotonic()
    run.child.signal(signal.SIGTERM)
    assert run.close() == -signal.SIGTERM
    assert time.monotonic() - began < 5


def test_it_dies_with_its_parent(fleet: TufFleet, web: WebShelf, tmp_path: Path) -> None:
    web.delay_s = 60  # it waits for an answer, and would go on waiting
    spec = spec_of(tmp_path / "models", fleet.root, ASK, mirror=web.address).model_dump_json()
    command = [sys.executable, "-c", PARENT, spec]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        until(lambda: bool(web.asked), 60)
        assert alive(pid)
    until(lambda: not alive(pid), 10)


def until(condition: Callable[[], bool], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_broker_that_is_away_is_told_in_one_line(fleet: TufFleet, tmp_path: Path) -> None:
    settings = {"host": "127.0.0.1", "port": 1, "client_id": "gate"}
    run = Run(spec_of(tmp_path / "models", fleet.root, ASK, broker=settings))
    assert run.end() == 0
    [failed] = of(run, Failed)
    assert (failed.error, failed.name) == ("LinkLost", "")
    assert "\n" not in failed.problem


def test_without_broker_and_mirror_it_says_so(fleet: TufFleet, tmp_path: Path) -> None:
    run = Run(spec_of(tmp_path / "models", fleet.root, ASK))
    assert run.end() == 0
    assert [type(one) for one in run.said] == [Failed, Done]
    assert "neither broker nor mirror" in of(run, Failed)[0].problem


PARENT = """
import os, sys
from agent.processes.child import Child

child = Child("agent.updater.main", sys.argv[1].encode())
print(child.pid, flush=True)
sys.stdin.read()
os._exit(0)
"""
CONFINED = """
import os, socket, subprocess, sys
from pathlib import Path
from agent.confinement.confine import confine_updater

own, other, secret = map(Path, sys.argv[1:])
held = confine_updater(str(own), [])
assert held.seccomp
(own / "a").mkdir()
(own / "b").mkdir()
(own / "a" / "file").write_bytes(b"1")
(own / "link").symlink_to("a")
(own / "a").rename(own / "b" / "a")
(own / "b" / "a" / "file").unlink()
(own / "b" / "a").rmdir()
socket.create_server(("127.0.0.1", 0)).close()
for what in (lambda: (other / "x").write_bytes(b""), secret.read_bytes, lambda: subprocess.run(["true"]),
             lambda: os.kill(os.getppid(), 0), lambda: secret.rename(own / "secret")):
    try:
        what()
    except PermissionError:
        continue
    except OSError as error:
        print(what, error)
        continue
    print("it may", what)
"""


@pytest.mark.landlock
def test_it_is_held_to_its_own_folder(tmp_path: Path) -> None:
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    secret = tmp_path / "other" / "secret"
    secret.write_bytes(b"secret")
    command = [sys.executable, "-c", CONFINED, *map(str, (tmp_path / "own", tmp_path / "other", secret))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def peak_mb(fleet: TufFleet, folder: Path) -> float:
    """Fetch the bundle; give the most memory that the process has had, 2^20 bytes."""
    with WebShelf(fleet.files()) as web:
        run = Run(spec_of(folder, fleet.root, ASK, mirror=web.address))
        with Path(f"/proc/{run.child.pid}/status").open() as status:
            highest = 0
            while run.hear() is not None:
                status.seek(0)
                found = [line.split()[1] for line in status if line.startswith("VmHWM")]
                highest = max(highest, *map(int, found)) if found else highest
        assert run.close() == 0
        assert of(run, Fetched)
    return highest / 1024


def test_its_memory_does_not_grow_with_the_model(fleet: TufFleet, tmp_path: Path) -> None:
    large = TufFleet()
    large.add_bundle("det", "1.0.0", {"model.tflite": os.urandom(32 << 20)})
    assert peak_mb(large, tmp_path / "large") < peak_mb(fleet, tmp_path / "small") + 6
