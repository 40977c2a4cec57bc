"""The source that snapshot and record are given: a pipeline's, or any with its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent import plugins
from agent.cli.device import service
from agent.cli.device.active import serving
from agent.cli.device.settings import Loaded
from agent.cli.inferring.inputs import Inputs, choose
from agent.config.tables import Deadlines
from agent.errors import AgentError, ConfigInvalid, SourceLost
from agent.supervision.control import ask
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    import argparse

    from agent.plan import Plan

_ASK_S = 1.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A source, and the pipeline that it belongs to.

    Attributes:
        lane: the source, what its process may reach, and what is hidden of its frames.
        pipeline: the pipeline that results are of, as it is configured; None where none is named.
        named: what the configuration calls the pipeline or source; "" where it is in none.
        users: the pipelines that read it when the agent runs.
        deadlines: of the process.
        control: the socket of the agent that may have the source open.
        plan: of the configuration; None where none was read.
    """

    lane: LaneSpec
    pipeline: LaneSpec | None
    named: str
    users: frozenset[str]
    deadlines: Deadlines
    control: Path
    plan: Plan | None = None

    def serving(self) -> LaneSpec | None:
        """Give the pipeline that results are of, with the model that serves in it."""
        if self.pipeline is None or self.plan is None:
            return self.pipeline
        return serving(self.plan, self.pipeline)

    def explained(self, error: AgentError) -> AgentError:
        """Say that it is the running agent that has the source, where that is so."""
        if not isinstance(error, SourceLost):
            return error
        try:
            pipelines = ask(self.control, {"op": "status"}, _ASK_S).get("pipelines", [])
            busy = {str(one["name"]) for one in pipelines if one["state"] in {"running", "starting"}}
        except (AgentError, KeyError, TypeError):
            return error
        words = f"{error.problem} {error.hint}"
        if not self.users & busy and not ("uses it" in words and busy):
            return error
        whose = f"its pipeline {min(self.users & busy)}" if self.users & busy else "one of its pipelines"
        hint = (
            f"The agent runs, and {whose} may have it: a device serves one program at a time. "
            "Stop it first (systemctl stop edge-agent)"
        )
        return SourceLost(error.op, error.subject, error.problem, hint)


def add_source(parser: argparse.ArgumentParser) -> None:
    """Declare what names the source."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a pipeline or source of the configuration, a device, an rtsp:// address, a file, or "
        "KIND[:KEY=VALUE,...]; quote what has brackets for the shell",
    )
    parser.add_argument(
        "--config", "-c", type=Path, metavar="FILE", help=f"where pipelines stand; default {service.CONFIG}"
    )


def wanted(source: str, config: Path | None, pipeline: str = "") -> Wanted:
    """Work out which source is meant.

    Args:
        source: the name of a pipeline or of a source, a device or a file, or ``KIND[:KEY=VALUE,...]``. Of a
            source that several pipelines use, all that any of them hides is hidden.
        config: the configuration; None for the service's own where a pipeline is named.
        pipeline: the pipeline that results are of, whose private regions are hidden, too; "" for the
            source's own.

    Raises:
        ConfigInvalid: there is no such pipeline or kind, or the configuration is wrong.
        InputRejected: the options do not read, or a file is missing.
    """
    plan = _plan(source, config, pipeline)
    lanes = {} if plan is None else {lane.pipeline: lane for lane in plan.lanes}
    users = _users(source, lanes)
    chosen = _lane(pipeline, lanes, config) if pipeline else users[0] if len(users) == 1 else None
    hiding = [one for one in (chosen,) if one is not None]
    if chosen not in users:
        hiding += users
    if users:
        lane = users[0]
    else:
        if lanes and not _is_path(source) and source.partition(":")[0] not in plugins.names("sources"):
            raise _unknown(source, lanes, config)
        inputs = _inputs(source)
        lane = LaneSpec(pipeline="record", model="", source=inputs.source, source_options=inputs.options)
        if plan is not None and plan.lanes:
            lane = lane.model_copy(update={"hidden": plan.lanes[0].hidden})
    regions = dict.fromkeys(region for one in hiding for region in one.privacy)
    return Wanted(
        lane=lane.model_copy(update={"privacy": tuple(regions)}),
        pipeline=chosen,
        named=source if users else "",
        users=frozenset(one.pipeline for one in users),
        deadlines=plan.deadlines if plan else Deadlines(),
        control=plan.control if plan else service.SOCKET,
        plan=plan,
    )


def _unknown(source: str, lanes: dict[str, LaneSpec], config: Path | None) -> ConfigInvalid:
    """Say what the configuration has, where it has nothing of that name."""
    known = dict.fromkeys((*lanes, *(one.source_name for one in lanes.values() if one.source_name)))
    problem = f"{config or service.CONFIG} has no pipeline or source of that name, and no kind is called so"
    hint = f"Use one of: {', '.join(known)}; edge-agent sources --kinds lists the kinds"
    return ConfigInvalid("find", f"source {source[:200]}", problem, hint)


def _users(source: str, lanes: dict[str, LaneSpec]) -> list[LaneSpec]:
    """Give the pipeline of that name, else all that use the source of that name."""
    if source in lanes:
        return [lanes[source]]
    return [one for one in lanes.values() if source and one.source_name == source]


def pipeline_of(name: str, config: Path | None) -> LaneSpec:
    """Give a pipeline of the configuration.

    Args:
        name: the pipeline's.
        config: the configuration; None for the service's own.

    Raises:
        ConfigInvalid: there is none of that name, or the configuration is wrong.
    """
    config = config or service.CONFIG
    service.look_as(config)
    plan = Loaded(config).plan(once=True)
    return serving(plan, _lane(name, {one.pipeline: one for one in plan.lanes}, config))


def _plan(source: str, config: Path | None, pipeline: str) -> Plan | None:
    """Read the configuration, if there is one that is meant."""
    if config is None:
        if not pipeline and (_is_path(source) or source.partition(":")[0] in plugins.names("sources")):
            return None
        if not pipeline and not service.CONFIG.exists():
            known = ", ".join(plugins.names("sources"))
            hint = f"Name a pipeline and --config FILE, a file or device that is there, or one of: {known}"
            raise ConfigInvalid("find", f"source {source[:200]}", "there is no such kind of source", hint)
        config = service.CONFIG
    service.look_as(config)
    return Loaded(config).plan(once=True)


def _lane(name: str, lanes: dict[str, LaneSpec], config: Path | None) -> LaneSpec:
    if name in lanes:
        return lanes[name]
    hint = f"Use one of: {', '.join(lanes)}"
    raise ConfigInvalid("find", f"pipeline {name[:200]}", f"{config or service.CONFIG} has none", hint)


def _inputs(source: str) -> Inputs:
    return choose([source], "") if _is_path(source) else choose([], source)


def _is_path(source: str) -> bool:
    """Whether it names a device, a file or an address, where a kind has a colon before any slash or dot."""
    kind, _, rest = source.partition(":")
    if rest.startswith("//"):
        return True
    if kind in plugins.names("sources"):
        return False
    try:
        return "/" in kind or "." in kind or Path(source).exists()
    except (OSError, ValueError):
        return False
