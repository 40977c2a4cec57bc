"""The service on a virtual machine whose memory, network and power fail, by the kernel's own means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulators import glutton
from tests.system import board
from tests.system.booted import UNIT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.vm import Vm

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1500)]

GROUP = f"/sys/fs/cgroup/system.slice/{UNIT}"
LIMIT = f"/run/systemd/system/{UNIT}.d/zz-memory.conf"


def test_a_worker_that_eats_all_memory_is_killed_alone_and_started_again(vm: Vm) -> None:
    board.plug_in(vm, glutton)
    vm.write(LIMIT, "[Service]\nMemoryMax=280M\nMemorySwapMax=0\n")
    vm.sh("systemctl daemon-reload")
    vm.start(board.config(source='{ kind = "glutton", frames = 20 }'))
    epoch = board.until_status(vm, lambda _: True, "answer")["store"]["epoch"]
    before = board.supervisor(vm)
    vm.until(lambda: "lane.died door" in vm.journal(), "run out of memory", 30)
    door = board.inferring(vm)
    assert board.supervisor(vm) == before
    assert (door["state"], door["balanced"], door["restarts"]) == ("running", True, 1)
    assert vm.sh(f"grep '^oom_kill ' {GROUP}/memory.events") == "oom_kill 1\n"
    vm.sh(f"systemctl stop {UNIT}; rm {LIMIT}; systemctl daemon-reload")
    assert vm.show("Result") == "success"
    _, ledger = board.results_of(vm, epoch)
    assert ledger["in_flight"] == 0


def test_all_is_delivered_over_a_network_that_delays_and_loses(vm: Vm, tmp_path: Path) -> None:
    vm.sh("modprobe sch_netem; tc qdisc replace dev eth0 root netem delay 200ms 50ms loss 10%")
    with board.outside(vm, tmp_path) as line:
        vm.start(board.config(more=line.mqtt))
        status = board.until_status(vm, lambda now: now["store"]["acked"] > 30, "deliver")
        vm.run("systemctl", "stop", UNIT)
        vm.sh("tc qdisc del dev eth0 root")
        assert vm.show("Result") == "success"
        found = line.settled({("result", status["store"]["epoch"]): status["store"]["acked"]})
    assert (found.missing, found.lost, found.duplicated, found.unbalanced) == (0, 0, 0, ())


def test_a_power_cut_costs_nothing_that_was_stored(vm: Vm) -> None:
    board.lose_power(vm)
