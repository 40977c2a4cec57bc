from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.boards.profiles import Memory, Power, Profile, Thermal
from agent.probing import survey
from agent.probing.machine import Machine
from agent.probing.recognition import recognise
from tests.simulators.machines import BOARDS, CORAL_STICK, PI_4_CPUINFO, plug, put, zone

if TYPE_CHECKING:
    from pathlib import Path

X86 = "".join(
    f"processor\t: {n}\nmodel name\t: AMD EPYC 7B13\nflags\t\t: fpu sse4_1 avx2 fma hypervisor\n\n"
    for n in range(2)
)
BIG_LITTLE = "".join(
    f"processor\t: {n}\nFeatures\t: fp asimd asimddp\nCPU implementer\t: 0x41\nCPU part\t: {part}\n\n"
    for n, part in enumerate(["0xd05"] * 4 + ["0xd0b"] * 4)
)
STRANGE = "processor\t: 0\nCPU implementer\t: 0x51\nCPU part\t: 0x802\n\n"


@pytest.mark.parametrize(
    ("cpuinfo", "model", "cores", "features"),
    [
        (PI_4_CPUINFO, "4 x Cortex-A72", 4, ("asimd",)),
        (X86, "AMD EPYC 7B13", 2, ("avx2", "fma", "sse4_1")),
        (BIG_LITTLE, "4 x Cortex-A55, 4 x Cortex-A76", 8, ("asimd", "asimddp")),
        (STRANGE, "1 x part 0x802 of maker 0x51", 1, ()),
        ("", "unknown", 3, ()),
    ],
)
def test_the_processor_is_told_by_its_name_or_its_cores_parts(
    cpuinfo: str, model: str, cores: int, features: tuple[str, ...], tmp_path: Path
) -> None:
    put(tmp_path, "proc/cpuinfo", cpuinfo)
    for number in range(3):
        put(tmp_path, f"sys/devices/system/cpu/cpu{number}/online", "1\n")
    for number, khz in enumerate((1_800_000, 2_400_000)):
        put(tmp_path, f"sys/devices/system/cpu/cpufreq/policy{number}/cpuinfo_max_freq", f"{khz}\n")
    found = survey.cpu(Machine(tmp_path))
    assert (found.model, found.cores, found.features, found.max_mhz) == (model, cores, features, 2400)


def test_a_kernel_that_does_not_tell_the_clock_leaves_it_open(tmp_path: Path) -> None:
    assert survey.cpu(Machine(tmp_path)).max_mhz is None


def test_memory_is_told_with_what_the_profile_lets_models_have(tmp_path: Path) -> None:
    put(tmp_path, "proc/meminfo", "MemTotal:         945364 kB\nSwapTotal:        102396 kB\nHugePages: x\n")
    profile = Profile(name="p", description="", tested=True, memory=Memory(share=0.25))
    found = survey.memory(Machine(tmp_path), profile)
    assert (found.total_mb, found.swap_mb, found.budget_mb) == (923, 99, 230)


def test_zones_are_told_with_whether_the_profile_goes_by_them(tmp_path: Path) -> None:
    zone(tmp_path, 10, "GPU-thermal", 50)
    zone(tmp_path, 2, "CPU-thermal", 61.25)
    put(tmp_path, "sys/class/thermal/thermal_zone11/type", "cpu-sleeping\n")
    found = survey.thermal(Machine(tmp_path), Thermal(zones=("cpu-*",)))
    assert [(one.type, one.now_c, one.counts) for one in found.zones] == [
        ("CPU-thermal", 61.2, True),
        ("GPU-thermal", 50.0, False),
        ("cpu-sleeping", None, True),
    ]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("0", False), ("50000", False), ("50005", True), ("1", False), ("8", True), ("", None), ("?", None)],
)
@pytest.mark.parametrize("folder", ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"])
def test_a_raspberry_pi_is_throttled_by_what_is_so_now_and_not_by_what_has_been(
    folder: str, flags: str, expected: bool | None, tmp_path: Path
) -> None:
    board, _ = BOARDS["raspberry-pi-5"]
    machine = board.build(tmp_path)
    put(tmp_path, f"sys/devices/platform/{folder}/get_throttled", f"{flags}\n")
    profile = recognise(machine=machine).profile
    assert survey.throttled(machine, profile.thermal) is expected


def test_a_board_that_tells_nothing_of_throttling_leaves_it_open(tmp_path: Path) -> None:
    assert survey.throttled(Machine(tmp_path), Thermal()) is None
    assert survey.throttled(Machine(tmp_path), Thermal(throttled="/sys/none")) is None


def test_sensors_of_power_are_told_with_whose_they_are(tmp_path: Path) -> None:
    for number, (name, files) in enumerate(
        {
            "ina3221": ("curr1_input", "in1_input"),
            "cpu_fan": ("fan1_input",),
            "nvme": ("power1_input",),
        }.items()
    ):
        put(tmp_path, f"sys/class/hwmon/hwmon{number}/name", f"{name}\n")
        for file in files:
            put(tmp_path, f"sys/class/hwmon/hwmon{number}/{file}", "1\n")
    found = survey.power(Machine(tmp_path), Power(hwmon=("ina*",)))
    assert [(one.name, one.inputs, one.board) for one in found] == [
        ("ina3221", ("curr1_input",), True),
        ("nvme", ("power1_input",), False),
    ]


def test_no_serial_number_is_told_unless_it_is_asked_for(tmp_path: Path) -> None:
    board, why = BOARDS["raspberry-pi-4"]
    machine = board.build(tmp_path)
    plug(tmp_path, 1, *CORAL_STICK)
    put(tmp_path, "proc/cpuinfo", PI_4_CPUINFO)
    found = recognise(machine=machine)
    part = survey.board(machine, found, serial=False)
    assert (part.profile, part.why, part.serial) == ("raspberry-pi-4", why, None)
    assert [one.name for one in part.overlays] == ["coral-usb"]
    assert part.usb == ("18d1:9302 Google Inc.",)
    assert "abcdef01" not in part.model_dump_json() + survey.cpu(machine).model_dump_json()
    assert survey.board(machine, found, serial=True).serial == "10000000abcdef01"


def test_the_system_is_told_by_its_own_name(tmp_path: Path) -> None:
    put(tmp_path, "proc/sys/kernel/osrelease", "6.6.31+rpt-rpi-v8\n")
    put(tmp_path, "etc/os-release", 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    found = survey.system(Machine(tmp_path, "aarch64"))
    assert (found.machine, found.kernel, found.os) == (
        "aarch64",
        "6.6.31+rpt-rpi-v8",
        "Debian GNU/Linux 12 (bookworm)",
    )
