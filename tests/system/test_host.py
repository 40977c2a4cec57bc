"""The helper under a real systemd: releases that are fetched, tried as the agent, on probation, and taken back."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from agent.host.orders import FETCH, TRY
from agent.host.told import HOME, TOLD
from tests.system.booted import CONFIG, DATA, UNIT
from tests.system.conftest import REPOSITORY
from tests.system.container import Container
from tests.system.releases import release

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

HELPER = "edge-agent-host.service"
OPT, FIRST, INDEX = "/opt/edge-agent", "0.1.0", "/srv/simple"
AGENT = CONFIG + "\n[host]\nreboot = true\nupdate = true\n"
ALLOWED = f"""
reboot = true
rest_s = 0
[update]
manager = "pip"
index = "file://{INDEX}"
installer = ["{OPT}-{FIRST}/bin/python", "-I", "-m", "pip"]
probation_s = 60
steady_s = 1
"""


@dataclass(slots=True)
class Board:
    """A machine with a release of the agent in an environment of its own, and an index of others."""

    machine: Container
    index: Path
    root: Path

    def publish(self, version: str, *, broken: bool = False) -> None:
        """Have the index offer a release."""
        environment = self.root / "opt" / "edge-agent"
        made = release(environment, f"{OPT}-{FIRST}", self.index, version, broken=broken)
        with (self.index / "index.html").open("a") as page:
            page.write(f'<a href="{made.name}">{made.name}</a>\n')

    def command(self, op: str, *arguments: str) -> dict[str, Any]:
        """Have the agent do a command, as somebody on the device does; give its outcome."""
        program = f"{OPT}/bin/edge-agent"
        config = ("--config", "/etc/edge-agent/agent.toml")
        done = self.machine.run(program, "command", op, *arguments, *config, "--json", "--timeout", "50")
        assert done.stdout, done.stderr + self.said()
        found: dict[str, Any] = orjson.loads(done.stdout)
        return found

    def told(self) -> dict[str, Any]:
        """What the helper says."""
        text = self.machine.run("cat", f"{HOME}/{TOLD}").stdout
        return dict(orjson.loads(text)) if text else {}

    def runs(self) -> tuple[str, str]:
        """Which release is in its place, and which one runs."""
        place = self.machine.run("readlink", OPT).stdout.strip()
        status = self.machine.inferring()
        return place, str(status["version"])

    def said(self) -> str:
        """What the units of the helper have said."""
        units = [word for unit in (HELPER, FETCH, TRY, UNIT) for word in ("-u", unit)]
        return self.machine.run("journalctl", *units, "--no-pager", "-n", "150").stdout


@pytest.fixture(scope="module")
def board(rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """The machine, with the helper installed as docs/operations.md says."""
    folder = tmp_path_factory.mktemp("host")
    opt, data, index = folder / "opt", folder / "data", folder / "simple" / "edge-inference-agent"
    for one in (opt, data, index):
        one.mkdir(parents=True)
    shutil.copytree(rootfs / "opt" / "edge-agent", opt / f"edge-agent-{FIRST}", symlinks=True)
    for link in ("edge-agent", "edge-agent-proven"):
        (opt / link).symlink_to(f"edge-agent-{FIRST}")
    units = {f"/etc/systemd/system/{one.name}": one for one in (REPOSITORY / "systemd").glob("edge-agent*.*")}
    units[INDEX] = folder / "simple"
    with Container(rootfs, folder / "console", units, {"/opt": opt, DATA: data}) as machine:
        machine.write("/etc/edge-agent/host.toml", ALLOWED)
        machine.write(f"/etc/systemd/system/{HELPER}.d/soon.conf", "[Service]\nRestartSec=1\n")
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "enable", "--now", "edge-agent-host.path", "edge-agent-host")
        machine.start(AGENT)
        machine.inferring()
        yield Board(machine, index, rootfs)


def test_a_release_is_fetched_by_one_user_tried_by_another_and_there_to_stay(board: Board) -> None:
    owner = board.machine.run("stat", "-c", "%u", DATA).stdout
    board.publish("0.2.0")
    outcome = board.command("update", "version=0.2.0")
    assert (outcome["state"], board.told()["state"]) == ("done", "done"), board.said()
    assert board.runs() == ("edge-agent-0.2.0", "0.2.0")
    assert board.machine.run("stat", "-c", "%u", DATA).stdout == owner
    assert board.machine.run("ls", "/var/cache/private/edge-agent-fetch").stdout == ""
    assert board.machine.run("systemctl", "--failed", "--plain", "--no-legend").stdout == ""
