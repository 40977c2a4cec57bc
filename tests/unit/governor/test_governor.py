"""The governor as the supervisor has it, with a folder for a board and a puppet for a worker."""

from __future__ import annotations

import selectors
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.boards.profiles import Profile, Thermal
from agent.config.settings import parse
from agent.events import Event, counters, heard_by
from agent.governor.governor import Governor
from agent.metrics import AGENT, PIPELINE
from agent.plan import Plan
from agent.processes.watch import Watch
from agent.seat import Seat
from tests.simulators.fake_board import FakeBoard
from tests.simulators.lane_stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEXT = '[[pipelines]]\nname = "door"\nmodel = "glyphs"\npriority = "low"\nsource = { kind = "synthetic" }\n'
PROFILE = Profile(
    name="board", description="a board", tested=False, thermal=Thermal(soft_c=75, hard_c=85, hysteresis_c=5)
)


class Scene:
    """A governor and all around it."""

    def __init__(self, folder: Path, table: str = "") -> None:
        self.board = FakeBoard(folder)
        self.stage = Stage()
        self.stage.start(live=True)
        self.selector = selectors.DefaultSelector()
        seat = Seat(self.stage.lane, Watch(self.selector))
        plan = Plan(
            parse(f"[governor]\n{table}\n{TEXT}", "agent.toml"), Path(), PROFILE, "d", Path(), Path(), ()
        )
        self.recorded: list[dict[str, Any]] = []
        self.said: list[tuple[Event, str, dict[str, object]]] = []
        self.trial = False
        self.governor = Governor(
            plan,
            [seat],
            record=self.recorded.append,
            totals=lambda: (0, 0),
            on_trial=lambda _: self.trial,
            root=folder,
        )
        self.now = 0.0

    def __call__(self, event: Event, subject: str, fields: Mapping[str, object]) -> None:
        self.said.append((event, subject, dict(fields)))

    def go(self, seconds: float, celsius: float | None = None) -> list[dict[str, Any]]:
        """Let time go by at a temperature; give what the worker has heard."""
        if celsius is not None:
            self.board.warm(celsius)
        until = self.now + seconds
        with heard_by(self):
            while self.now < until:
                self.now += 1.0
                self.governor.tick(self.now)
        return self.stage.worker.heard()

    @property
    def rung(self) -> int:
        return int(self.governor.status(self.now)["heat"]["rung"])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.stage.spawner.bury()
    scene.selector.close()


def test_each_step_is_an_event_with_its_reason_and_good_news_is_recorded(scene: Scene) -> None:
    scene.go(30, 74.9)
    assert (scene.said, scene.recorded) == ([], [])
    scene.go(6, 75)
    assert scene.said == [
        (
            Event.GOVERNOR_EASED,
            "heat",
            {"rung": 1, "does": "rate 50 %", "why": "75.0 C in 0:cpu-thermal, above 75"},
        )
    ]
    scene.go(70, 60)
    assert [event for event, _, _ in scene.said] == [Event.GOVERNOR_EASED, Event.GOVERNOR_RESTORED]
    [record] = scene.recorded
    assert (record["kind"], record["event"], record["level"], record["subject"]) == (
        "event",
        "governor.restored",
        "info",
        "heat",
    )
    assert record["items"] == [{"rung": "0", "does": "nothing held back", "why": "60.0 C in 0:cpu-thermal"}]
    assert counters["governor.eased"] >= 1


def test_at_the_limit_all_is_done_at_once_and_the_worker_is_told(scene: Scene) -> None:
    scene.go(10, 76)
    scene.stage.worker.heard()
    told = scene.go(2, 86)
    assert scene.rung == 5
    assert {"type": "pace", "fps": None, "paused": True} in told
    assert [one for one in told if one["type"] == "ease"]
    assert scene.governor.of_pipeline("door")["pace"]["paused"]


def test_a_model_on_trial_runs_as_it_was_proved(scene: Scene) -> None:
    scene.trial = True
    scene.go(4, 80)
    told = scene.go(4, 90)
    assert scene.rung == 5
    assert [one["type"] for one in told] == ["pace"]
    scene.trial = False
    assert [one["type"] for one in scene.go(2)] == ["ease"]


def test_the_board_is_looked_at_as_often_as_it_is_configured(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "look_s = 10\n")
    scene.go(9, 80)
    assert scene.rung == 1
    scene.go(1, 90)
    assert scene.rung == 1
    scene.go(2)
    assert scene.rung == 5
    scene.stage.spawner.bury()
    scene.selector.close()


def test_with_empty_ladders_nothing_is_ever_held_back(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "heat = []\nmemory = []\n")
    scene.board.memory(free=0.0)
    assert scene.go(60, 100) == []
    assert scene.said == []
    scene.stage.spawner.bury()
    scene.selector.close()


def test_status_and_metrics_tell_what_was_read(scene: Scene) -> None:
    scene.board.memory(free=0.25, pressure=3.0)
    scene.go(2, 61.5)
    status = scene.governor.status(scene.now)
    assert status["heat"] == {
        "rung": 0, "rungs": 5, "does": "nothing held back", "why": "", "since_s": None,
    }  # fmt: skip
    assert status["readings"] == {
        "celsius": 61.5,
        "zone": "0:cpu-thermal",
        "throttled": "",
        "memory_available": 1 << 30,
        "memory_pressure": 3.0,
        "watts": None,
        "power_source": "",
    }
    board = {one["name"]: one["value"] for one in scene.governor.numbers(None)}
    assert board["memory_pressure_ratio"] == 0.03
    assert board['governor_rung{ladder="heat"}'] == 0
    assert {name.partition("{")[0] for name in board} <= {*AGENT}
    assert {one["name"] for one in scene.governor.numbers("door")} <= {*PIPELINE}
