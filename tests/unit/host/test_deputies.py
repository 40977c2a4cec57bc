"""What others have done for the helper is looked at before it is used."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from agent.errors import Rejected
from agent.host.deputies import Units

if TYPE_CHECKING:
    from pathlib import Path

# What systemd does for the two units: it runs the test's script in place of the unit's program.
_SYSTEMCTL = """\
#!/bin/sh
echo "$*" >>"$HOME/log"
case "$1" in
  start) unit="${2%.service}"; cp "$HOME/run/$unit.json" "$HOME/ordered"
    [ ! -e "$HOME/$unit" ] || . "$HOME/$unit" >"$HOME/run/$unit.done" ;;
  clean) rm -rf "$HOME/cache/wheels" ;;
esac
"""
WHEELS = "mkdir -p $HOME/cache/wheels; cd $HOME/cache/wheels; "
NAME = "edge_inference_agent-1.1-py3-none-any.whl"
WELL = """; echo '{"v": 1}'"""


class Board:
    """Folders, and a systemctl that does what a test says."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        for name in ("run", "cache"):
            (root / name).mkdir()
        (root / "systemctl").write_text(_SYSTEMCTL)
        (root / "systemctl").chmod(0o755)
        monkeypatch.setenv("PATH", f"{root}:{os.environ['PATH']}")
        monkeypatch.setenv("HOME", str(root))
        self.units = Units(root / "run", root / "cache")

    def does(self, unit: str, script: str) -> None:
        (self.root / unit).write_text(script)

    @property
    def log(self) -> list[str]:
        return (self.root / "log").read_text().splitlines()


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    return Board(tmp_path, monkeypatch)


def test_an_order_is_given_once_what_was_ordered_before_has_ended(board: Board) -> None:
    board.does("edge-agent-try", """echo '{"v": 1, "said": "1.1"}'""")
    assert board.units.as_agent(["/opt/edge-agent-1.1/bin/edge-agent", "version"]) == "1.1"
    assert board.log == ["stop edge-agent-try.service", "start edge-agent-try.service"]
    order = json.loads((board.root / "ordered").read_bytes())
    assert order["command"] == ["/opt/edge-agent-1.1/bin/edge-agent", "version"]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("""echo '{"v": 1, "problem": "it does not work"}'""", "run edge-agent check: it does not work"),
        ("echo 'I am root'", "its answer is none"),
        ("head -c 9000 /dev/zero", "it has more than 8192 bytes"),
        ("exit 1", "run systemctl start: exit code 1"),
    ],
)
def test_a_trial_that_fails_or_answers_nonsense_is_told(board: Board, script: str, problem: str) -> None:
    board.does("edge-agent-try", script)
    with pytest.raises(Rejected, match=problem):
        board.units.as_agent(["edge-agent", "check"])


def test_an_answer_of_the_time_before_counts_for_nothing(board: Board) -> None:
    (board.root / "run" / "edge-agent-try.done").write_text('{"v": 1}')
    with pytest.raises(Rejected, match="it gave no answer"):
        board.units.as_agent(["edge-agent", "check"])


def test_wheels_alone_are_taken_and_the_cache_is_empty_before(board: Board) -> None:
    (board.root / "cache" / "wheels").mkdir()
    (board.root / "cache" / "wheels" / "old").touch()
    board.does(
        "edge-agent-fetch", WHEELS + f"touch {NAME} numpy-2.0-cp311-cp311-manylinux_2_28_aarch64.whl" + WELL
    )
    assert len(list(board.units.fetch(["pip", "download"]).iterdir())) == 2


@pytest.mark.parametrize(
    "script",
    [
        "touch evil.py",
        "touch edge_inference_agent-1.1.tar.gz",
        f"mkdir {NAME}",
        f"ln -s /etc/passwd {NAME}",
        f"touch {NAME}; ln {NAME} numpy-2.0-py3-none-any.whl",
        f"mkfifo {NAME}",
        f"truncate -s 3G {NAME}",
        "cd ..; mv wheels other; ln -s other wheels",
        "rmdir ../wheels",
    ],
)
def test_a_download_that_is_no_folder_of_wheels_is_refused(board: Board, script: str) -> None:
    board.does("edge-agent-fetch", WHEELS + script + WELL)
    with pytest.raises(Rejected, match="fetch"):
        board.units.fetch(["pip", "download"])
