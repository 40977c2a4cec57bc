"""What one run of the agent is to do: the settings, resolved against this machine. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent import plugins
from agent.capture.spec import CaptureSpec
from agent.config.pipelines import Modelled, NamedSource
from agent.recovery.borrower import order
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.boards.profiles import Profile, Thermal
    from agent.config.pipelines import Pipeline, Plugin
    from agent.config.settings import Settings
    from agent.config.tables import Deadlines, Mqtt
    from agent.slots import Tuning


_AS_TOLD = (*Modelled.model_fields, "gates", "stages", "filters")
"""What a worker is told as the configuration says it."""
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
        feeds: sources that have processes of their own.
        managed: whether the operator's models are taken.
        tuned: what the tuner has chosen, here and elsewhere; see ``agent.supervision.tunings``.
    """

    settings: Settings
    folder: Path
    profile: Profile
    device: str
    data: Path
    control: Path
    lanes: tuple[LaneSpec, ...]
    feeds: tuple[CaptureSpec, ...] = ()
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
    def alerting(self) -> dict[str, tuple[str, ...]]:
        """By pipeline, the events that make a result an alert."""
        return {one.name: one.alert_on for one in self.settings.pipelines if one.alert_on}

    @property
    def mqtt(self) -> Mqtt | None:
        """The broker, if there is one."""
        return self.settings.mqtt


def lane_spec(
    pipeline: Pipeline,
    source: Plugin,
    profile: Profile,
    folder: Path,
    *,
    hidden: Sequence[Path] = (),
    once: bool = False,
    limit: int = 0,
    bundles: Path | None = None,
    apart: bool = False,
) -> LaneSpec:
    """Describe a pipeline to the worker that will run it.

    Args:
        pipeline: the configured pipeline.
        source: where its frames come from.
        profile: gives what the pipeline does not: the number of threads, what a camera is asked for.
        folder: where the configuration file stands: relative model paths start there.
        hidden: what its worker may not read, even where it stands among what it may.
        once: fail when the source isn't there.
        limit: stop after so many frames; 0 for no limit.
        bundles: the folder of proved bundles; None where none are taken.
        apart: whether another process reads the source, and hides what is its own to hide.
    """
    named = source if isinstance(source, NamedSource) else None
    theirs = named.privacy if named else ()
    spec = LaneSpec(
        pipeline=pipeline.name,
        model=pipeline.model,
        folder=str(folder),
        **{key: getattr(pipeline, key) for key in _AS_TOLD},
        media=None if once else pipeline.media,
        remote_snapshots=pipeline.remote_snapshots and not once,
        backend=pipeline.backend.kind,
        backend_options={"threads": profile.threads, **pipeline.backend.options},
        tunable=_tunable(pipeline),
        source=source.kind,
        source_options={} if apart else source_options(source, profile),
        source_name=named.name if named else "",
        health=named.health if named and pipeline.health is None else pipeline.health,
        apart=apart,
        privacy=pipeline.privacy if apart else (*theirs, *pipeline.privacy),
        veiled=theirs if apart else (),
        max_rate=0 if once else pipeline.max_rate,
        once=once,
        limit=limit,
        hidden=tuple(map(str, hidden)),
        confine=pipeline.confine == "full",
        devices=profile.devices,
        bundles=str(bundles) if bundles else "",
    )
    may = bool(order(spec, profile.delegates)) and not once  # what is done once has no accelerator
    return spec.model_copy(update={"accelerated": may})


def is_apart(settings: Settings, source: Plugin) -> bool:
    """Whether a source has a process of its own: several pipelines use it, or its kind wants one."""
    shared = isinstance(source, NamedSource) and len(settings.users_of(source)) > 1
    return shared or plugins.apart("sources", source.kind)


def feeds(
    settings: Settings, profile: Profile, folder: Path, *, hidden: Sequence[Path] = ()
) -> tuple[CaptureSpec, ...]:
    """Describe the sources that have processes of their own to these; the arguments are ``lane_spec``'s."""
    users: dict[str, list[Pipeline]] = {}
    found: dict[str, Plugin] = {}
    for pipeline in settings.pipelines:
        source = settings.source_of(pipeline)
        if is_apart(settings, source):
            name = source.name if isinstance(source, NamedSource) else f"{pipeline.name}.source"
            users.setdefault(name, []).append(pipeline)
            found[name] = source
    return tuple(
        CaptureSpec(
            source=name,
            kind=source.kind,
            options=source_options(source, profile),
            pipelines=tuple(one.name for one in users[name]),
            privacy=source.privacy if isinstance(source, NamedSource) else (),
            folder=str(folder),
            confine=all(one.confine == "full" for one in users[name]),
            hidden=tuple(map(str, hidden)),
        )
        for name, source in found.items()
    )


def source_options(source: Plugin, profile: Profile) -> dict[str, Any]:
    """Give a source's options; the profile says what a camera is asked for where they do not."""
    return profile.camera.under(source.options) if source.kind == "camera" else source.options


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
