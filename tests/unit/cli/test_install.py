"""edge-agent install, on folders that stand for machines."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from agent.cli import main
from agent.cli.setup import install_spec
from agent.errors import AgentError
from agent.installing import systemd
from agent.installing.environment import Environment
from agent.installing.record import Record

if TYPE_CHECKING:
    from pathlib import Path

UNIT = "etc/systemd/system/edge-agent.service"
CONFIG = "etc/edge-agent/agent.toml"
PORT = """
[[pipelines]]
name = "pump"
model = "vibration"
source = { kind = "serial", port = "/dev/ttyUSB0", rate = 10, window = 256 }
"""


@pytest.fixture(autouse=True)
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No command is run: it is noted."""
    commands: list[str] = []
    monkeypatch.setattr(systemd, "run", lambda argv: commands.append(" ".join(argv)))
    return commands


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main.run(["install", "--json", *words]) == 0, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_an_image_gets_the_unit_and_what_the_board_needs_and_no_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ran: list[str]
) -> None:
    done = told(capsys, "--root", str(tmp_path), "--profile", "raspberry-pi-zero-2w", "--hardware", "rpicam")
    assert done["hardware"] == ["rpicam"]
    assert (tmp_path / UNIT).is_file()
    assert "MemoryMax=256M" in (tmp_path / f"{UNIT}.d/edge-agent-board.conf").read_text()
    assert not (tmp_path / CONFIG).exists()
    assert any("no /etc/edge-agent/agent.toml yet" in one for one in done["notes"])
    there = f"--root={tmp_path}"
    assert ran == [f"systemd-sysusers {there} edge-agent.conf", f"journalctl --update-catalog {there}"]


def test_hardware_that_the_configuration_uses_is_found_and_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "etc/edge-agent").mkdir(parents=True)
    (tmp_path / CONFIG).write_text(PORT)
    root = ["--root", str(tmp_path)]
    assert told(capsys, *root)["hardware"] == ["serial"]
    assert told(capsys, *root, "--hardware", "can")["hardware"] == ["serial", "can"]
    assert told(capsys, *root, "--hardware", "none")["hardware"] == []
    assert not (tmp_path / f"{UNIT}.d/edge-agent-serial.conf").exists()


def test_a_configuration_that_does_not_hold_is_told_and_nothing_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "etc/edge-agent").mkdir(parents=True)
    (tmp_path / CONFIG).write_text("[[pipeline]]\n")
    assert main.run(["install", "--root", str(tmp_path)]) == 78
    assert "there is no such key" in capsys.readouterr().err
    assert not (tmp_path / UNIT).exists()


def test_a_package_keeps_its_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = tmp_path / "usr/lib/systemd/system/edge-agent.service"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    done = told(capsys, "--root", str(tmp_path), "--hardware", "audio")
    units = (UNIT, "etc/systemd/system/edge-agent-try.service")
    assert [one["what"] for one in done["steps"]] == [f"/{one}.d/edge-agent-audio.conf" for one in units]
    assert any("the package's" in one for one in done["notes"])
    assert main.run(["install", "--root", str(tmp_path), "--remove", "--purge", "--yes"]) == 1
    assert "apt-get purge" in capsys.readouterr().err
    assert "apt-get remove edge-agent" in told(capsys, "--root", str(tmp_path), "--remove")["notes"][0]


def test_a_dry_run_says_all_and_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ran: list[str]
) -> None:
    assert main.run(["install", "--root", str(tmp_path), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"write     /{UNIT}\n" in said
    assert "run       systemd-sysusers" in said
    assert said.endswith("nothing was done: this is what would be\n")
    assert (list(tmp_path.iterdir()), ran) == ([], [])


def test_removing_asks_nobody_and_purging_wants_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ["--root", str(tmp_path)]
    told(capsys, *root)
    (tmp_path / "etc/edge-agent").mkdir()
    assert main.run(["install", *root, "--remove", "--purge"]) == 1
    assert "Say --yes" in capsys.readouterr().err
    assert (tmp_path / UNIT).exists()
    assert told(capsys, *root, "--remove")["steps"][0] == {"did": "removed", "what": f"/{UNIT}"}
    assert told(capsys, *root, "--remove")["notes"] == ["nothing was installed by this command"]
    told(capsys, *root, "--remove", "--purge", "--yes")
    assert not (tmp_path / "etc/edge-agent").exists()


def test_purging_without_removing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["install", "--purge", "--dry-run"]) == 1
    assert "Say: --remove --purge" in capsys.readouterr().err


def test_who_is_not_root_is_told_how(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main.run(["install"]) == 1
    assert "only root may. Run it with sudo: sudo /" in capsys.readouterr().err


def test_an_environment_whose_path_no_unit_can_hold_is_refused(tmp_path: Path) -> None:
    given = install_spec.Given(tmp_path, image=True, hardware=("none",), profile="", start=True)
    odd = tmp_path / "my agent/bin"
    with pytest.raises(AgentError, match="no unit can hold this path"):
        install_spec.spec(given, Environment(odd, odd, odd), Record())


def test_the_running_machine_gets_a_first_configuration_that_holds(tmp_path: Path) -> None:
    given = install_spec.Given(
        tmp_path, image=False, hardware=("auto",), profile="generic-x86_64", start=True
    )
    place = tmp_path / "opt/bin"
    spec, _ = install_spec.spec(given, Environment(place, place, place), Record())
    assert [path for path, _ in spec.configuration] == [f"/{CONFIG}", "/etc/edge-agent/agent.schema.json"]
    assert spec.folder == str(place.parent)


def test_a_configuration_that_is_a_link_to_nowhere_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "etc/edge-agent").mkdir(parents=True)
    (tmp_path / CONFIG).symlink_to("nowhere.toml")
    assert main.run(["install", "--root", str(tmp_path)]) == 1
    assert "a link to what is not there" in capsys.readouterr().err
    assert not (tmp_path / UNIT).exists()
