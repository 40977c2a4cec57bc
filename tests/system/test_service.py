"""The service under a real systemd: from boot to the end, through every way of dying."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.confinement import landlock
from agent.errors import EXIT_CONFIG
from tests.starts import start
from tests.system.booted import CONFIG, DATA, UNIT

if TYPE_CHECKING:
    from tests.system.container import Container

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

SOON = f"/run/systemd/system/{UNIT}.d/watchdog.conf"


def supervisor(service: Container) -> int:
    pid = int(service.show("MainPID"))
    assert pid > 1
    return pid


def restarted(service: Container, before: int) -> int:
    """Wait for another main process that infers; give its pid.

    Seconds, as a rule. Where the kernel's word is lost that the last process has ended, systemd waits for as
    long as a stop may take.
    """
    service.until(lambda: int(service.show("MainPID")) not in {0, before}, "start again", 90)
    service.inferring()
    return supervisor(service)


def alive(service: Container, pid: int) -> bool:
    return service.run("kill", "-0", str(pid)).returncode == 0


def test_it_starts_without_network_broker_or_secrets_and_infers_with_xnnpack(service: Container) -> None:
    status = service.status()
    assert status is not None
    pipeline = status["pipelines"][0]
    assert (service.show("ActiveState"), service.show("NRestarts")) == ("active", "0")
    service.until(lambda: service.show("StatusText").startswith("1 of 1 pipelines running"), "tell", 60)
    assert pipeline["delegate"] == "xnnpack"
    assert pipeline["delegated"][0] == 6
    assert pipeline["balanced"]
    # It runs as a user of its own, and its memory is root's.
    assert service.run("stat", "-c", "%u", f"/proc/{supervisor(service)}/mem").stdout.strip() == "0"
    uid = service.run("ps", "-o", "uid=", "-p", str(supervisor(service))).stdout.strip()
    assert int(uid) >= 61184


def test_a_result_is_on_the_disk_soon_after_a_start(service: Container) -> None:
    assert service.run("systemctl", "stop", UNIT).returncode == 0
    ready_s, first_s = start(service)  # about 1 s, see python -m tests.starts
    print(f"ready after {ready_s:.2f} s, the first result on the disk after {first_s:.2f} s")
    assert first_s < 15


def test_its_workers_are_confined_there_too(service: Container) -> None:
    status = service.status()
    assert status is not None
    confined = status["pipelines"][0]["confined"]
    assert confined["seccomp"]
    assert confined["landlock"] == landlock.abi()


def test_a_killed_supervisor_is_started_again_and_takes_its_workers_along(service: Container) -> None:
    status = service.status()
    assert status is not None
    before, worker = supervisor(service), status["pipelines"][0]["pid"]
    service.kill("KILL", before)
    restarted(service, before)
    assert not alive(service, worker)


def test_a_killed_worker_is_replaced_and_the_service_goes_on(service: Container) -> None:
    status = service.status()
    assert status is not None
    before, worker = supervisor(service), status["pipelines"][0]["pid"]
    service.kill("KILL", worker)

    def replaced() -> bool:
        now = service.status()
        return now is not None and now["pipelines"][0]["pid"] not in {None, worker}

    service.until(replaced, "start another worker", 20)
    assert supervisor(service) == before


def test_a_supervisor_that_stands_still_is_ended_by_the_watchdog(service: Container) -> None:
    service.write(SOON, "[Service]\nWatchdogSec=4\n")  # what starves for so long elsewhere is no fault
    service.run("systemctl", "daemon-reload")
    assert service.run("systemctl", "restart", UNIT).returncode == 0
    worker = service.inferring()["pipelines"][0]["pid"]
    before = supervisor(service)
    service.kill("STOP", before)
    restarted(service, before)
    assert not alive(service, worker)
    assert "watchdog" in service.journal().lower()
    service.run("rm", SOON)
    service.run("systemctl", "daemon-reload")


def test_a_stop_loses_nothing_and_all_that_was_captured_is_on_the_disk(service: Container) -> None:
    before = service.inferring()
    epoch = before["store"]["epoch"]
    assert service.run("systemctl", "stop", UNIT).returncode == 0
    assert (service.show("Result"), service.show("ExecMainStatus")) == ("success", "0")
    records, ledger = service.records("result", epoch)
    results = [record for record in records if record.get("kind") not in {"ledger", "failed"}]
    assert ledger["in_flight"] == 0
    assert len(results) == ledger["inferred"] >= before["pipelines"][0]["ledger"]["inferred"]
    lost = sum(ledger["dropped"].values()) + sum(ledger["failed"].values())
    assert ledger["captured"] == ledger["inferred"] + lost


def test_what_root_repairs_or_migrates_the_service_takes_up_again(service: Container) -> None:
    assert "data folder: /var/lib/edge-agent\n" in service.agent("check")  # beside it
    for damage, command, told in (
        (f"printf nonsense > {DATA}/state.db", ["verify", "--repair"], "mended state.db"),
        ("true", ["migrate", "--to", "1"], "brought to version 1"),
    ):
        service.run("systemctl", "stop", UNIT)
        assert service.run("sh", "-c", damage).returncode == 0
        assert told in service.agent("store", *command)
        owner = service.run("stat", "-c", "%u", DATA).stdout.strip()
        assert int(owner) >= 61184
        assert service.run("find", DATA, "!", "-uid", owner).stdout == ""
        service.agent("check")
        service.start(CONFIG)
        store = service.inferring()["store"]
        assert (store["mode"], store["problem"]) == ("disk", "")
        assert store["backlog"] > store["committed"]  # what earlier starts left is there


def test_a_wrong_configuration_ends_it_with_78_and_is_not_tried_again(machine: Container) -> None:
    machine.write("/etc/edge-agent/agent.toml", CONFIG.replace("model", "modle"))
    machine.run("systemctl", "start", UNIT)
    machine.until(lambda: machine.show("ActiveState") == "failed", "fail", 30)
    assert machine.show("ExecMainStatus") == str(EXIT_CONFIG)
    assert machine.show("NRestarts") == "0"
    assert "there is no such key" in machine.journal()
