"""From the command line's --config to a plan: read the file, resolve what is left open."""

from __future__ import annotations

import copy
import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.device import service
from agent.config import settings as config
from agent.config.errors import problem
from agent.errors import ConfigInvalid
from agent.plan import Plan, feeds, is_apart, lane_spec, secrets, unknown_delegate
from agent.probing.recognition import recognise
from agent.processes.message import error_of
from agent.trust import keys as trust

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.boards.matching import Recognised
    from agent.config.errors import Loc
    from agent.config.settings import Settings
    from agent.errors import AgentError
    from agent.workers.messages import Fault

_MAX_CONFIG = 1 << 20


class Loaded:
    """A configuration file that parsed, and how to word errors about it.

    Args:
        path: the file.
        overrides: settings over those of the file, by dotted keys.

    Raises:
        ConfigInvalid: the file, or what lies over it, is wrong.
    """

    def __init__(self, path: Path, overrides: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.text = _read(path)
        self.settings: Settings = config.parse(self.text, str(path), overrides)

    def under(self, overrides: Mapping[str, Any]) -> Loaded:
        """Give the same text of the same file with these settings over it.

        Raises:
            ConfigInvalid: they do not fit.
        """
        other = copy.copy(self)
        other.settings = config.parse(self.text, str(self.path), overrides)
        return other

    @property
    def data_folder(self) -> Path:
        """Where the agent keeps its data: store.path, else what ``default_data_folder`` says."""
        return self.path.resolve().parent / (self.settings.store.path or default_data_folder())

    def board(self) -> Recognised:
        """Recognise the board, or take the profile that the file names."""
        try:
            return recognise(self.settings.profile, self.path.resolve().parent)
        except ConfigInvalid as error:
            if not error.loc:  # the profile's own file says where it is wrong
                raise
            message = f"{error.problem}. {error.hint}"
            raise problem(self.text, str(self.path), error.loc, message) from error

    def plan(self, *, once: bool = False, limit: int = 0) -> Plan:
        """Resolve what the file leaves open: profile, device, folders."""
        settings = self.settings
        folder = self.path.resolve().parent  # relative paths in the file start beside it
        data = self.data_folder
        profile = self.board().profile
        managed = trust.root_file(settings.models, folder) is not None
        for n, pipeline in enumerate(settings.pipelines):
            if not (pipeline.model or managed):
                message = "a model is needed, or models.root for one from the operator"
                raise problem(self.text, str(self.path), ("pipelines", n, "model"), message)
            if message := unknown_delegate(pipeline, profile):
                raise problem(self.text, str(self.path), ("pipelines", n, "backend", "delegate"), message)
        bundles = data / "models" / "bundles" if managed else None
        hidden = (data, self.path.resolve(), *secrets(settings, folder))
        return Plan(
            settings=settings,
            folder=folder,
            profile=profile,
            device=settings.device.id or host_name(),
            data=data,
            control=folder / (settings.control.path or default_control(data)),
            lanes=tuple(
                lane_spec(
                    pipeline,
                    source,
                    profile,
                    folder,
                    hidden=hidden,
                    once=once,
                    limit=limit,
                    bundles=bundles,
                    apart=not once and is_apart(settings, source),
                )
                for pipeline in settings.pipelines
                for source in (settings.source_of(pipeline),)
            ),
            feeds=() if once else feeds(settings, profile, folder, hidden=hidden),
            managed=managed,
        )

    def explain(self) -> Callable[[str, Fault], AgentError]:
        """Give what makes a worker's fault an error, with file, line and key where it has them."""
        numbers = {pipeline.name: n for n, pipeline in enumerate(self.settings.pipelines)}
        sources = {source.name: n for n, source in enumerate(self.settings.sources)}

        def explained(pipeline: str, fault: Fault) -> AgentError:
            if fault.error == "ConfigInvalid" and fault.loc:
                source = self.settings.pipelines[numbers[pipeline]].source
                loc: Loc = ("pipelines", numbers[pipeline], *fault.loc)
                if fault.loc[0] == "source" and isinstance(source, str):
                    loc = ("sources", sources[source], *fault.loc[1:])
                return problem(self.text, str(self.path), loc, fault.problem, fault.hint)
            return error_of(fault)

        return explained


def _read(path: Path) -> str:
    hint = "Give the file with --config, or make one: "
    hint += "sudo edge-agent install" if path == service.CONFIG else "edge-agent init"
    try:
        os.fspath(path).encode()  # what workers are told holds its folder
        with path.open("rb") as file:
            content = file.read(_MAX_CONFIG + 1)
        if len(content) > _MAX_CONFIG:
            raise ConfigInvalid("read configuration", str(path), "larger than 1 MB", hint)
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigInvalid("read configuration", str(path), error.strerror or str(error), hint) from error
    except UnicodeDecodeError as error:
        raise ConfigInvalid("read configuration", str(path), "no UTF-8 text", hint) from error
    except UnicodeEncodeError as error:
        raise ConfigInvalid("read configuration", str(path), "its name is no UTF-8 text", hint) from error


def host_name() -> str:
    """This machine's name, made fit for a topic."""
    name = re.sub(r"[^a-z0-9_-]+", "-", platform.node().lower()).strip("-_")[:63]
    return name or "device"


def default_data_folder() -> Path:
    """Systemd's StateDirectory, or the user's state folder."""
    if folder := os.environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(folder)
    try:
        base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    except RuntimeError as error:
        hint = "Set store.path in the configuration, or HOME"
        raise ConfigInvalid("find", "data folder", "this user has no home", hint) from error
    return Path(base) / "edge-agent"


def default_control(data: Path) -> Path:
    """Systemd's RuntimeDirectory, or the data folder."""
    if folder := os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]:
        return Path(folder) / "agent.sock"
    return data / "agent.sock"
