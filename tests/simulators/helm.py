"""A course at the helm of a lane whose workers are puppets; the test says what they do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.activation.steering import Steering
from agent.workers.lane import Lane
from agent.workers.spec import LaneSpec
from tests.simulators.kept_world import DIGESTS, KeptWorld
from tests.simulators.lane_stage import DEADLINES
from tests.simulators.puppet_worker import READY, Spawner

if TYPE_CHECKING:
    from tests.simulators.puppet_worker import PuppetWorker

BUNDLES = Path("/bundles")
FACTS = {key: READY[key] for key in ("model", "sha256", "task", "runtime", "delegate", "delegated")}


class Helm:
    """A world with a lane.

    Args:
        resident: whether workers swap, or are restarted.
        configured: whether the configuration names a model.
        active: the name of the active model.
    """

    def __init__(self, *, resident: bool = True, configured: bool = True, active: str = "one") -> None:
        self.world = KeptWorld(configured=configured, active=active)
        self.spawner = Spawner()
        spec = LaneSpec(pipeline="gate", model="glyphs" if configured else "", source="video")
        self.lane = Lane(spec, DEADLINES, spawn=self.spawner)
        self.resident = resident
        self.steering = self._steering()
        if self.world.course.boots is not None:
            self.lane.start(self.world.now)

    def _steering(self) -> Steering:
        configured = "glyphs" if self.world.configured else ""
        return Steering(self.lane, self.world.course, configured, BUNDLES, resident=self.resident)

    @property
    def worker(self) -> PuppetWorker:
        """The newest one."""
        return self.spawner.last

    @property
    def serves(self) -> str:
        """What the newest worker was started with."""
        return Path(self.worker.spec.model).name

    def turn(self, seconds: float = 0.0) -> None:
        """One turn of the supervisor."""
        self.world.now += seconds
        self.lane.receive()
        if self.lane.run and self.worker.exit_code() is not None:
            self.lane.reap(self.world.now)
        self.lane.tick(self.world.now)
        self.world.course.tick(self.world.now)
        self.steering.tick(self.world.now)
        self.world.write_all()
        self.steering.tick(self.world.now)

    def ready(self) -> None:
        """The newest worker has loaded what it was started with."""
        self.worker.ready(live=True)
        self.turn()

    def asked(self) -> dict[str, Any]:
        """Give the newest swap that the worker was asked for; {} for none."""
        return next((one for one in reversed(self.worker.heard()) if one["type"] == "swap"), {})

    def swapped(self, asked: dict[str, Any]) -> None:
        """The worker has done what it was asked for."""
        bundle = asked["digest"]
        self.worker.say({"type": "swapped", "token": asked["token"], **FACTS, "bundle": bundle})
        self.turn()

    def unswapped(self, asked: dict[str, Any], error: str = "ModelInvalid") -> None:
        """The worker could not do it."""
        words = {"error": error, "op": "load", "subject": "two", "problem": "no room"}
        self.worker.say({"type": "unswapped", "token": asked["token"], **words})
        self.turn()

    def died(self, code: int = -9) -> None:
        """The worker has died."""
        self.worker.die(code)
        self.turn()

    def to_proved(self, name: str = "two") -> None:
        """A new model has passed its proof."""
        self.world.to_proof(name)
        self.world.course.proved(DIGESTS[name], 2.0)
        self.turn()
