"""Deploying to devices that say odd things, for operators who ask for too much."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from agent.errors import ConfigInvalid
from agent.fleet.deploying import shown
from agent.fleet.deploying.many import Known, Reader
from agent.fleet.deploying.standing import Progress
from agent.fleet.deploying.wishes import Change

if TYPE_CHECKING:
    from pathlib import Path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_a_device_says_is_no_markup_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    with shown.following("door", quiet=False) as show:
        show("gate-1", Progress("rejected", "[/oops] [bold]golden 3 differs"))


def test_more_settings_than_a_device_takes_are_refused_in_a_line(tmp_path: Path) -> None:
    change = Change(overrides={f"pipelines.p{number}.max_rate": 5 for number in range(257)})
    reader = Reader(tmp_path, "demo", [], unsigned=True)
    with pytest.raises(ConfigInvalid, match=r"make desired state of gate-1: overrides: .* 256"):
        reader.following(Known("gate-1"), change, 1)
