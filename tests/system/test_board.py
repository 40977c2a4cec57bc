"""The service on a virtual board of 64-bit ARM, from boot to a power cut, with the broker outside."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.test_confinement import ATTEMPTS
from tests.simulators import burglar
from tests.system import board
from tests.system.booted import UNIT
from tests.system.test_line import SCRATCH, SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.vm import Vm

pytestmark = [pytest.mark.arm64, pytest.mark.timeout(1500)]

MODEL = "/etc/edge-agent/models/mobilenet.tflite"


@pytest.fixture
def service(arm_board: Vm) -> Iterator[Vm]:
    """The service, started on one pipeline and inferring."""
    arm_board.start(board.config())
    board.inferring(arm_board)
    yield arm_board
    arm_board.run("systemctl", "stop", UNIT)


@pytest.fixture(scope="module")
def line(arm_board: Vm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[board.Outside]:
    """Broker and collector on this machine, and the board's keys on the board."""
    with board.outside(arm_board, tmp_path_factory.mktemp("outside")) as line:
        yield line


def test_it_starts_confined_on_xnnpack_and_a_stop_leaves_all_on_the_disk(arm_board: Vm) -> None:
    assert arm_board.sh("uname -m") == "aarch64\n"
    began = time.monotonic()
    arm_board.start(board.config())
    ready_s = time.monotonic() - began
    status = board.until_status(arm_board, lambda now: now["store"]["committed"] > 0, "store a result")
    print(f"\nstart: ready after {ready_s:.0f} s, first result stored after {time.monotonic() - began:.0f} s")
    door = board.inferring(arm_board)
    assert (door["delegate"], door["delegated"][0], door["balanced"]) == ("xnnpack", 6, True)
    assert door["confined"]["landlock"] >= 2
    assert door["confined"]["seccomp"]
    owner = arm_board.run("ps", "-o", "uid=", "-p", str(board.supervisor(arm_board))).stdout
    assert int(owner) >= 61184
    assert arm_board.run("systemctl", "stop", UNIT).returncode == 0
    assert (arm_board.show("Result"), arm_board.show("ExecMainStatus")) == ("success", "0")
    _, ledger = board.results_of(arm_board, status["store"]["epoch"])
    assert (ledger["in_flight"], ledger["lost"]) == (0, 0)


def test_a_killed_worker_is_replaced_and_a_killed_supervisor_started_again(service: Vm) -> None:
    before, worker = board.supervisor(service), board.inferring(service)["pid"]
    service.kill("KILL", worker)
    told = board.until_status(
        service, lambda now: now["pipelines"][0]["pid"] not in {None, worker}, "start another worker"
    )
    assert board.supervisor(service) == before
    door = board.inferring(service)
    assert (door["balanced"], door["restarts"]) == (True, 1)
    service.kill("KILL", before)
    board.restarted(service, before)
    assert service.run("kill", "-0", str(door["pid"])).returncode != 0
    service.run("systemctl", "stop", UNIT)
    board.results_of(service, told["store"]["epoch"])


def test_a_supervisor_that_stands_still_is_ended_by_the_watchdog(service: Vm) -> None:
    service.write(f"/run/systemd/system/{UNIT}.d/zz-watchdog.conf", "[Service]\nWatchdogSec=30\n")
    service.sh(f"systemctl daemon-reload; systemctl restart {UNIT}")
    board.inferring(service)
    before = board.supervisor(service)
    service.kill("STOP", before)
    board.restarted(service, before)
    assert "watchdog" in service.journal().lower()
    service.sh(f"rm -r /run/systemd/system/{UNIT}.d; systemctl daemon-reload")


def test_a_camera_that_is_unplugged_is_missed_and_comes_back(arm_board: Vm) -> None:
    arm_board.sh("modprobe vivid n_devs=1 node_types=0x1; udevadm settle")
    source = f'{{ kind = "camera", device = "{board.CAMERA}", width = 320, height = 180 }}'
    arm_board.start(board.config(source=source))
    board.inferring(arm_board)
    arm_board.sh(f"echo vivid.0 > {board.DRIVER}/unbind")
    arm_board.until(lambda: "source.lost door" in arm_board.journal(), "miss it", 5)
    assert arm_board.run("test", "-e", board.CAMERA).returncode == 1
    arm_board.sh(f"echo vivid.0 > {board.DRIVER}/bind")
    door = board.inferring(arm_board)
    assert (door["state"], door["balanced"]) == ("running", True)
    arm_board.run("systemctl", "stop", UNIT)


def test_a_broker_that_goes_and_comes_back_gets_all_and_nothing_twice(
    arm_board: Vm, line: board.Outside
) -> None:
    arm_board.start(board.config(more=line.mqtt))
    board.until_status(arm_board, lambda now: now["store"]["acked"] > 5, "deliver")
    line.broker.cut()
    board.until_status(arm_board, lambda now: now["link"]["state"] != "online", "miss the broker")
    waiting = board.until_status(arm_board, lambda now: now["store"]["backlog"] > 15, "keep results")
    line.broker.restore()
    last = waiting["store"]["committed"]
    board.until_status(arm_board, lambda now: now["store"]["acked"] >= last, "deliver what waited")
    arm_board.run("systemctl", "stop", UNIT)
    assert arm_board.show("Result") == "success"
    found = line.settled({("result", waiting["store"]["epoch"]): last})
    assert (found.missing, found.lost, found.duplicated, found.unbalanced) == (0, 0, 0, ())
    assert found.stored > last


def test_a_worker_does_nothing_of_what_an_attacker_in_it_tries(arm_board: Vm, line: board.Outside) -> None:
    board.plug_in(arm_board, burglar)
    loot = ", ".join(f'"{what}" = "{path}"' for what, path in SECRETS.items())
    places = f'control = "/run/edge-agent/agent.sock", scratch = "{SCRATCH}"'
    source = f'{{ kind = "burglar", loot = {{ {loot} }}, {places} }}'
    arm_board.start(board.config(source=source, more=line.mqtt))
    status = board.until_status(arm_board, lambda now: "{" in str(now["pipelines"][0]["problem"]), "burgle")
    absent = [what for what, path in SECRETS.items() if arm_board.run("test", "-e", path).returncode]
    arm_board.run("systemctl", "stop", UNIT)
    assert absent == [], "nothing to be had: it proves nothing"
    problem = status["pipelines"][0]["problem"]
    found = json.loads(problem[problem.index("{") : problem.rindex("}") + 1])
    assert found.keys() == ATTEMPTS
    assert {name: told for name, told in found.items() if told == "done"} == {}


@pytest.mark.shared
def test_memory_of_a_pipeline_is_told(service: Vm, shared: Path) -> None:
    board.inferring(service, 20)
    found = {"glyphs": board.pss(service)}
    model = (shared / "models" / "mobilenet_v2_1.0_224_quant.tflite").read_bytes()
    service.write("/tmp/model", base64.b64encode(model).decode())
    service.sh(f"mkdir -p $(dirname {MODEL}); base64 -d /tmp/model > {MODEL}")
    config = board.config(MODEL).replace("source =", 'task = "classification"\nsource =')
    service.run("systemctl", "stop", UNIT)
    service.start(config.replace("fps = 4", "fps = 1"))
    board.inferring(service, 10)
    found["mobilenet_v2"] = board.pss(service)
    print()
    for name, told in found.items():
        print(f"PSS with {name}:", ", ".join(f"{what} {kb / 1024:.1f} MB" for what, kb in told.items()))
        assert set(told) == {"supervisor", "agent.workers.main"}
        assert sum(told.values()) < 200 << 10


def test_a_power_cut_costs_nothing_that_was_stored(arm_board: Vm) -> None:
    board.lose_power(arm_board)
