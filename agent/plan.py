"""What one run of the agent is to do: the settings, resolved against this machine. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.recovery.borrower import order
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.config import Settings
    from agent.profiles import Profile, Thermal
    from agent.slots import Tuning
    from agent.tables import Deadlines, Mqtt, Pipeline


TUNABLE = frozenset({"threads", "xnnpack"})
"""The backend's options that the tuner chooses, all together or not at all."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the supervisor needs to know.

    Attributes:
        folder: where the configuration file stands: relative paths in it start there.
        device: this device's id.
        data: the data folder.
        control: the local socket.
        lanes: one worker each.
        managed: whether the operator's models are taken.
        tuned: what the tuner has chosen, here and elsewhere; see ``agent.tunings``.
    """

    settings: Settings
    folder: Path
    profile: Profile
    device: str
    data: Path
    control: Path
    lanes: tuple[LaneSpec, ...]
    managed: bool = False
    tuned: tuple[Tuning, ...] = ()

    @property
    def deadlines(self) -> Deadlines:
        """The profile's deadlines, and over them those that are configured."""
        configured = self.settings.deadlines
        given = configured.model_dump(exclude_unset=True) if configured else {}
        return self.profile.deadlines.model_copy(update=given)

    @property
    def thermal(self) -> Thermal:
        """The profile's limits of heat, and over them those that are configured; hard is above soft."""
        ours, theirs = self.settings.governor, self.profile.thermal
        hard_c = theirs.hard_c if ours.hard_c is None else ours.hard_c
        soft_c = theirs.soft_c if ours.soft_c is None else ours.soft_c
        if soft_c >= hard_c:
            soft_c, hard_c = (soft_c, soft_c + 1) if ours.hard_c is None else (hard_c - 1, hard_c)
        return theirs.model_copy(update={"soft_c": soft_c, "hard_c": hard_c})

    @property
    def models(self) -> Path:
        """The data folder's part for models."""
        return self.data / "models"

    @property
    def urgent(self) -> set[str]:
        """Names of the pipelines whose results are alerts."""
        return {one.name for one in self.settings.pipelines if one.priority == "high"}

    @property
    def mqtt(self) -> Mqtt | None:
        """The broker, if there is one."""
        return self.settings.mqtt


def lane_spec(
    pipeline: Pipeline,
    profile: Profile,
    folder: Path,
    *,
    hidden: Sequence[Path] = (),
    once: bool = False,
    limit: int = 0,
    bundles: Path | None = None,
) -> LaneSpec:
    """Describe a pipeline to the worker that will run it.

    Args:
        pipeline: the configured pipeline.
        profile: gives what the pipeline does not: the number of threads, what a camera is asked for.
        folder: where the configuration file stands: relative model paths start there.
        hidden: what its worker may not read, even where it stands among what it may.
        once: fail when the source isn't there.
        limit: stop after so many frames; 0 for no limit.
        bundles: the folder of proved bundles; None where none are taken.
    """
    options = pipeline.source.options
    spec = LaneSpec(
        pipeline=pipeline.name,
        model=pipeline.model,
        folder=str(folder),
        task=pipeline.task,
        decoder=pipeline.decoder,
        labels=pipeline.labels,
        pre=pipeline.pre,
        backend=pipeline.backend.kind,
        backend_options={"threads": profile.threads, **pipeline.backend.options},
        tunable=_tunable(pipeline),
        source=pipeline.source.kind,
        source_options=profile.camera.under(options) if pipeline.source.kind == "camera" else options,
        health=pipeline.health,
        privacy=pipeline.privacy,
        once=once,
        limit=limit,
        hidden=tuple(map(str, hidden)),
        confine=pipeline.confine == "full",
        devices=profile.devices,
        bundles=str(bundles) if bundles else "",
    )
    may = bool(order(spec, profile.delegates)) and not once  # what is done once has no accelerator
    return spec.model_copy(update={"accelerated": may})


def unknown_delegate(pipeline: Pipeline, profile: Profile) -> str:
    """Say what is wrong with the delegate that a pipeline names; "" for nothing."""
    wanted = pipeline.backend.options.get("delegate", "auto")
    known = ["auto", "cpu", "xnnpack", *(one.title for one in profile.delegates)]
    if pipeline.backend.kind != "tflite" or wanted in known:
        return ""
    names = ", ".join(dict.fromkeys(known))
    return f"profile {profile.name} has no delegate {wanted!r}. Use one of: {names}"


def secrets(settings: Settings, folder: Path) -> list[Path]:
    """List the files that hold keys: no worker may read them."""
    names = [settings.trust.device_key, settings.trust.collector_key]
    if settings.mqtt:
        names.append(settings.mqtt.key_file)
    return [folder / name for name in names if name]


def _tunable(pipeline: Pipeline) -> bool:
    """Whether the tuner may choose: the configuration leaves threads and kernels open."""
    given = pipeline.backend.options
    return pipeline.backend.kind == "tflite" and not TUNABLE & given.keys() and given.get("delegate") != "cpu"
