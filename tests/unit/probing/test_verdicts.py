from __future__ import annotations

import pytest

from agent import plugins
from agent.boards.accelerators import Accelerator
from agent.boards.delegation import Presence
from agent.boards.matching import Recognised
from agent.probing.inspection import Inspected, entries, inspect
from agent.probing.passport import (
    BoardPart,
    CameraPart,
    CpuPart,
    MemoryPart,
    Passport,
    Reason,
    RuntimePart,
    SensorPart,
    SystemPart,
    ThermalPart,
    Tried,
    ZonePart,
)
from agent.probing.picture import WIDTH, draw
from agent.probing.recognition import recognise
from agent.probing.trial import Outcome
from agent.probing.verdicts import judge

NPU = Accelerator(kind="external", name="npu")
THERE = Presence(there=True, why="libnpu.so, /dev/npu0", library="/usr/lib/libnpu.so", devices=("/dev/npu0",))
FINE = Tried(description="NPU 2", runtime="r 1", model="glyphs@1", delegated=(7, 7), goldens=(5, 5))


def looked(accelerator: Accelerator = NPU, presence: Presence = THERE, wrong: str = "") -> Inspected:
    return Inspected(accelerator, named=True, variant="", presence=presence, wrong=wrong)


@pytest.mark.parametrize(
    ("seen", "outcome", "verdict", "reason"),
    [
        (looked(), Outcome("run", FINE), "works", "NPU 2"),
        (looked(presence=Presence(there=False, why="no libnpu.so")), None, "missing", "no libnpu.so"),
        (looked(wrong="options.x: no"), None, "fails", "options.x: no"),
        (looked(), Outcome("open", problem="SIGSEGV while opening it"), "fails", "SIGSEGV while opening it"),
        (
            looked(),
            Outcome("open", Tried()),
            "opens",
            "no model here is compiled for it: a bundle needs its variant ",
        ),
        (
            looked(),
            Outcome("run", FINE.model_copy(update={"delegated": (0, 7)})),
            "idle",
            "it takes none of the 7",
        ),
        (
            looked(),
            Outcome("run", FINE.model_copy(update={"goldens": (3, 5), "difference": "1.npy: a"})),
            "wrong",
            "2 of 5 golden answers are wrong: 1.npy: a",
        ),
        (looked(), Outcome("run", FINE.model_copy(update={"goldens": None})), "works", "NPU 2"),
        (
            looked(Accelerator(kind="cpu")),
            Outcome("run", FINE.model_copy(update={"delegated": (0, 7)})),
            "works",
            "NPU 2",
        ),
    ],
)
def test_a_look_and_a_try_come_to_a_verdict_with_its_reason(
    seen: Inspected, outcome: Outcome | None, verdict: str, reason: str
) -> None:
    part = judge(seen, outcome)
    assert part.verdict == verdict
    assert part.reason.startswith(reason)


@pytest.mark.parametrize(
    ("floats", "delegated", "verdict", "said"),
    [
        ((1, 1), (6, 7), "works", "XNNPACK"),
        ((1, 1), (0, 7), "idle", "hands it nothing of a quantized model; one of real numbers it takes"),
        ((0, 1), (0, 7), "idle", "it has switched itself off, in silence: it does so where /proc/cpuinfo"),
    ],
)
def test_xnnpack_that_switched_itself_off_is_told_from_one_that_has_no_kernels_for_the_model(
    floats: tuple[int, int], delegated: tuple[int, int], verdict: str, said: str
) -> None:
    update = {"floats": floats, "delegated": delegated, "description": "XNNPACK"}
    part = judge(looked(Accelerator(kind="xnnpack")), Outcome("run", FINE.model_copy(update=update)))
    assert part.verdict == verdict
    assert said in part.reason


def test_the_profiles_own_come_first_then_the_cpus_ways_then_all_others_that_need_no_option() -> None:
    own = [NPU, Accelerator(kind="cpu")]
    assert [(one.title, named) for one, named in entries(own)] == [
        ("npu", True),
        ("cpu", True),
        ("xnnpack", False),
    ]
    kinds = [one.kind for one, _ in entries(own, everything=True)]
    assert sorted(kinds) == sorted(plugins.names("delegates"))
    assert [one.kind for one, _ in entries([], everything=True)][:2] == ["xnnpack", "cpu"]
    assert "external" not in [one.kind for one, _ in entries([], everything=True)]


def test_every_delegate_that_a_profile_names_is_known_and_its_options_are_its_own() -> None:
    from agent import resources
    from agent.probing.recognition import read

    wrong = [
        found.told
        for path in resources.device_profiles().values()
        for delegate in read(path).delegates
        if (found := inspect(delegate)).wrong
    ]
    assert wrong == []


def passport(**changes: object) -> Passport:
    return Passport(
        board=BoardPart(
            profile="raspberry-pi-4",
            description="Raspberry Pi 4, 400 and Compute Module 4",
            why="the device tree says raspberrypi,4-model-b",
            tested=False,
            overlays=(Reason(name="coral-usb", why="the USB has 18d1:9302 (Google Inc.)"),),
            serial="1",
        ),
        system=SystemPart(
            machine="aarch64", kernel="6.6", os="Debian", libc="glibc 2.36", python="3.11", agent="1"
        ),
        cpu=CpuPart(model="4 x Cortex-A72", cores=4, max_mhz=1800, features=("asimd",)),
        memory=MemoryPart(total_mb=3800, swap_mb=100, budget_mb=1900),
        runtime=RuntimePart(name="", why="none is installed " * 20, packages={}),
        thermal=ThermalPart(
            soft_c=72,
            hard_c=80,
            throttled=True,
            zones=(
                ZonePart(type="cpu-thermal", now_c=61.5, counts=True),
                ZonePart(type="wifi", now_c=40, counts=False),
            ),
        ),
        power=(SensorPart(name="ina3221", inputs=("curr1_input",), board=True),),
        cameras=(
            CameraPart(device="cam", name="C" * 90, driver="uvc", formats=("YUYV 640x480",), problem=""),
        ),
        delegates=(
            judge(looked(), Outcome("run", FINE.model_copy(update={"load_ms": 1.0, "first_ms": 123456.78}))),
            judge(looked(Accelerator(kind="external", name="a-name-of-thirty-two-characters0")), None),
            judge(looked(), Outcome("open", problem="\x1b[31mno\n" + "words " * 300)),
        ),
    ).model_copy(update=changes)


def test_the_page_fits_its_width_and_sends_a_terminal_nothing_but_text() -> None:
    lines = list(draw(passport()))
    assert [line for line in lines if len(line) > WIDTH or not line.isprintable()] == []
    page = "\n".join(lines)
    for words in (
        "board     raspberry-pi-4 + coral-usb: Raspberry Pi 4",
        "          since the device tree says raspberrypi,4-model-b",
        "          with coral-usb, since the USB has 18d1:9302 (Google Inc.)",
        "nobody has run the agent on such a board yet",
        "serial number 1",
        "4 x Cortex-A72, 4 cores, up to 1800 MHz, aarch64",
        "3800 MB, 100 MB of swap; models may have 1900 MB",
        "cpu-thermal 61.5; eases at 72 °C, limit 80 °C; throttled now",
        "ina3221: curr1_input, the whole board",
        "a-name-of-thirty-two-characters0",
    ):
        assert words in page
    assert "wifi" not in page


def test_a_machine_without_anything_has_a_page_too() -> None:
    thermal = ThermalPart(soft_c=75, hard_c=85, throttled=None, zones=())
    cpu = CpuPart(model="unknown", cores=1, max_mhz=None, features=())
    page = "\n".join(draw(passport(thermal=thermal, cpu=cpu, power=(), cameras=(), delegates=())))
    assert "cpu       unknown, 1 core, aarch64" in page
    assert "heat      no zone that counts; eases at 75 °C, limit 85 °C\n" in page
    assert "cameras   none" in page


def test_two_passports_of_one_machine_are_the_same_text_and_a_later_version_is_refused() -> None:
    text = passport().text()
    assert text == passport().text()
    assert Passport.model_validate_json(text) == passport()
    with pytest.raises(ValueError, match="Input should be 1"):
        Passport.model_validate_json(text.replace('"v": 1', '"v": 2'))


def test_this_machine_is_recognised() -> None:
    found = recognise()
    assert isinstance(found, Recognised)
    assert found.profile.name != "unknown"
