"""What a machine is made of: processor, memory, system, temperatures and sensors, for its passport."""

from __future__ import annotations

import platform
from collections import Counter
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from agent import __version__
from agent.probing.machine import printable
from agent.probing.passport import (
    BoardPart,
    CpuPart,
    MemoryPart,
    Reason,
    SensorPart,
    SystemPart,
    ThermalPart,
    ZonePart,
)

if TYPE_CHECKING:
    from agent.boards.matching import Recognised
    from agent.boards.profiles import Power, Profile, Thermal
    from agent.probing.machine import Machine

# Implementer and part, as /proc/cpuinfo prints them; from Linux, arch/arm64/include/asm/cputype.h.
_ARM = "0x41"
_PARTS = {
    "0xc07": "Cortex-A7",
    "0xc08": "Cortex-A8",
    "0xc09": "Cortex-A9",
    "0xc0f": "Cortex-A15",
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
}
# What XNNPACK and the runtimes' own kernels choose by.
_FEATURES = frozenset(
    (
        *("neon", "vfpv4", "asimd", "asimddp", "asimdhp", "fphp", "i8mm", "bf16", "sve", "sve2"),
        *("sse4_1", "sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8"),
    )
)


def board(machine: Machine, found: Recognised, *, serial: bool) -> BoardPart:
    """Say which board this is; ``serial`` adds its number."""
    return BoardPart(
        profile=found.profile.name,
        description=found.profile.description,
        why=found.why,
        tested=found.profile.tested,
        overlays=tuple(Reason(name=name, why=why) for name, why in found.overlays),
        model=machine.device_tree("model"),
        compatible=machine.compatible(),
        usb=tuple(f"{one.id} {one.name}".rstrip() for one in machine.usb()),
        serial=machine.device_tree("serial-number") if serial else None,
    )


def system(machine: Machine) -> SystemPart:
    """Say what the agent runs on."""
    release = dict(line.partition("=")[::2] for line in machine.text("/etc/os-release").splitlines())
    return SystemPart(
        machine=machine.name,
        kernel=printable(machine.text("/proc/sys/kernel/osrelease")),
        os=printable(release.get("PRETTY_NAME", "").strip("\"'")),
        libc=" ".join(filter(None, platform.libc_ver())),
        python=platform.python_version(),
        agent=__version__,
    )


def cpu(machine: Machine) -> CpuPart:
    """Say which processor it has: on ARM by the parts of its cores, which /proc/cpuinfo numbers."""
    info = list(machine.cpuinfo())
    cores = sum(key == "processor" for key, _ in info)
    words = {word for key, value in info if key in {"flags", "Features"} for word in value.split()}
    steps = [machine.number(f"{one}/cpuinfo_max_freq") for one in _policies(machine)]
    fastest = max((step for step in steps if step is not None), default=None)
    return CpuPart(
        model=_model(info),
        cores=cores or len(machine.entries("/sys/devices/system/cpu", "cpu[0-9]*")) or 1,
        max_mhz=None if fastest is None else fastest // 1000,
        features=tuple(sorted(words & _FEATURES)),
    )


def _policies(machine: Machine) -> list[str]:
    return machine.entries("/sys/devices/system/cpu/cpufreq", "policy*")


def _model(info: list[tuple[str, str]]) -> str:
    if names := dict.fromkeys(value for key, value in info if key == "model name"):
        return ", ".join(names)
    makers = [value for key, value in info if key == "CPU implementer"]
    parts = [value for key, value in info if key == "CPU part"]
    if not parts or len(parts) != len(makers):
        return "unknown"
    known = Counter(
        _PARTS.get(part, f"part {part}") if maker == _ARM else f"part {part} of maker {maker}"
        for maker, part in zip(makers, parts, strict=True)
    )
    return ", ".join(f"{count} x {name}" for name, count in known.items())


def memory(machine: Machine, profile: Profile) -> MemoryPart:
    """Say how much memory there is."""
    lines = (line.split() for line in machine.text("/proc/meminfo").splitlines())
    sizes = {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}
    total = sizes.get("MemTotal", 0) >> 10
    return MemoryPart(
        total_mb=total, swap_mb=sizes.get("SwapTotal", 0) >> 10, budget_mb=profile.memory.budget(total)
    )


def thermal(machine: Machine, wanted: Thermal) -> ThermalPart:
    """Say how hot the machine is now."""
    zones = []
    for folder in machine.entries("/sys/class/thermal", "thermal_zone*"):
        kind = printable(machine.text(f"{folder}/type"))
        now = machine.number(f"{folder}/temp")
        zones.append(
            ZonePart(
                type=kind,
                now_c=None if now is None else round(now / 1000, 1),
                counts=any(fnmatch(kind.lower(), one.lower()) for one in wanted.zones),
            )
        )
    return ThermalPart(
        soft_c=wanted.soft_c, hard_c=wanted.hard_c, throttled=throttled(machine, wanted), zones=tuple(zones)
    )


def throttled(machine: Machine, wanted: Thermal) -> bool | None:
    """Whether the board throttles itself now; None where it does not tell."""
    path = machine.first(wanted.throttled) if wanted.throttled else ""
    try:
        return bool(int(machine.text(path), 16) & wanted.throttled_mask) if path else None
    except ValueError:
        return None


def power(machine: Machine, wanted: Power) -> tuple[SensorPart, ...]:
    """List what measures power or energy."""
    found = []
    for folder in machine.entries("/sys/class/hwmon", "hwmon*"):
        patterns = ("power*_input", "power*_average", "energy*_input", "curr*_input")
        paths = [path for pattern in patterns for path in machine.entries(folder, pattern)]
        if paths:
            name = printable(machine.text(f"{folder}/name"))
            inputs = tuple(path.rpartition("/")[2] for path in paths)
            whole = any(fnmatch(name, one) for one in wanted.hwmon)
            found.append(SensorPart(name=name, inputs=inputs, board=whole))
    return tuple(found)
