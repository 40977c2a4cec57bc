"""The journal's catalog says of each event what docs/events.md says."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from agent.events import Event
from agent.journal import message_id
from release.catalog import CATALOG, PAGE, catalog

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_made_of_the_page_of_events() -> None:
    made = catalog(PAGE.read_text())
    assert CATALOG.read_text() == made, "run: make pages"


def test_an_event_without_a_row_is_named() -> None:
    page = PAGE.read_text().replace("| `lane.hung` |", "| lane.hung |")
    with pytest.raises(ValueError, match=r"no row for lane\.hung"):
        catalog(page)


def test_the_journal_takes_it_and_shows_it_beside_an_event(tmp_path: Path) -> None:
    if shutil.which("journalctl") is None:
        pytest.skip("needs journalctl: install systemd")
    folder = tmp_path / "usr" / "lib" / "systemd" / "catalog"
    folder.mkdir(parents=True)
    shutil.copy(CATALOG, folder)
    there = f"--root={tmp_path}"
    subprocess.run(["journalctl", there, "--update-catalog"], check=True, timeout=30)
    command = ["journalctl", there, "--dump-catalog", message_id(Event.LANE_STUCK)]
    told = subprocess.run(command, check=True, timeout=30, capture_output=True, text=True).stdout
    assert "Subject: lane.stuck @EDGE_SUBJECT@" in told
    assert "What to do: " in told
