"""The helper under a real systemd: releases that are fetched, tried as the agent, kept and taken back."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from agent.host.journal import NAME
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
DAY_S = 86400
"""The most that a machine may have to be up before a reboot; a container is up as long as its host."""
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
    """A machine with a release of the agent in an environment of its own, and an index of others.

    Attributes:
        index: the index, on this machine.
        helper: the helper's folder, the same way: to look there starts nothing.
        root: the file system that the machine began with.
    """

    machine: Container
    index: Path
    helper: Path
    root: Path

    def publish(self, version: str, *, broken: bool = False) -> None:
        """Have the index offer a release."""
        environment = self.root / "opt" / "edge-agent"
        made = release(environment, f"{OPT}-{FIRST}", self.index, version, broken=broken)
        with (self.index / "index.html").open("a") as page:
            page.write(f'<a href="{made.name}">{made.name}</a>\n')

    def command(self, op: str, *arguments: str) -> None:
        """Have the agent do a command, as somebody on the device does; do not wait for its end."""
        options = ("--config", "/etc/edge-agent/agent.toml", "--timeout", "1")
        self.machine.run(f"{OPT}/bin/edge-agent", "command", op, *arguments, *options)

    def told(self) -> dict[str, Any]:
        """What the helper says."""
        return self._read(TOLD)

    def step(self) -> str:
        """How far an update has come."""
        return str(self._read(NAME).get("step"))

    def _read(self, name: str) -> dict[str, Any]:
        path = self.helper / name
        return dict(orjson.loads(path.read_bytes())) if path.exists() else {}

    def end(self, op: str, version: str = "") -> tuple[str, str]:
        """Wait for what becomes of a command; give state and reason."""
        last = {"refused", "failed", "done"}

        def ended() -> bool:
            told = self.told()
            return bool(told and (told["op"], told["version"]) == (op, version) and told["state"] in last)

        self.machine.until(ended, f"{op} {version}", 150)
        told = self.told()
        return told["state"], told["reason"]

    def runs(self) -> tuple[str, str]:
        """Which release is in its place, and which one runs."""
        place = self.machine.run("readlink", OPT).stdout.strip()
        status = self.machine.inferring()
        return place, str(status["version"])

    def users(self, unit: str) -> set[str]:
        """Whose processes a unit had, by the lines that they have said."""
        self.machine.run("journalctl", "--sync")
        lines = self.machine.run("journalctl", "-o", "json", f"_SYSTEMD_UNIT={unit}.service").stdout
        return {orjson.loads(line)["_UID"] for line in lines.splitlines()}

    def said(self) -> str:
        """What the units of the helper have said."""
        units = [word for unit in (HELPER, FETCH, TRY, UNIT) for word in ("-u", unit)]
        return self.machine.run("journalctl", *units, "--no-pager", "-n", "150").stdout


def _linked(here: str, there: str) -> None:
    """Copy a file, by another name for it where that can be."""
    try:
        os.link(here, there)
    except OSError:
        shutil.copy2(here, there)


@pytest.fixture(scope="module")
def board(rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """The machine, with the helper installed as docs/operations.md says."""
    folder = tmp_path_factory.mktemp("host")
    opt, data, helper = (folder / name for name in ("opt", "data", "helper"))
    index = folder / "simple" / "edge-inference-agent"
    for one in (opt, data, helper, index):
        one.mkdir(parents=True)
    shutil.copytree(
        rootfs / "opt" / "edge-agent", opt / f"edge-agent-{FIRST}", symlinks=True, copy_function=_linked
    )
    for link in ("edge-agent", "edge-agent-proven"):
        (opt / link).symlink_to(f"edge-agent-{FIRST}")
    units = {f"/etc/systemd/system/{one.name}": one for one in (REPOSITORY / "systemd").glob("edge-agent*.*")}
    units[INDEX] = folder / "simple"
    with Container(rootfs, folder / "console", units, {"/opt": opt, DATA: data, HOME: helper}) as machine:
        machine.write("/etc/edge-agent/host.toml", ALLOWED)
        machine.write(f"/etc/systemd/system/{HELPER}.d/soon.conf", "[Service]\nRestartSec=1\n")
        machine.write(f"/etc/systemd/system/{UNIT}.d/more.conf", "[Service]\nDeviceAllow=/dev/fuse rw\n")
        machine.run("mkdir", f"/etc/systemd/system/{TRY}.service.d")
        machine.run("ln", "-s", f"../{UNIT}.d/more.conf", f"/etc/systemd/system/{TRY}.service.d/")
        # Each unit is another Python, and the file system has no bytecode: this is most of what they load.
        packages = machine.run("sh", "-c", f"echo {OPT}/lib/python3*/site-packages/pydantic*").stdout.split()
        machine.run(f"{OPT}/bin/python", "-m", "compileall", "-q", *packages)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "enable", "--now", "edge-agent-host.path", "edge-agent-host")
        machine.start(AGENT)
        machine.inferring()
        yield Board(machine, index, helper, rootfs)


def test_a_release_is_fetched_by_one_user_tried_by_another_and_there_to_stay(board: Board) -> None:
    agent = board.machine.run("stat", "-c", "%u", DATA).stdout.strip()
    board.publish("0.2.0")
    board.command("update", "version=0.2.0")
    assert board.end("update", "0.2.0") == ("done", ""), board.said()
    assert board.runs() == ("edge-agent-0.2.0", "0.2.0")
    assert board.users(TRY) == {agent}
    assert board.users(FETCH).isdisjoint({agent, "0"})
    assert board.users(FETCH)
    assert board.machine.run("stat", "-c", "%u", DATA).stdout.strip() == agent
    assert board.machine.run("ls", "/var/cache/private/edge-agent-fetch").stdout == ""
    assert board.machine.run("systemctl", "--failed", "--plain", "--no-legend").stdout == ""


def test_a_trial_has_what_drop_ins_give_the_agent(board: Board) -> None:
    found = board.machine.show("DropInPaths", f"{TRY}.service")
    assert found == "/etc/systemd/system/edge-agent-try.service.d/more.conf"
    assert "/dev/fuse" in board.machine.show("DeviceAllow", f"{TRY}.service")


def test_a_release_that_fails_its_check_leaves_the_one_before_in_its_place(board: Board) -> None:
    before = board.runs()
    board.publish("0.3.0", broken=True)
    board.command("update", "version=0.3.0")
    state, reason = board.end("update", "0.3.0")
    assert (state, "this release suits no device" in reason) == ("failed", True), board.said()
    assert board.runs() == before


def test_a_helper_that_is_killed_while_a_release_is_tried_goes_on(board: Board) -> None:
    board.publish("0.4.0")
    board.command("update", "version=0.4.0")
    show = board.machine.show
    board.machine.until(lambda: board.step() == "changing", "change the release", 150)
    board.machine.until(lambda: show("ActiveState", f"{TRY}.service") == "activating", "try it", 30)
    board.machine.kill("KILL", int(show("MainPID", HELPER)))
    board.machine.until(lambda: show("NRestarts", HELPER) == "1", "start the helper again", 30)
    assert board.end("update", "0.4.0") == ("done", ""), board.said()
    assert board.runs() == ("edge-agent-0.4.0", "0.4.0")


def test_systemd_hears_of_a_reload(board: Board) -> None:
    machine = board.machine
    machine.write("/etc/edge-agent/agent.toml", AGENT.replace("fps = 50", "fps = 40"))
    machine.run("systemctl", "log-level", "debug")
    assert machine.run("systemctl", "reload", UNIT).returncode == 0
    machine.until(lambda: "RELOADING=1" in machine.journal(), "say that it reloads", 20)
    machine.run("systemctl", "log-level", "info")
    machine.until(lambda: machine.show("ActiveState") == "active", "be ready again", 20)
    machine.inferring()


@pytest.mark.skipif(
    time.clock_gettime(time.CLOCK_BOOTTIME) > DAY_S - 600,
    reason="needs a machine that is up for less than a day",
)
def test_a_reboot_is_refused_so_soon_after_the_last(board: Board) -> None:
    board.machine.write("/etc/edge-agent/host.toml", ALLOWED.replace("rest_s = 0", f"rest_s = {DAY_S}"))
    board.command("reboot")
    state, reason = board.end("reboot")
    assert (state, f"{DAY_S} s are the least" in reason) == ("refused", True)


def test_a_reboot_that_is_allowed_is_asked_of_systemd(board: Board) -> None:
    machine = board.machine
    machine.write("/etc/edge-agent/host.toml", ALLOWED)
    machine.write("/etc/systemd/system/reboot.target", "[Unit]\nDescription=Not really\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "stop", HELPER)  # it stays for a while, with what it has read
    board.command("reboot")
    machine.until(lambda: machine.show("ActiveState", "reboot.target") == "active", "ask for a reboot", 30)
