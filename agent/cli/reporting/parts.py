"""What a report holds: each part by itself, so that one that cannot be had costs no other."""

from __future__ import annotations

import os
import platform
import stat
import tomllib
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.device import service
from agent.cli.device.held import held
from agent.cli.device.secrets_known import known
from agent.cli.examining import models_check
from agent.cli.examining.versions import versions
from agent.cli.reporting import unit
from agent.cli.reporting.components import components
from agent.cli.reporting.deviations import deviations
from agent.cli.reporting.models import models_in_use
from agent.clock import SystemClock
from agent.compliance.table import standards
from agent.confinement import landlock, seccomp
from agent.errors import AgentError
from agent.host.told import ABLE, HOME
from agent.moments import written
from agent.redaction import Redactor, secrets_in
from agent.store.kept import read_kept
from agent.store.stats import stats
from agent.supervision.control import ask, deserted
from agent.trust import keys as trust
from agent.trust.certificates import facts
from agent.uplink.uplink import link_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.plan import Plan

_MOST_CERTIFICATE = 1 << 20


class Reported:
    """Gathers a report on this device.

    Args:
        config: the configuration's path.
    """

    def __init__(self, config: Path) -> None:
        self._held = held(config)
        self._unseen: list[dict[str, str]] = []

    def whole(self) -> dict[str, Any]:
        """Give the report, without secrets; ``unseen`` says which parts could not be had, and why."""
        clock = SystemClock()
        now_ns = clock.wall_ns()
        parts: dict[str, Callable[[], Any]] = {
            "agent": versions,
            "board": self._board,
            "kernel": _kernel,
            "service": unit.shown,
            "running": self._running,
            "trust": self._trust,
            "models": lambda: models_in_use(self._held.needed()),
            "pipelines": self._pipelines,
            "remote": self._remote,
            "data": self._data,
            "audit": self._audit,
            "clock": lambda: {"synced": clock.synced()},
            "components": components,
        }
        report = {
            "v": 1,
            "at": written(now_ns),
            "device": self._held.plan.device if self._held.plan else None,
            "configuration": self._configuration(),
            **{name: self._had(name, make) for name, make in parts.items()},
        }
        report["compliance"] = [one.model_dump(exclude={"about"}) for one in standards()]
        report["deviations"] = deviations(report, now_ns / 1e9)
        report["unseen"] = self._unseen
        found: dict[str, Any] = Redactor(known(self._held.loaded)).value(report)
        return found

    def _had(self, name: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except (AgentError, OSError) as error:
            self._unseen.append({"part": name, "why": str(error)})
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # an agent of another release answers otherwise, or what it reads is damaged
            why = f"what is there is not understood ({type(error).__name__}: {error})"
            self._unseen.append({"part": name, "why": why})
        return None

    def _configuration(self) -> dict[str, Any]:
        told = {
            "path": str(self._held.path),
            "problem": str(self._held.problem) if self._held.problem else None,
            "writable": False,
            "password_open": False,
        }
        if self._held.loaded is not None:
            mode = self._held.path.stat().st_mode
            secret = any(secrets_in(tomllib.loads(self._held.loaded.text)))
            told["writable"] = bool(mode & (stat.S_IWGRP | stat.S_IWOTH))
            told["password_open"] = bool(secret and mode & stat.S_IROTH)
        return told

    def _board(self) -> dict[str, Any]:
        if self._held.loaded is None:
            self._held.needed()
            return {}
        found = self._held.loaded.board()
        tested = found.profile.tested
        return {"profile": found.profile.name, "title": found.title, "why": found.why, "tested": tested}

    def _running(self) -> bool:
        return not deserted(self._held.needed().control)

    def _trust(self) -> dict[str, Any] | None:
        """Say who signs and is believed; None where nothing is sent and no model is taken."""
        plan = self._held.needed()
        told: dict[str, Any] = {"problem": None}
        if plan.mqtt is not None:
            link = link_settings(plan.mqtt, plan.device, plan.folder)
            told |= {"fleet": plan.mqtt.fleet, "broker": f"{link.host}:{link.port}", "tls": link.tls}
            told["certificate"] = self._had("certificate", lambda: _certificate(plan, link.cert_file))
            told |= self._keys(plan)
            if self._are_credentials_hidden():
                told["tls"] = told["tls"] or None  # mqtt-ca may be one of them
        if plan.managed:
            told |= {"mirror": plan.settings.models.mirror, **self._metadata(plan)}
        return told

    def _keys(self, plan: Plan) -> dict[str, Any]:
        if self._are_credentials_hidden() and not plan.settings.trust.unsigned:
            why = "systemd passes them to the service: they are seen while it runs, and by root"
            self._unseen.append({"part": "keys", "why": why})
            return {}
        try:
            keys = trust.load(plan.settings.trust, plan.folder)
        except AgentError as error:
            if isinstance(error.__cause__, PermissionError):
                self._unseen.append({"part": "keys", "why": str(error)})
                return {}
            return {"problem": str(error)}
        ids = {"device_key_id": keys.signer and keys.signer.key_id}
        return {"signed": keys.signed, **ids, "collector_key_id": keys.verifier and keys.verifier.key_id}

    def _are_credentials_hidden(self) -> bool:
        """Whether systemd may pass credentials to the service that cannot be seen from here."""
        return service.is_own(self._held.path) and "CREDENTIALS_DIRECTORY" not in os.environ

    def _metadata(self, plan: Plan) -> dict[str, Any]:
        """Give the root that trust starts from, and how fresh the metadata is where an agent runs."""
        text = trust.read_root(plan.settings.models, plan.folder) or ""
        version, expires = models_check.root(text, str(trust.root_file(plan.settings.models, plan.folder)))
        told: dict[str, Any] = {"root": {"version": version, "until_s": int(expires.timestamp())}}
        if not deserted(plan.control):
            found = ask(plan.control, {"op": "models"})["metadata"]
            until_s = int(found["expires"])
            datetime.fromtimestamp(until_s, UTC)  # an agent that was taken over may say anything
            told["timestamp"] = {"version": found["timestamp"], "until_s": until_s}
        return told

    def _pipelines(self) -> list[dict[str, Any]]:
        plan = self._held.needed()
        held = {}
        if not deserted(plan.control):
            held = {one["name"]: one["confined"] for one in ask(plan.control, {"op": "status"})["pipelines"]}
        private = {lane.pipeline: len(lane.privacy) for lane in plan.lanes}
        return [
            {
                "name": one.name,
                "source": plan.settings.source_of(one).kind,
                "private_regions": private[one.name],
                "remote_snapshots": one.remote_snapshots,
                "media": one.media is not None,
                "confine": one.confine,
                "confined": held.get(one.name),
            }
            for one in plan.settings.pipelines
        ]

    def _remote(self) -> dict[str, Any]:
        """Say what the operator may do from afar, by this configuration."""
        settings = self._held.needed().settings
        helper = Path(settings.host.helper or HOME, ABLE)
        return {
            "commands": {"allow": settings.commands.allow, "deny": settings.commands.deny},
            "reboot": settings.host.reboot,
            "update": settings.host.update,
            "helper": helper.is_file(),
            "models": self._held.needed().managed,
            "home_assistant": settings.home_assistant.enabled,
        }

    def _data(self) -> dict[str, Any]:
        plan = self._held.needed()
        folder, store = plan.data, plan.settings.store
        told: dict[str, Any] = {"path": str(folder), "mode": None, "problem": None}
        told |= {"max_bytes": store.max_bytes, "max_age_h": store.max_age_h}
        told |= {"media_max_bytes": store.media_max_bytes}
        if folder.exists():
            found = stats(folder)
            told["mode"] = f"{stat.S_IMODE(folder.stat().st_mode):o}"
            told["problem"] = found.problem or None
            told |= {
                "free": found.free,
                "streams": {name: asdict(one) for name, one in found.streams.items()},
            }
        return told

    def _audit(self) -> dict[str, Any]:
        seq, head = read_kept(self._held.needed().data).audit
        return {"seq": seq, "head": head}


def _kernel() -> dict[str, Any]:
    abi, filtering = landlock.abi(), seccomp.available()
    release = platform.release()
    return {"release": release, "landlock": abi, "seccomp": filtering, "as_root": os.geteuid() == 0}


def _certificate(plan: Plan, enrolled: str) -> dict[str, Any] | None:
    """Give serial number and end of the certificate for the broker: a renewed one goes first."""
    renewed = plan.data / "credentials" / "current.pem"
    path = renewed if renewed.is_file() else Path(enrolled)
    if not enrolled:
        return None
    try:
        with path.open("rb") as file:  # the agent writes it: it could be of any size
            found = facts(file.read(_MOST_CERTIFICATE))
    except ValueError as error:
        raise AgentError("read", str(path), "it is no certificate", "Look with: edge-agent check") from error
    return {"serial": found.serial, "until_s": int(found.until_s)}
