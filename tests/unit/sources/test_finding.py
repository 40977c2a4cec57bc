"""What is found to be plugged in: on machines that are folders, as the kernel would show them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent import plugins
from agent.sources.finding import buses, ports, ribbon, sound, sysfs
from agent.sources.finding.finders import find
from tests.simulators.cameras import Cameras

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.types import Found


def machine(root: Path, files: Mapping[str, str], links: Mapping[str, str] | None = None) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for name, target in (links or {}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    return root


def everything(root: Path) -> Path:
    """A machine with one of each."""
    return machine(
        root,
        {
            "dev/ttyUSB0": "",
            "sys/bus/iio/devices/iio:device0/name": "adxl345\n",
            "sys/bus/iio/devices/iio:device0/in_accel_x_raw": "1\n",
            "sys/bus/i2c/devices/10-001a/name": "imx708_wide\n",
            "sys/bus/i2c/devices/1-0048/name": "tmp102\n",
            "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
            "sys/class/hwmon/hwmon0/temp1_input": "41000\n",
            "sys/class/net/can0/type": "280\n",
            "sys/class/net/can0/flags": "0x40081\n",
            "sys/class/net/eth0/type": "1\n",
            "proc/asound/pcm": "00-00: HDMI : HDMI : playback 1\n01-00: USB Audio : USB Audio : capture 1\n",
            "proc/asound/card1/id": "Device\n",
            "dev/snd/pcmC1D0c": "",
        },
    )


def only(found: list[Found]) -> Found:
    [one] = found
    return one


def test_a_port_has_its_stable_name_and_what_its_maker_says(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        {
            "dev/ttyUSB0": "",
            "sys/devices/usb1/1-1/product": "FT232R USB UART\n",
            "sys/devices/usb1/1-1/manufacturer": "FTDI\x07\n",
            "sys/devices/usb1/1-1/1-1:1.0/ttyUSB0/port_number": "0\n",
        },
        {
            "dev/serial/by-id/usb-FTDI_FT232R-if00-port0": "../../ttyUSB0",
            "sys/class/tty/ttyUSB0/device": "../../../devices/usb1/1-1/1-1:1.0/ttyUSB0",
        },
    )
    one = only(ports.found(root))
    assert one.options["port"] == "/dev/serial/by-id/usb-FTDI_FT232R-if00-port0"
    assert (one.name, one.about, one.problem) == ("FTDI FT232R USB UART", ("/dev/ttyUSB0",), "")
    assert set(one.guessed) == one.options.keys() - {"port"}


def test_a_port_that_the_board_does_not_have_is_left_out_and_the_console_says_why_not(tmp_path: Path) -> None:
    files = {f"dev/ttyS{n}": "" for n in range(3)} | {
        f"sys/class/tty/ttyS{n}/type": f"{4 * (n < 2)}\n" for n in range(3)
    }
    root = machine(tmp_path, {**files, "proc/consoles": "ttyS1                -W- (EC p a)    4:65\n"})
    first, second = ports.found(root)
    assert (first.options["port"], first.problem) == ("/dev/ttyS0", "")
    assert (second.options["port"], second.problem) == ("/dev/ttyS1", "the kernel's console is on it")
    assert second.hint


@pytest.mark.skipif(os.getuid() == 0, reason="root may open everything")
def test_what_may_not_be_opened_names_the_group_to_join(tmp_path: Path) -> None:
    root = machine(tmp_path, {"dev/ttyUSB0": ""})
    (root / "dev/ttyUSB0").chmod(0)
    one = only(ports.found(root))
    assert one.problem.startswith("permission denied")
    assert "usermod" in one.hint or "udev" in one.hint


def test_channels_of_a_sensor_are_in_their_order_and_only_numbers_that_can_be_read(tmp_path: Path) -> None:
    folder = "sys/bus/iio/devices/iio:device0"
    names = ("in_voltage10_raw", "in_voltage2_raw", "in_temp_input", "in_voltage_scale", "name.txt")
    root = machine(tmp_path, {f"{folder}/{name}": "1\n" for name in names} | {f"{folder}/name": "adc\n"})
    one = only(sysfs.iio(root))
    assert one.options["device"] == "adc"
    assert one.options["channels"] == ["in_temp", "in_voltage2", "in_voltage10"]


def test_two_monitors_of_one_name_are_told_apart_by_the_kernels_number(tmp_path: Path) -> None:
    files: dict[str, str] = {}
    for number in range(2):
        folder = f"sys/class/hwmon/hwmon{number}"
        files |= {
            f"{folder}/name": "nvme\n",
            f"{folder}/temp1_input": "1\n",
            f"{folder}/temp1_label": "Composite\n",
        }
    files["sys/class/hwmon/hwmon2/name"] = "without channels\n"
    found = sysfs.hwmon(machine(tmp_path, files))
    assert [one.options["device"] for one in found] == ["hwmon0", "hwmon1"]
    assert found[0].about == ("temp1: Composite degC",)


def test_a_bus_that_is_down_says_how_to_start_it(tmp_path: Path) -> None:
    root = machine(tmp_path, {"sys/class/net/can0/type": "280\n", "sys/class/net/can0/flags": "0x40080\n"})
    one = only(buses.found(root))
    assert one.problem == "it is down"
    assert "sudo ip link set can0 up" in one.hint


def test_a_card_that_only_plays_is_no_microphone(tmp_path: Path) -> None:
    one = only(sound.found(everything(tmp_path)))
    assert (one.name, one.options["device"]) == ("USB Audio", "plughw:CARD=Device,DEV=0")
    assert one.problem == ""


def test_a_camera_on_the_ribbon_cable_is_known_by_its_sensor(tmp_path: Path) -> None:
    one = only(ribbon.found(everything(tmp_path)))
    assert (one.name, one.options) == ("camera with a sensor imx708_wide", {"camera": 0})


def test_an_empty_machine_has_nothing_and_a_strange_one_breaks_nothing(tmp_path: Path) -> None:
    assert list(find(tmp_path)) == []
    root = machine(
        tmp_path,
        {
            "proc/asound/pcm": "garbage\n99-99\n\xff: :\n",
            "proc/consoles": "\n\n",
            "sys/class/net/x/type": "280\n",
            "sys/class/net/x/flags": "what\n",
            "sys/class/hwmon/hwmon0/temp1_input": "1\n",
            "sys/bus/iio/devices/iio:device0": "a file\n",
        },
    )
    kinds = [kind for kind, _ in find(root)]
    assert "hwmon" in kinds


def test_what_is_found_opens_with_the_options_that_are_given(tmp_path: Path) -> None:
    found = list(find(everything(tmp_path)))
    assert {kind for kind, _ in found} == {"can", "hwmon", "iio", "microphone", "rpicam", "serial"}
    for kind, one in found:
        options = plugins.load("sources", kind).Options(**one.options)
        assert set(one.guessed) <= one.options.keys()
        assert options is not None


@pytest.mark.cameras
def test_cameras_are_found_with_what_they_can_and_why_not(tmp_path: Path) -> None:
    here = Cameras.here()
    here.plug(0, "Door", modes=("YUYV 64x48@30",))
    here.plug(1, "Locked", open_error=13)
    here.plug(2, "Busy", open_error=16)
    module = plugins.load("sources", "camera")
    assert module.found(tmp_path) == []
    code = f"f = open({str(here.root / 'dev/video0')!r}); print(flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        held, _, _ = module.found(Path("/"))
        other.communicate(b"\n")
    assert f"(pid {other.pid}) has it open" in held.about[1]
    door, locked, busy = module.found(Path("/"))
    assert (door.name, door.options, door.problem) == ("Door", {"device": "/dev/video0"}, "")
    assert door.about[0] == "/dev/video0"
    assert door.about[1].startswith("YUYV 64x48")
    assert (locked.problem, "usermod -aG video" in locked.hint) == ("permission denied", True)
    assert "fuser -v /dev/video2" in busy.hint
