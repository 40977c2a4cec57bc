"""Settings from the operator on a real device with a real broker: taken, taken back, refused; reloads."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.cli.device.commanding import carried_out
from agent.documents import vitals
from agent.documents.desired import Maintenance
from agent.link import topics
from agent.link.mqtt import Link
from agent.link.settings import LinkMessage, LinkSettings
from agent.schedules import Window
from agent.supervision.control import ask
from agent.trust.signing import Verifier
from tests.simulators.ear import Ear
from tests.simulators.field import until
from tests.simulators.operator import DEVICE, FLEET, Operator, moody_program, settle
from tests.simulators.running_agent import PROGRAM, RunningAgent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto

GROUP = "yard"
PIPELINE = """backend = { kind = "moody" }
source = { kind = "synthetic", width = 64, height = 64, fps = 50 }"""
SLOW = 'source = { kind = "synthetic", width = 64, height = 64, fps = 10 }'
RATE = {"pipelines.door.max_rate": 7}


class World:
    """An operator, and a device whose model "one" is active."""

    def __init__(self, folder: Path, operator: Operator) -> None:
        self.folder, self.operator = folder, operator
        operator.publish()
        settle(folder / "data", active=1)
        self.program = moody_program(folder)

    def device(self) -> RunningAgent:
        made = RunningAgent(self.folder, PIPELINE, self.operator.tables(), model="")
        text = made.config.read_text().replace("[device]\n", f'[device]\ngroups = ["{GROUP}"]\n')
        made.config.write_text("shutdown_drain_s = 0.0\n" + text)
        made.program = self.program
        return made


@pytest.fixture
def world(tmp_path: Path, broker: Broker) -> Iterator[World]:
    with Operator(tmp_path, broker.port) as operator:
        yield World(tmp_path, operator)


def test_settings_are_taken_one_that_breaks_the_device_is_taken_back_and_a_bad_one_refused_with_its_key(
    world: World, broker: Broker
) -> None:
    operator, ear = world.operator, Ear()
    listening = LinkSettings("127.0.0.1", broker.port, "vitals-ear")
    link = Link(listening, post=ear.post, subscriptions=((topics.up_vitals(FLEET, DEVICE), 1),))
    link.start()
    with world.device() as device:
        operator.deploy(overrides=RATE)
        report = operator.until_settings("active")
        assert (report.settings.overrides, report.groups, report.maintenance) == (
            tuple(RATE),
            (GROUP,),
            "any",
        )
        assert report.board is not None
        assert (report.board.cores, report.board.ram_mb > 0) == (len(os.sched_getaffinity(0)), True)
        device.until_inferred(3)
        operator.deploy(overrides=RATE | {"pipelines.door.decoder.nope": 1})
        report = operator.until_settings("rolled_back")
        assert "decoder.nope" in report.settings.reason
        device.until_inferred(3)
        operator.deploy(overrides={"pipelines.door.max_rate": -1})
        report = operator.until_settings("rejected")
        assert report.settings.reason.startswith("override pipelines.door.max_rate: Input should be")
        pid = device.pipeline()["pid"]
        operator.deploy(overrides={"trust.unsigned": True})
        report = operator.until_settings("rejected")
        assert report.settings.reason.startswith("override trust.unsigned: it is not the operator's to set")
        assert (report.settings.overrides, device.pipeline()["pid"]) == (tuple(RATE), pid)
        key = Verifier.from_pem((world.folder / "device.pub").read_bytes())
        while True:
            message = ear.wait(LinkMessage, 20)
            told = vitals.decode(message.payload, key, fleet=FLEET, device=DEVICE)
            if told.pipelines["door"].state == "running":
                break
        assert told.pipelines["door"].model == "one@1"
        assert device.end() == 0
    link.close()


def test_what_disturbs_waits_for_the_window_and_nothing_else_does(world: World) -> None:
    operator = world.operator
    operator.add("two", value=2)
    operator.publish()
    now = datetime.now(UTC)
    begin, end = (f"{(now + timedelta(hours=hours)):%H:%M}" for hours in (3, 4))
    closed = Maintenance(windows=(Window(begin=begin, end=end),), zone="UTC")
    with world.device() as device:
        pid = device.until_inferred(3)["pid"]
        operator.deploy(overrides=RATE, maintenance=closed, door="two")
        waits = operator.until(lambda one: one.state == "verified" and bool(one.reason))
        assert waits.reason == "it waits for the maintenance window"
        report = operator.until_settings("waiting")
        assert (report.maintenance, report.settings.overrides) == ("closed", ())
        assert device.pipeline()["pid"] == pid
        order = {"op": "command", "command": "reboot", "args": {"window": True}}
        reboot = ask(device.control, order)["id"]
        assert carried_out(device.control, "ping", {}, 20)["state"] == "done"  # written after it
        assert device.status()["commands"] == [{"id": reboot, "op": "reboot", "waits": waits.reason}]
        device.end(signal.SIGKILL)
    with world.device() as device:
        device.until_inferred(3)
        assert operator.until_settings("waiting").pipelines["door"].state == "verified"
        look = {"op": "outcome", "id": reboot}
        assert ask(device.control, look)["waits"] == waits.reason
        operator.deploy(overrides=RATE, door="two")
        operator.until_settings("active")
        operator.until(lambda one: one.state != "verified")
        device.until(lambda _: bool(ask(device.control, look)["state"] == "settled"))
        assert "host.reboot of this device" in ask(device.control, look)["outcome"]["reason"]
        assert device.end() == 0


def test_a_reload_leaves_nothing_behind_and_what_does_not_hold_changes_nothing(tmp_path: Path) -> None:
    with RunningAgent(tmp_path, SLOW) as device:
        device.until_inferred(3)
        good = device.config.read_text()

        def held() -> tuple[int, int]:
            """Descriptors and threads, the fewest within a second: clients of the socket come and go."""
            folder, counts = Path(f"/proc/{device.process.pid}"), []
            for _ in range(20):
                counts.append((len(list((folder / "fd").iterdir())), len(list((folder / "task").iterdir()))))
                time.sleep(0.05)
            return min(counts)

        def reload(says: str) -> None:
            before = device.log.count(says)
            device.process.send_signal(signal.SIGHUP)
            give_up = time.monotonic() + 60
            while device.log.count(says) == before:
                assert time.monotonic() < give_up, device.log
                time.sleep(0.01)
            device.until_inferred(3)

        def command(*words: str) -> str:
            program = [*PROGRAM, "command", *words, "--socket", str(device.control)]
            done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
            return done.stdout + done.stderr

        reload("lane.ready")
        at_first = held()
        assert "reload: done" in command("reload")
        device.until_inferred(3)
        until(lambda: held() == at_first, "all that the life before held is given back")
        pid = device.pipeline()["pid"]
        device.config.write_text("nonsense = 1\n" + good)
        reload("settings.refused reload problem=")
        assert "agent.toml:1: nonsense: there is no such key" in device.log
        said = command("override", 'values={"pipelines.door.max_rate": -1}')
        assert "override: failed: override pipelines.door.max_rate: Input should be" in said
        assert device.pipeline()["pid"] == pid
        device.config.write_text(good.replace("fps = 10", "fps = -1"))
        reload("settings.refused reload problem=pipeline door cannot run")
        assert "override: done" in command("override", 'values={"pipelines.door.max_rate": 9}', "seconds=0")
        assert device.end() == 0
