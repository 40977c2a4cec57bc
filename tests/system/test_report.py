"""What a report says of the service that systemd runs, to root and to somebody else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent.confinement import landlock

if TYPE_CHECKING:
    from tests.system.container import Container

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
REPORT = ("/opt/edge-agent/bin/edge-agent", "report", "--json")


def report(service: Container, *before: str) -> dict[str, Any]:
    done = service.run(*before, *REPORT)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def amiss(told: dict[str, Any]) -> set[str]:
    return {one["id"] for one in told["deviations"]}


def test_root_is_told_all_of_the_service_and_its_sandbox(service: Container) -> None:
    told = report(service)
    assert told["running"] is True
    assert told["unseen"] == []
    assert amiss(told) <= {"unsigned-model", "clock"}
    assert (told["service"]["ActiveState"], told["service"]["ProtectSystem"]) == ("active", "strict")
    assert told["service"]["CapabilityBoundingSet"] == ""
    assert told["pipelines"][0]["confined"]["landlock"] == landlock.abi()
    assert told["data"]["mode"] == "700"
    assert len(told["compliance"]) == 4


def test_a_drop_in_that_loosens_the_sandbox_is_amiss(service: Container) -> None:
    path = "/etc/systemd/system/edge-agent.service.d/loose.conf"
    service.write(path, "[Service]\nCapabilityBoundingSet=CAP_NET_ADMIN\n")
    service.run("systemctl", "daemon-reload")
    try:
        assert "unsandboxed" in amiss(report(service))
    finally:
        service.run("rm", path)
        service.run("systemctl", "daemon-reload")


def test_somebody_else_is_told_what_there_is_to_see_and_what_there_is_not(service: Container) -> None:
    told = report(service, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert {"running", "data", "audit"} <= {one["part"] for one in told["unseen"]}
    assert told["service"]["ActiveState"] == "active"
    assert amiss(told) <= {"unsigned-model", "clock"}
