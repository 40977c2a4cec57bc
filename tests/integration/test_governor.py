"""A real agent on a board that warms up as it works: it does with less before the limit, and comes back."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.integration.test_telemetry import stored
from tests.simulators.boarded_agent import FOLDER
from tests.simulators.fake_board import FakeBoard
from tests.simulators.field import until
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOFT_C, HARD_C, TIME_CONSTANT_S = 65.0, 72.0, 1.6
AMBIENT_C, FULL_C = 56.2, 18.0
"""At its full rate it would end 2 degrees above the limit; at a quarter, neither hot nor cool."""
LIMITS = f"[governor]\nsoft_c = {SOFT_C}\nhard_c = {HARD_C}\n"
QUICK = f"{LIMITS}look_s = 0.1\ndwell_s = 0.5\ncool_s = 0.8\nhorizon_s = 0.6\n"
CAMERA = 'source = { kind = "synthetic", width = 64, height = 64, fps = 30 }\n'


class BoardedAgent(RunningAgent):
    """An agent whose board warms up with its frame rate.

    Attributes:
        board: its board.
        ambient_c: how warm the board is without any frames.
        history: how each status stood: seconds, captured and inferred frames of the pipeline.
    """

    def __init__(self, folder: Path, pipeline: str, more: str = QUICK) -> None:
        super().__init__(folder, pipeline, more)
        self.program = [sys.executable, "-m", "tests.simulators.boarded_agent"]
        self.board = FakeBoard(folder / "board")
        self.environment = {**os.environ, FOLDER: str(self.board.root)}
        self.ambient_c = AMBIENT_C
        self.history: list[tuple[float, int, int]] = []
        self.last: dict[str, Any] = {}

    def live(self, condition: Callable[[dict[str, Any]], bool], timeout_s: float = 60.0) -> None:
        """Let time go on until the agent's status fits; the board's temperature follows what it does."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.last = self.status()
            now, ledger = time.monotonic(), self.last["pipelines"][0]["ledger"]
            before = self.history[-1][0] if self.history else now
            self.history.append((now, ledger["captured"], ledger["inferred"]))
            self.board.follow(self.ambient_c + FULL_C * self.share(0.5), now - before, TIME_CONSTANT_S)
            if condition(self.last):
                return
            time.sleep(0.05)
        raise AssertionError(
            f"it never came so far: {self.last['governor']}, {self.board.celsius}\n{self.log}"
        )

    def share(self, seconds: float) -> float:
        """Give the share of the frames of the last seconds that were inferred."""
        now, captured, inferred = self.history[-1]
        first = next(one for one in self.history if now - one[0] <= seconds)
        return (inferred - first[2]) / max(1, captured - first[1])

    def wait(self, seconds: float) -> None:
        """Let time go on."""
        until = time.monotonic() + seconds
        self.live(lambda _: time.monotonic() >= until)


def test_the_rate_falls_before_the_limit_without_oscillation_and_comes_back_when_it_is_cool(
    tmp_path: Path,
) -> None:
    with BoardedAgent(tmp_path, CAMERA) as agent:
        agent.until_inferred(10)
        agent.live(lambda status: status["governor"]["heat"]["rung"] >= 1)
        agent.live(lambda status: status["pipelines"][0]["pace"]["fps"] is not None)
        agent.wait(2.5)
        assert agent.share(1.0) <= 0.7
        eased = agent.last["events"]["governor.eased"]
        assert eased <= 5
        assert "governor.restored" not in agent.last["events"]
        agent.ambient_c = 20.0
        agent.live(lambda status: status["governor"]["heat"]["rung"] == 0)
        agent.live(lambda status: status["pipelines"][0]["pace"]["fps"] is None)
        agent.wait(1.0)
        agent.live(lambda _: agent.share(0.5) > 0.7)
        assert agent.last["events"]["governor.restored"] == eased
        assert agent.last["events"]["governor.eased"] == eased
        assert agent.board.hottest < HARD_C
        ledger = agent.last["pipelines"][0]["ledger"]
        assert agent.last["pipelines"][0]["balanced"]
        assert ledger["gated"] > 20
        cost = agent.last["pipelines"][0]["cost"]
        assert cost["cpu_seconds_per_1000_inferences"] > 0
        assert cost["upstream_bytes_per_1000_results"] == 0  # there is no broker
        assert cost["joules_per_1000_inferences"] is None  # nor a sensor
        assert agent.end() == 0
    alerts = [(one["event"], one["level"], one["subject"]) for one in stored(agent.data, "alert")]
    assert alerts.count(("governor.eased", "warning", "heat")) == eased
    assert alerts.count(("governor.restored", "info", "heat")) == eased


def test_when_memory_is_scarce_pipelines_of_low_priority_are_paused_and_others_go_on(tmp_path: Path) -> None:
    low = f'{CAMERA}[[pipelines]]\nname = "yard"\nmodel = "glyphs"\npriority = "low"\n{CAMERA}'
    with BoardedAgent(tmp_path, low) as agent:
        agent.until_inferred(5)
        agent.board.memory(free=0.01)
        agent.until(lambda _: agent.status()["pipelines"][1]["pace"]["paused"])

        def rests() -> bool:
            """Whether the one stood still while fifteen frames of the other were inferred."""
            before = agent.status()["pipelines"][1]["ledger"]["inferred"]
            agent.until_inferred(15)
            return bool(agent.status()["pipelines"][1]["ledger"]["inferred"] == before)

        until(rests, "a pipeline of low priority rests")
        yard = agent.status()["pipelines"][1]
        assert yard["balanced"]
        agent.board.memory(free=0.5)
        agent.until(lambda _: not agent.status()["pipelines"][1]["pace"]["paused"])
        agent.until(
            lambda _: agent.status()["pipelines"][1]["ledger"]["inferred"] > yard["ledger"]["inferred"] + 3
        )
        assert agent.end() == 0
