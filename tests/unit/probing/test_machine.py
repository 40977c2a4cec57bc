from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from agent.boards.matching import Usb
from agent.probing.machine import Machine, printable
from tests.simulators.machines import BOARDS, CORAL_STICK, PI_4_CPUINFO, plug, put

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PI, _ = BOARDS["raspberry-pi-4"]


def test_a_machine_that_shows_nothing_is_read_all_the_same(tmp_path: Path) -> None:
    facts = Machine(tmp_path, "aarch64").facts(["/dev/apex_0", "/usr/lib/*/x.so"])
    assert (facts.machine, facts.compatible, facts.model, facts.usb) == ("aarch64", (), "", ())
    assert (facts.cpuinfo, facts.files) == ((), {})


def test_the_device_tree_is_read_from_sys_where_proc_hides_it(tmp_path: Path) -> None:
    put(tmp_path, "sys/firmware/devicetree/base/compatible", "raspberrypi,4-model-b\0brcm,bcm2711\0")
    put(tmp_path, "sys/firmware/devicetree/base/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    facts = Machine(tmp_path, "aarch64").facts()
    assert facts.compatible == ("raspberrypi,4-model-b", "brcm,bcm2711")
    assert facts.model == "Raspberry Pi 4 Model B Rev 1.4"


def test_usb_devices_are_read_in_the_order_of_their_ports_without_serial_numbers(tmp_path: Path) -> None:
    for number, identity in ((10, "046d:0825"), (2, CORAL_STICK[0])):
        plug(tmp_path, number, identity, "Google Inc.", "Stick")
    put(tmp_path, "sys/bus/usb/devices/usb1/idVendor", "1d6b\n")  # no product: it is being plugged in
    found = list(Machine(tmp_path).usb())
    assert found == [
        Usb("18d1:9302", "Google Inc. Stick", "1-2"),
        Usb("046d:0825", "Google Inc. Stick", "1-10"),
    ]
    assert "SECRET" not in repr(Machine(tmp_path).facts())


def test_each_line_of_cpuinfo_counts_once(tmp_path: Path) -> None:
    put(tmp_path, "proc/cpuinfo", PI_4_CPUINFO)
    lines = Machine(tmp_path).facts().cpuinfo
    assert "Model: Raspberry Pi 4 Model B Rev 1.4" in lines
    assert lines.count("CPU part: 0xd08") == 1


def test_a_pattern_of_files_gives_one_that_is_there_as_the_machine_writes_it(tmp_path: Path) -> None:
    put(tmp_path, "usr/lib/aarch64-linux-gnu/libedgetpu.so.1.0", "")
    (tmp_path / "usr/lib/libedgetpu.so.1").symlink_to("nowhere")
    machine = Machine(tmp_path)
    assert machine.first("/usr/lib/*/libedgetpu.so.1*") == "/usr/lib/aarch64-linux-gnu/libedgetpu.so.1.0"
    assert machine.first("/usr/lib/libedgetpu.so.1*") == ""
    assert machine.first("/usr/lib/**/../[") == ""


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    machine = PI.build(tmp_path)
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "hot\n")
    (tmp_path / "sys/class/thermal/thermal_zone1").symlink_to("thermal_zone1")  # a circle
    (tmp_path / "proc/cpuinfo").mkdir()
    assert machine.number("/sys/class/thermal/thermal_zone0/temp") is None
    assert machine.number("/sys/class/thermal/thermal_zone1/temp") is None
    assert machine.text("/proc/cpuinfo") == ""


def test_a_huge_file_and_a_crowded_folder_are_read_in_part(tmp_path: Path) -> None:
    put(tmp_path, "proc/cpuinfo", "a: b\n" * 100_000)
    assert len(Machine(tmp_path).raw("/proc/cpuinfo")) == 64 << 10
    for number in range(300):
        (tmp_path / f"sys/class/hwmon/hwmon{number}").mkdir(parents=True)
    assert len(Machine(tmp_path).entries("/sys/class/hwmon", "hwmon*")) == 256


@given(st.binary(max_size=200))
def test_nothing_that_a_device_says_moves_a_cursor_or_ends_a_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    root = tmp_path_factory.getbasetemp() / "hostile"
    folder = root / "proc/device-tree"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("compatible", "model"):
        (folder / name).write_bytes(data)
    (root / "proc/cpuinfo").write_bytes(b"Model: " + data)
    facts = Machine(root, "aarch64").facts()
    for text in (*facts.compatible, facts.model, *(line.partition(": ")[2] for line in facts.cpuinfo)):
        assert text == printable(text)
        assert text.isprintable() or not text
        assert text.isascii()
