"""Which families of hardware a board and a configuration need."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from agent import resources
from agent.boards.profiles import Profile
from agent.delegates import armnn, gpu, vx
from agent.installing.families import FAMILIES, present, wanted
from agent.probing.recognition import read

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def profile(name: str) -> Profile:
    return read(resources.device_profiles()[name])


@pytest.mark.parametrize(
    ("source", "family"),
    [
        ({"kind": "serial", "port": "/dev/ttyUSB0"}, ["serial"]),
        ({"kind": "modbus", "device": "/dev/ttyUSB0"}, ["serial"]),
        ({"kind": "modbus", "host": "192.0.2.1"}, []),
        ({"kind": "can", "channel": "can0"}, ["can"]),
        ({"kind": "can", "channel": "/dev/ttyACM0"}, ["serial"]),
        ({"kind": "microphone"}, ["audio"]),
        ({"kind": "iio", "device": "adxl345"}, []),
        ({"kind": "iio", "device": "adxl345", "buffered": True}, ["iio"]),
        ({"kind": "rpicam"}, ["rpicam"]),
        ({"kind": "camera", "device": "/dev/video0"}, []),
        ({"kind": "hwmon"}, []),
        ({"kind": "somebodys"}, []),
    ],
)
def test_a_source_needs_the_family_of_what_it_opens(source: dict[str, Any], family: list[str]) -> None:
    assert wanted(None, [source]) == (family, [])


@pytest.mark.parametrize(
    ("name", "families", "nodes"),
    [
        ("coral-usb", ["edge-tpu"], []),
        ("coral-dev-board", ["edge-tpu"], []),
        ("imx8mp", ["gpu", "npu"], []),
        ("imx93", ["npu"], []),
        ("rockchip-rk3588", ["npu"], []),
        ("jetson-orin-nano", ["gpu"], []),
        ("raspberry-pi-zero-2w", [], []),
        ("generic-x86_64", [], []),
    ],
)
def test_a_board_needs_the_families_of_its_accelerators(
    name: str, families: list[str], nodes: list[str]
) -> None:
    assert wanted(profile(name), []) == (families, nodes)


def test_a_node_that_no_family_has_is_named_by_itself() -> None:
    external = {"kind": "external", "options": {"library": "/usr/lib/liba.so", "devices": ["/dev/acme1"]}}
    own = Profile.model_validate(
        {"name": "acme", "description": "", "tested": False, "devices": ["/dev/acme0", "/dev/video7"],
         "delegates": [external]}
    )  # fmt: skip
    assert wanted(own, []) == ([], ["/dev/acme0", "/dev/acme1"])


def test_every_node_that_a_profile_of_ours_names_is_of_a_family() -> None:
    for path in resources.device_profiles().values():
        assert wanted(read(path), [])[1] == [], path


def test_what_is_plugged_in_is_seen_by_its_node(tmp_path: Path) -> None:
    (tmp_path / "dev/snd").mkdir(parents=True)
    for node in ("ttyACM0", "apex_0", "video0", "ttyS0", "snd/pcmC1D0c", "snd/pcmC0D0p"):
        (tmp_path / "dev" / node).touch()
    assert present(tmp_path) == ["serial", "audio", "edge-tpu"]


def test_each_family_has_a_drop_in_and_each_drop_in_a_family() -> None:
    there = {path.name for path in resources.units().glob("edge-agent-*.conf")}
    helpers = {name for name in there if name.startswith("edge-agent-host")}
    assert there - helpers == {one.drop_in for one in FAMILIES}


@pytest.mark.parametrize("delegate", [armnn, gpu, vx], ids=lambda one: str(one.TRAITS.kind))
def test_the_nodes_of_an_accelerator_are_those_of_the_family_that_it_needs(delegate: ModuleType) -> None:
    [family] = [one for one in FAMILIES if delegate.TRAITS.kind in one.delegates]
    for node in delegate.TRAITS.devices:
        assert any(fnmatchcase(node, pattern) for pattern in family.nodes)
