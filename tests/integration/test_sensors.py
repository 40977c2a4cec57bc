"""Sensors of every kind before one agent, each in a confined worker of its own."""

from __future__ import annotations

import os
import time
import tty
import wave
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.simulators import tiny_models
from tests.simulators.modbus_units import UNIT, served
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WINDOWS = "rate = 100, window = 4, max_gap_s = 30"
VALUES = {"door": 1.5, "iio": 7, "hwmon": 41.5, "samples": 3, "wav": 0.5, "modbus": 1.5, "can": 8195}
"""What each sensor gives."""


class Wire:
    """A serial port whose stable name, a link, leads to whatever is plugged in."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self._ends: tuple[int, ...] = ()
        self._last = ""

    def plug(self) -> None:
        self._ends = os.openpty()
        if os.ttyname(self._ends[1]) == self._last:  # what comes back has a new node, and this one the same
            same, self._ends = self._ends, os.openpty()
            for end in same:
                os.close(end)
        for end in self._ends:
            tty.setraw(end)
        os.set_blocking(self._ends[0], False)
        self._last = os.ttyname(self._ends[1])
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(self._last)

    def unplug(self) -> None:
        for end in self._ends:
            os.close(end)
        self._ends = ()

    def say(self, line: bytes) -> None:
        try:
            os.write(self._ends[0], line)
        except BlockingIOError:  # nobody reads, and the line is full
            time.sleep(0.01)


class Plant:
    """All sensors, and an agent with a pipeline for each."""

    def __init__(self, folder: Path, port: int) -> None:
        self.wire, self.adapter = Wire(folder / "serial"), Wire(folder / "adapter")
        for wire in (self.wire, self.adapter):
            wire.plug()
        _files(folder)
        (folder / "echo.tflite").write_bytes(tiny_models.echo("float32", (1, 4, 1)))
        register = '{ name = "flow", address = 0x10, type = "float32" }'
        signal = '{ name = "rpm", id = 0x123, start = 0, length = 16, scale = 0.25 }'
        self.sources = {
            "door": f'kind = "serial", port = "{self.wire.link}", pattern = "T=(?P<t>.*)", {WINDOWS}',
            "iio": f'kind = "iio", root = "{folder}/iio", device = "adc", {WINDOWS},'
            ' channels = ["in_voltage0"]',
            "hwmon": f'kind = "hwmon", root = "{folder}/hwmon", device = "board", {WINDOWS},'
            ' channels = ["temp1"]',
            "samples": f'kind = "samples", path = "{folder}/log.csv", {WINDOWS}, realtime = true',
            "wav": f'kind = "wav", path = "{folder}/sound.wav", window = 4, realtime = true',
            "modbus": f'kind = "modbus", host = "127.0.0.1", port = {port}, unit = {UNIT}, timeout_s = 5,'
            f" registers = [{register}], {WINDOWS}",
            "can": f'kind = "can", channel = "{self.adapter.link}", hold_s = 30, {WINDOWS},'
            f" signals = [{signal}]",
        }
        model = f'model = "{folder}/echo.tflite"\ntask = "tensor"\n'
        more = [
            f'[[pipelines]]\nname = "{name}"\n{model}source = {{ {self.sources[name]} }}'
            for name in self.sources
            if name != "door"
        ]
        first = f'task = "tensor"\nsource = {{ {self.sources["door"]} }}\n' + "\n".join(more)
        self.agent = RunningAgent(folder, first, model=f"{folder}/echo.tflite")

    def until(self, condition: Callable[[dict[str, dict[str, Any]]], bool]) -> dict[str, dict[str, Any]]:
        """Let the sensors on a line talk until the pipelines' statuses fit."""

        def found(_: object) -> bool:
            for wire, line in ((self.wire, b"T=1.5\n"), (self.adapter, b"t12320C80\r")):
                if wire._ends:
                    wire.say(line)
            return condition(self.status())

        self.agent.until(found, 40)
        return self.status()

    def status(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self.agent.status()["pipelines"]}


def _files(folder: Path) -> None:
    for path, text in {
        "iio/iio:device0/name": "adc",
        "iio/iio:device0/in_voltage0_raw": "7",
        "hwmon/hwmon0/name": "board",
        "hwmon/hwmon0/temp1_input": "41500",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"{text}\n")
    (folder / "log.csv").write_text("x\n" + "3\n" * 20_000)
    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(100)
        file.writeframes(np.full(20_000, 1 << 14, "<i2").tobytes())


@contextmanager
def plant(folder: Path) -> Iterator[Plant]:
    with served() as where:
        made = Plant(folder, where.port)
        try:
            with made.agent:
                yield made
        finally:
            made.wire.unplug()
            made.adapter.unplug()


def more_than(status: dict[str, dict[str, Any]], before: dict[str, dict[str, Any]], count: int) -> bool:
    """Whether each pipeline has inferred so many more windows."""
    return all(
        one["ledger"]["inferred"] >= count + (before[name]["ledger"]["inferred"] if before else 0)
        for name, one in status.items()
    )


@pytest.mark.landlock
def test_every_kind_of_sensor_gives_results_and_the_trouble_of_one_is_its_own(tmp_path: Path) -> None:
    with plant(tmp_path) as made:
        agent = made.agent
        status = made.until(lambda now: more_than(now, {}, 3))
        assert status.keys() == made.sources.keys()
        assert {one["confined"]["seccomp"] for one in status.values()} == {True}

        made.wire.say(b"T=warm\n")  # a line that is no number
        made.until(lambda now: now["door"]["ledger"]["failed"] == {"unreadable": 1})
        [event] = [line for line in agent.log.splitlines() if "frame.failed" in line]
        assert "frame.failed door reason=unreadable problem=cut window " in event
        assert "a line holds no number where one is named: 'T=warm'. See that baud and the sensor's" in event

        made.wire.unplug()
        gone = made.until(lambda _: "source.lost" in agent.log)
        made.until(
            lambda now: all(
                one["ledger"]["inferred"] > gone[name]["ledger"]["inferred"] + 3
                for name, one in now.items()
                if name != "door"
            )
        )
        made.wire.plug()
        back = made.until(lambda now: more_than(now, gone, 3))
        assert {name: one["restarts"] for name, one in back.items()} == {
            **dict.fromkeys(made.sources, 0),
            "door": 1,  # a confined worker may not open a new node
        }
        assert agent.end() == 0
        assert agent.log.count("lane.died") == 1
        for name, told in VALUES.items():
            records, ledger = agent.stored(name)
            results = [one for one in records if one["kind"] == "tensor"]
            frames = [one["frame"] for one in results]
            assert frames == sorted({*frames})
            assert {value for one in results for value in one["items"][0]["values"]} >= {told}, name
            settled = ledger["inferred"] + ledger["lost"] + sum(ledger["dropped"].values())
            assert ledger["captured"] == settled + sum(ledger["failed"].values()) + ledger["in_flight"]
            assert ledger["failed"] == ({"unreadable": 1} if name == "door" else {})


def test_a_modbus_unit_that_goes_is_read_again_in_the_same_worker_soon_after_it_is_back(
    tmp_path: Path,
) -> None:
    (tmp_path / "echo.tflite").write_bytes(tiny_models.echo("float32", (1, 4, 1)))
    with ExitStack() as plugged:
        port = plugged.enter_context(served()).port
        source = f'kind = "modbus", host = "127.0.0.1", port = {port}, unit = {UNIT}, {WINDOWS}'
        registers = 'registers = [{ name = "flow", address = 0x10, type = "float32" }]'
        table = f'task = "tensor"\nsource = {{ {source}, {registers} }}'
        with RunningAgent(tmp_path, table, model=f"{tmp_path}/echo.tflite") as agent:
            agent.until_inferred(5)
            worker = agent.worker
            began = time.monotonic()
            plugged.close()
            agent.until(lambda now: now["problem"] is not None)
            lost_s = time.monotonic() - began
            plugged.enter_context(served(port))
            began = time.monotonic()
            agent.until(lambda now: now["problem"] is None)
            agent.until_inferred(1)
            back_s = time.monotonic() - began
            assert (agent.worker, agent.pipeline()["balanced"]) == (worker, True)
            assert "source.lost door problem=read registers 127.0.0.1" in agent.log
            assert agent.end() == 0
    assert lost_s < 5
    assert back_s < 10  # under 3 s on a machine with nothing else to do
