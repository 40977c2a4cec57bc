"""What the simulated devices of a process share, and how each one's plan is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from agent.activation.fetching import started
from agent.clock import SystemClock
from agent.config import settings as config
from agent.config.tables import Device, Trust
from agent.fleet.keys import COLLECTOR, DEVICES
from agent.fleet.simulating.errands import SharedUpdater
from agent.fleet.simulating.lane import CONFIGURED, Models
from agent.plan import Plan, lane_spec
from agent.probing.recognition import recognise
from agent.store.settings import StoreSettings

if TYPE_CHECKING:
    from agent.boards.profiles import Profile
    from agent.config.settings import Settings
    from agent.fleet.simulating.spec import Spec

PIPELINE = "sim"
"""What the only pipeline of a simulated device is called."""
_ROOT = "tuf/meta/1.root.json"


@dataclass(frozen=True, slots=True)
class Common:
    """What all devices of a process share.

    Attributes:
        models: what bundles say of themselves.
        updater: fetches them.
        bad: models that fail their proof everywhere.
        store: how records are gathered.
        rate: results a second of each device.
    """

    settings: Settings
    profile: Profile
    folder: Path
    work: Path
    models: Models
    updater: SharedUpdater
    bad: tuple[str, ...]
    clock: SystemClock
    store: StoreSettings
    rate: float
    seed: int
    groups: tuple[str, ...]
    signed: bool
    managed: bool

    def plan(self, name: str) -> Plan:
        """Give a device's plan, as an agent with a configuration file has it."""
        trust = Trust(unsigned=True)
        if self.signed:
            trust = Trust(device_key=f"{DEVICES}/{name}.key", collector_key=f"{COLLECTOR}.pub")
        device = Device(id=name, groups=self.groups)
        settings = self.settings.model_copy(update={"trust": trust, "device": device})
        pipeline = settings.pipelines[0]
        bundles = self.work / "models" / "bundles"
        source = settings.source_of(pipeline)
        return Plan(
            settings=settings,
            folder=self.folder,
            profile=self.profile,
            device=name,
            data=self.work,
            control=self.work / "agent.sock",
            lanes=(lane_spec(pipeline, source, self.profile, self.folder, bundles=bundles),),
            managed=self.managed,
        )


def common(spec: Spec) -> Common:
    """Make it.

    Raises:
        ConfigInvalid: the broker's settings do not hold.
    """
    tables = {
        "mqtt": spec.broker,
        "metrics": {"vitals_s": spec.vitals_s},
        "models": {"root": _ROOT} if spec.managed else {},
        "pipelines": [{"name": PIPELINE, "model": CONFIGURED, "source": {"kind": "synthetic"}}],
    }
    store = StoreSettings(commit_interval_s=spec.batch_s, memory_bytes=spec.memory_kb << 10)
    return Common(
        settings=config.Settings.model_validate_json(orjson.dumps(tables)),
        profile=recognise().profile,
        folder=Path(spec.folder),
        work=Path(spec.work),
        models=Models(),
        updater=SharedUpdater(started),
        bad=spec.bad,
        clock=SystemClock(),
        store=store,
        rate=spec.rate,
        seed=spec.seed,
        groups=spec.groups,
        signed=spec.signed,
        managed=spec.managed,
    )
