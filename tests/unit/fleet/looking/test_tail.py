"""Lines of a device's log from afar: those that somebody plays back are not shown as new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.documents import loglines
from agent.documents.loglines import Line, LogLines
from agent.documents.outcome import Outcome
from agent.fleet.commanding.gathering import Result
from agent.fleet.looking.tail import Tail
from agent.link.settings import LinkMessage

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def lines(at: int, text: str) -> LinkMessage:
    found = LogLines(fleet="f", device="d", n=1, at=at, lines=(Line(level="info", text=text),))
    return LinkMessage("edge/v1/f/d/d/up/logs", loglines.encode(found, None), retain=False)


def test_lines_that_were_sent_before_the_device_was_asked_are_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tail = Tail(tmp_path, "f", "d", unsigned=True, as_json=False)
    tail.heard(lines(1000, "of last week"))
    done = Outcome(fleet="f", device="d", id="12345678", op="logs", state="done", at=5000)
    tail.begin(Result("d", done))
    tail.heard(lines(4990, "of now"))
    tail.heard(lines(2000, "of yesterday"))
    shown = capsys.readouterr()
    assert shown.out == "of now\n"
    said = "lines came that do not count: the device has sent them long before it was asked"
    assert shown.err == f"edgectl: d: {said}\n"
