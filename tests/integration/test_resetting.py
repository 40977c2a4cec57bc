"""The program that resets a device: what comes of it, and that nobody hangs on it."""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.boards.accelerators import Accelerator
from agent.recovery import resetting
from agent.recovery.resetting import Resetting
from tests.simulators import resettable_delegate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", resettable_delegate.installed(tmp_path / "plugins"))


def over(kind: str = "resettable", **options: Any) -> Resetting:
    """Reset, and wait until that is over."""
    began = time.monotonic()
    one = Resetting(Accelerator(kind=kind, reset="usb", options=options), began)
    assert one.child is not None
    while not one.tick(time.monotonic()):
        assert time.monotonic() - began < 20
        time.sleep(0.01)
    return one


def test_a_device_is_reset_by_a_program_that_loads_no_native_code(tmp_path: Path) -> None:
    assert over(note=str(tmp_path / "note")).problem == ""
    assert (tmp_path / "note").read_text() == "reset with []"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"how": "not"}, "no device of it can be reset"),
        ({"how": "fail"}, "Permission denied: '/dev/bus/usb/002/003'"),
        ({"hwo": "done"}, "hwo of resettable: there is no such key"),
    ],
)
def test_why_a_device_was_not_reset_is_told(options: dict[str, str], words: str) -> None:
    problem = over(**options).problem
    assert words in problem
    assert "\n" not in problem


def test_a_kind_that_nobody_has_is_told() -> None:
    assert "there is no 'nosuch'" in over("nosuch").problem


def test_an_edge_tpu_that_is_not_there_is_not_reset() -> None:
    assert "no device of it can be reset" in over("edgetpu").problem


def test_a_reset_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resetting, "_LIMIT_S", 0.6)
    one = over(how="hang", note=str(tmp_path / "note"))
    assert (one.problem, one.stuck) == ("it took too long", False)


def test_a_reset_is_left_at_once_when_the_agent_ends() -> None:
    one = Resetting(Accelerator(kind="resettable", options={"how": "hang"}), time.monotonic())
    child = one.child
    assert child is not None
    one.abandon()
    while (code := child.exit_code()) is None:
        time.sleep(0.01)
    assert (one.child, code) == (None, -signal.SIGKILL)
