"""Edge TPUs as the kernel shows them: cards, and sticks before and after they have their firmware."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from agent.delegates import edgetpu
from agent.errors import DelegateLost
from tests.simulators import lying_delegate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.boards.delegation import Presence


class Machine:
    """Folders that stand in for /dev, /sys and /usr/lib."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "usr/lib").mkdir(parents=True)
        (root / "dev/bus/usb/002").mkdir(parents=True)
        (root / "sys/bus/usb/devices").mkdir(parents=True)
        (root / "usr/lib/libedgetpu.so.1").write_bytes(lying_delegate.library().read_bytes())
        self.stick("usb2", "1d6b", "0003", 1)  # a hub is no stick
        (root / "sys/bus/usb/devices/2-1:1.0").mkdir()

    def card(self, number: int = 0) -> None:
        (self.root / f"dev/apex_{number}").touch()

    def stick(
        self, place: str, vendor: str = "18d1", product: str = "9302", number: int = 3, *, node: bool = True
    ) -> None:
        folder = self.root / "sys/bus/usb/devices" / place
        folder.mkdir()
        told = {"idVendor": vendor, "idProduct": product, "busnum": "2", "devnum": str(number)}
        for name, text in told.items():
            (folder / name).write_text(f"{text}\n")
        if node:
            (self.root / f"dev/bus/usb/002/{number:03}").touch()

    def probe(self, device: str = "") -> Presence:
        return edgetpu.build(edgetpu.Options(device=device), self.root).probe()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    return Machine(tmp_path)


def test_without_any_it_says_what_was_looked_for(machine: Machine) -> None:
    assert machine.probe().why == "none is plugged in: no /dev/apex_*, no USB device 1a6e:089a or 18d1:9302"
    assert machine.probe("usb").why == "none is plugged in on USB: no USB device 1a6e:089a or 18d1:9302"
    assert machine.probe("pci:0").why == "none is plugged in on PCIe: no /dev/apex_*"


def test_a_stick_is_found_before_and_after_it_has_its_firmware(machine: Machine) -> None:
    machine.stick("2-1", "1a6e", "089a", 3)
    found = machine.probe()
    assert found.there
    assert found.devices == ("USB 2-1 (before its firmware)",)
    assert found.why == "libedgetpu.so.1, USB 2-1 (before its firmware)"
    machine.stick("2-2", number=4)
    assert machine.probe("usb:1").devices == ("USB 2-1 (before its firmware)", "USB 2-2")
    assert not machine.probe("pci").there


def test_a_card_is_found_and_counted(machine: Machine) -> None:
    machine.card()
    assert machine.probe().devices == ("/dev/apex_0",)
    assert machine.probe("pci:0").there
    assert machine.probe("pci:1").why == "1 of them are there on PCIe, and number 1 is wanted"
    machine.card(1)
    assert machine.probe(":1").there
    assert not machine.probe("usb").there


def test_a_stick_whose_node_is_not_there_is_told(machine: Machine) -> None:
    machine.stick("2-1", node=False)
    found = machine.probe()
    assert not found.there
    assert found.why == "USB 2-1 is plugged in, and its node /dev/bus/usb/002/003 is not there"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_stick_that_this_user_may_not_open_is_told() -> None:
    with tempfile.TemporaryDirectory() as folder:  # anybody may look into it
        Path(folder).chmod(0o755)
        machine = Machine(Path(folder))
        machine.stick("2-1")
        (machine.root / "dev/bus/usb/002/003").chmod(0o600)
        os.setreuid(65534, 0)  # access(2) asks for the real user
        try:
            found = machine.probe()
        finally:
            os.setreuid(0, 0)
    assert found.why == "/dev/bus/usb/002/003 is there, and this user may not open it"


def test_what_the_kernel_lists_may_be_nonsense_or_go_while_it_is_read(machine: Machine) -> None:
    machine.stick("2-1")
    (machine.root / "sys/bus/usb/devices/2-1/devnum").write_text("three\n")
    machine.stick("2-2", number=4)
    (machine.root / "sys/bus/usb/devices/2-2/busnum").unlink()
    (machine.root / "sys/bus/usb/devices/2-3").symlink_to("nowhere")
    assert not machine.probe().there


def test_it_may_reach_all_of_usb_since_a_stick_gets_another_node_with_its_firmware(machine: Machine) -> None:
    needs = edgetpu.build(edgetpu.Options(), machine.root).needs()
    assert {"/dev/apex_0", "/dev/bus/usb"} <= set(needs.devices)
    assert needs.hotplug
    assert not needs.network


def test_its_options_are_passed_on_in_the_librarys_words(machine: Machine) -> None:
    passed: dict[str, str] = {}

    def load(path: str, options: Mapping[str, str]) -> object:
        passed.update(options)
        raise ValueError

    options = edgetpu.Options(device="usb:0", performance="Low", options={"Usb.MaxBulkInQueueLength": 64})
    with pytest.raises(DelegateLost, match=r"gives no delegate: none is plugged in on USB.*\. Plug it in"):
        edgetpu.build(options, machine.root).open(load)
    assert passed == {"device": "usb:0", "Performance": "Low", "Usb.MaxBulkInQueueLength": "64"}
    for bad in ("usb:", "pcie", "0", "usb:100", "/dev/apex_0"):
        with pytest.raises(ValidationError):
            edgetpu.Options(device=bad)


# The kernel's part: it says yes to one request on a node of USB, and notes it.
KERNEL = """
#include <stdarg.h>
#include <stdio.h>
int ioctl(int file, unsigned long request, ...) {
  fprintf(stderr, "%lx\\n", request);
  return request == 0x5514 ? 0 : -1;
}
"""
RESET = """
import sys
from pathlib import Path
from agent.delegates import edgetpu
print(edgetpu.build(edgetpu.Options(device=sys.argv[2]), Path(sys.argv[1])).reset())
"""


def reset(machine: Machine, kernel: str, device: str = "") -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", RESET, str(machine.root), device],
        cwd=Path(__file__).resolve().parents[3],
        env={**os.environ, "LD_PRELOAD": kernel},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip(), done.stderr.split("\n")[0]


def test_a_single_stick_is_reset_by_the_kernels_request_for_it(machine: Machine, tmp_path: Path) -> None:
    if not shutil.which("cc"):
        pytest.skip("install a C compiler (Debian: apt-get install gcc libc6-dev)")
    kernel = str(tmp_path / "kernel.so")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-x", "c", "-o", kernel, "-"], input=KERNEL, text=True, check=True
    )
    assert reset(machine, kernel) == ("False", "")
    machine.stick("2-1")
    assert reset(machine, kernel) == ("True", "5514")
    assert reset(machine, kernel, "pci") == ("False", "")
    machine.stick("2-2", number=4)  # which of the two hangs cannot be told
    assert reset(machine, kernel) == ("False", "")


def test_a_node_that_refuses_to_be_reset_is_told(machine: Machine) -> None:
    machine.stick("2-1")
    assert not edgetpu.build(edgetpu.Options(), machine.root).reset()
    (machine.root / "dev/bus/usb/002/003").unlink()
    assert not edgetpu.build(edgetpu.Options(), machine.root).reset()
