"""How a device does, now and then and at once when it changes; never in step with others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from agent.config import settings as config
from agent.config.tables import Mqtt
from agent.documents import vitals
from agent.link.settings import LinkUp
from agent.supervision.partners import Offer
from agent.supervision.vitals import VitalSigns
from agent.workers.policy import State
from tests.simulators.clocks import ManualClock

FILE = """
[metrics]
vitals_s = {every}
[mqtt]
host = "broker"
fleet = "yard"
[trust]
unsigned = true
[[pipelines]]
name = "door"
model = "glyphs"
source = {{ kind = "synthetic" }}
"""
PIPELINE = {
    "name": "door", "state": "running", "model": "glyphs@1.0.0", "bundle": None, "delegate": "xnnpack",
    "fps": 9.5, "infer_p50_ms": 1.0, "infer_p95_ms": 2.5, "restarts": 1, "problem": "x" * 900,
    "ledger": {"inferred": 70, "failed": {"decode": 2}, "dropped": {"overwritten": 3, "paused": 4}},
}  # fmt: skip


class World:
    def __init__(self, every: float = 60, chance: float = 0.5) -> None:
        self.clock = ManualClock()
        self.sent: list[tuple[str, vitals.Vitals, bool]] = []
        self.lane: Any = SimpleNamespace(state=State.STARTING, ready=None)
        lanes: Any = [self.lane]
        self.online = True
        self.pipelines = [PIPELINE]
        settings = config.parse(FILE.format(every=every), "agent.toml")
        plan: Any = SimpleNamespace(settings=settings, device="pi", folder=Path())
        offer = Offer(
            lanes=lanes,
            publish=self._publish,
            settle=lambda _message: None,
            online=lambda: self.online,
            status=self._status,
            end=lambda _why: None,
        )
        mqtt = settings.mqtt
        assert isinstance(mqtt, Mqtt)
        self.signs = VitalSigns(plan, mqtt, offer, self.clock, lambda: chance)

    def _publish(self, topic: str, payload: bytes, retain: bool) -> int:
        self.sent.append((topic, vitals.decode(payload, None, fleet="yard", device="pi"), retain))
        return 1

    def _status(self) -> dict[str, Any]:
        oldest_ns = self.clock.wall_ns() - 30 * 10**9
        streams = {"alert": {"evicted": 1, "lost": 2}, "result": {"evicted": 0, "lost": 4}}
        return {
            "uptime_s": 12.5,
            "pipelines": self.pipelines,
            "governor": {"readings": {"celsius": 51.5}},
            "store": {"backlog": 8, "oldest_ns": oldest_ns, "streams": streams},
        }

    def run(self, seconds: float, step: float = 0.5) -> int:
        before = len(self.sent)
        for _ in range(int(seconds / step)):
            self.clock.tick(step)
            self.signs.tick(self.clock.monotonic())
        return len(self.sent) - before

    def up(self) -> None:
        self.signs.take(LinkUp("5", 20, 1 << 20), self.clock.monotonic())


def test_they_say_how_it_does_and_the_broker_keeps_them() -> None:
    world = World()
    world.up()
    assert world.run(10) == 1
    topic, told, retained = world.sent[0]
    assert (topic, retained) == ("edge/v1/yard/d/pi/up/vitals", True)
    assert (told.backlog, told.oldest_s, told.lost, told.temperature_c) == (8, 30, 7, 51.5)
    door = told.pipelines["door"]
    assert (door.model, door.bundle, door.p95_ms, door.failed, door.dropped) == (
        "glyphs@1.0.0",
        "",
        2.5,
        2,
        7,
    )
    assert len(door.problem) == 200


def test_those_of_64_pipelines_with_problems_are_one_document() -> None:
    world = World()
    many = {f"{n:063d}": {**PIPELINE, "name": f"{n:063d}"} for n in range(64)}
    world.pipelines = list(many.values())
    world.up()
    world.run(10)
    assert set(world.sent[0][1].pipelines) == set(many)


def test_counts_that_a_worker_made_up_are_told_as_far_as_they_can_be() -> None:
    world = World()
    ledger = {"inferred": 1 << 60, "failed": {"a": 1 << 52, "b": 1 << 52}, "dropped": {"c": 1 << 53}}
    world.pipelines = [{**PIPELINE, "ledger": ledger}]
    world.up()
    world.run(10)
    door = world.sent[0][1].pipelines["door"]
    assert {door.inferred, door.failed, door.dropped} == {(1 << 53) - 1}


def test_they_come_at_their_interval_which_is_never_quite_the_same() -> None:
    said = []
    for chance in (0.0, 1.0):
        world = World(every=100, chance=chance)
        world.up()
        world.run(20)
        said.append(world.run(1000))
    assert said == [11, 9]


def test_a_change_of_a_pipeline_is_told_at_once_but_every_five_seconds_at_most() -> None:
    world = World()
    world.up()
    world.run(20)
    world.lane.state = State.RUNNING
    assert world.run(0.5) == 1
    told = 0
    for number in range(20):
        world.lane.state = (State.BACKOFF, State.STARTING)[number % 2]
        told += world.run(0.5)
    assert told == 2


def test_another_model_is_told_at_once_though_its_pipeline_runs_on() -> None:
    world = World()
    world.up()
    world.run(20)
    world.lane.ready = SimpleNamespace(model="glyphs@1.1.0")
    assert world.run(1) == 1


def test_nobody_is_told_before_the_link_is_up_or_where_nobody_wants_to_know() -> None:
    assert World().run(200) == 0
    silent = World(every=0)
    silent.up()
    assert silent.run(200) == 0
    away = World()
    away.up()
    away.online = False
    assert away.run(200) == 0
