"""Programs of systemd that fail, and what it says of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.cli.reporting import unit
from agent.errors import AgentError
from agent.installing import systemd

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose text a stand-in for systemctl prints, on a machine that systemd runs."""
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/says\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(systemd, "_RUNNING", tmp_path)
    return tmp_path / "says"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("no-such-program-of-systemd",), "there is no such program"),
        (("sh", "-c", "echo first >&2; echo second >&2; exit 3"), "first"),
        (("sh", "-c", "echo Created symlink a >&2; echo Job failed. >&2; exit 1"), r"1: Job failed\. Run"),
        (("sh", "-c", "exit 3"), "exit code 3"),
    ],
)
def test_a_command_that_fails_is_one_line(argv: tuple[str, ...], told: str) -> None:
    with pytest.raises(AgentError, match=told):
        systemd.run(argv)


def test_properties_are_read_whatever_stands_in_them(says: Path) -> None:
    says.write_text("LoadState=loaded\nUser=a=b\n\n")
    assert systemd.shown(("LoadState", "User")) == {"LoadState": "loaded", "User": "a=b"}


def test_a_drop_in_whose_name_is_no_utf_8_costs_no_report(says: Path) -> None:
    says.write_bytes(b"LoadState=loaded\nDropInPaths=/etc/\377.conf\n")
    assert unit.shown() == {"LoadState": "loaded", "DropInPaths": "/etc/\N{REPLACEMENT CHARACTER}.conf"}


def test_a_systemd_that_does_not_answer_is_told(says: Path) -> None:
    with pytest.raises(AgentError, match=r"ask systemd of edge-agent\.service: .* exit status 1"):
        systemd.shown(("LoadState",))
    assert not says.exists()


def test_a_unit_that_is_not_there_has_no_properties_to_report(says: Path) -> None:
    says.write_text("LoadState=not-found\nActiveState=inactive\n")
    assert unit.shown() is None
    says.write_text("LoadState=loaded\n")
    assert unit.shown() == {"LoadState": "loaded"}


def test_where_systemd_does_not_run_there_is_no_unit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(systemd, "_RUNNING", tmp_path / "none")
    assert unit.shown() is None
