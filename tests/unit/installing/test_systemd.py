from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.reporting import unit
from agent.installing import systemd

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def answering(folder: Path, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a systemctl that says these words."""
    program = folder / "systemctl"
    program.write_text(f"#!/bin/sh\nprintf '{words}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(systemd, "_RUNNING", folder)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_a_unit_that_is_not_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(tmp_path, r"LoadState=not-found\nActiveState=inactive\n", monkeypatch)
    assert unit.shown() is None


def test_a_drop_in_whose_name_is_no_utf_8_costs_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(tmp_path, r"LoadState=loaded\nUser=a=b\nDropInPaths=/etc/\377.conf\n", monkeypatch)
    found = {"LoadState": "loaded", "User": "a=b", "DropInPaths": "/etc/\N{REPLACEMENT CHARACTER}.conf"}
    assert unit.shown() == found
