"""The units of the helper that works as root, as systemd reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.documents.helper import REQUEST
from agent.host.orders import FETCH, TRY, answer_of
from agent.host.orders import HOME as ORDERS
from agent.host.settings import FOLDER
from agent.host.told import HOME
from tests.simulators.unit_files import SYSTEMD, complaints, exposure, runnable, settings

AGENT = "edge-agent.service"
HELPERS = ("edge-agent-host.service", "edge-agent-fetch.service", "edge-agent-try.service")


@pytest.mark.parametrize("name", ["edge-agent-host.path", *HELPERS])
@pytest.mark.parametrize("apt", [False, True])
def test_systemd_has_nothing_to_say_against_the_helpers_units(
    tmp_path: Path, name: str, *, apt: bool
) -> None:
    for one in ("edge-agent-host.path", *HELPERS):
        runnable(one, tmp_path)
    if apt:
        drop_ins = tmp_path / "edge-agent-host.service.d"
        drop_ins.mkdir()
        (drop_ins / "apt.conf").write_text((SYSTEMD / "edge-agent-host-apt.conf").read_text())
    assert complaints(tmp_path / name) == ""


@pytest.mark.parametrize("name", HELPERS)
def test_the_helpers_exposure_is_no_greater_than_the_agents(tmp_path: Path, name: str) -> None:
    assert exposure(runnable(name, tmp_path)) <= exposure(runnable(AGENT, tmp_path))


def test_a_new_release_is_tried_in_the_very_sandbox_of_the_agent() -> None:
    agent, trial = settings(AGENT), settings("edge-agent-try.service")
    of_its_own = {"Type", "ExecStart", "StandardOutput", "StandardError", "TimeoutStartSec", "TimeoutStopSec"}
    assert trial.pop("User") == [Path(AGENT).stem], "the name of a dynamic user is that of the unit"
    # What makes a service of the agent; its folder in /run would go with the trial's end.
    of_the_agent = {name for name in agent if name.startswith(("Restart", "Runtime", "Exec", "Timeout"))}
    of_the_agent -= {"RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"}
    of_the_agent |= {"Type", "NotifyAccess", "WatchdogSec", "KillMode"}
    assert {name: trial[name] for name in trial.keys() - of_its_own} == {
        name: agent[name] for name in agent.keys() - of_the_agent
    }


def test_the_helper_runs_from_the_release_that_is_proven_and_needs_no_other() -> None:
    text = (SYSTEMD / "edge-agent-host.service").read_text()
    assert "ExecStart=/opt/edge-agent-proven/bin/python -I -m agent.host.main" in text
    watched = (SYSTEMD / "edge-agent-host.path").read_text()
    assert f"PathExists={FOLDER}/{REQUEST}" in watched
    for line in (f"StateDirectory={Path(HOME).name}", f"RuntimeDirectory={Path(ORDERS).name}"):
        assert line in text
    for unit in (FETCH, TRY):
        text = (SYSTEMD / f"{unit}.service").read_text()
        assert f"ExecStart=/opt/edge-agent-proven/bin/python -I -m agent.host.ordered {unit}\n" in text
        assert f"StandardOutput=truncate:{ORDERS}/{answer_of(unit)}\n" in text
