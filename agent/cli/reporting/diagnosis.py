"""What a bundle of diagnostics holds: each part by itself, so that one that cannot be had costs no other."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from agent.cli.device.held import held
from agent.cli.device.secrets_known import known
from agent.cli.examining.versions import versions
from agent.config import toml_text
from agent.errors import AgentError
from agent.redaction import Redactor
from agent.store.audit import newest_entries
from agent.store.kept import read_kept
from agent.store.stats import stats
from agent.supervision.control import ask, deserted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


LINES, ENTRIES = 2000, 200
"""Lines of the log, and entries of the audit log: the newest."""
_ASKS = 64
_OF_PROCESSES = frozenset(
    ("Name", "State", "Pid", "PPid", "Threads", "VmRSS", "VmHWM", "VmSwap", "FDSize", "Seccomp",
     "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
)  # fmt: skip
_OF_MACHINE = ("meminfo", "loadavg", "uptime", "pressure/cpu", "pressure/memory", "pressure/io", "cmdline")


class Diagnosis:
    """Gathers the parts for one configuration.

    Args:
        config: the configuration's path.
    """

    def __init__(self, config: Path) -> None:
        self._held = held(config)
        self.redactor = Redactor(known(self._held.loaded))

    @property
    def device(self) -> str:
        """This device's id; "unknown" while the configuration does not hold."""
        return self._held.plan.device if self._held.plan else "unknown"

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """Give name and content of each part, without secrets; ``missing.json`` says what is not there."""
        missing = {}
        for name, make in self._all().items():
            try:
                content = make()
            except (AgentError, OSError) as error:
                missing[name] = self.redactor.text(str(error))
                continue
            if isinstance(content, bytes):
                yield name, content
            elif isinstance(content, str):
                yield name, self.redactor.text(content).encode(errors="replace")
            else:
                yield name, _written(self.redactor.value(content))
        yield "missing.json", _written(missing)

    def _all(self) -> dict[str, Callable[[], Any]]:
        return {
            "versions.json": versions,
            "config.toml": self._config,
            "status.json": self._status,
            "passport.json": self._passport,
            "audit.json": self._audit,
            "log.txt": self._log,
            "store.json": self._store,
            "machine.json": self._machine,
            "processes.json": _processes,
            "report.json": self._report,
        }

    def _config(self) -> bytes:
        if self._held.loaded is None:
            raise self._held.problem or AgentError("read", "configuration", "it is not there")
        tables = self._held.loaded.settings.model_dump(mode="json", exclude_unset=True)
        return toml_text.written(self.redactor.value(tables)).encode()

    def _status(self) -> dict[str, Any]:
        status = ask(self._held.needed().control, {"op": "status"})
        for pipeline in status["pipelines"]:
            pipeline.pop("last", None)  # a result is nobody else's business
        return status

    def _passport(self) -> dict[str, Any]:
        from agent.cli.examining.passport import untried

        self._held.needed()
        loaded = self._held.loaded
        found = loaded.board() if loaded else None
        if found is None:
            raise AgentError("recognise", "board", "there is no configuration")
        whole: dict[str, Any] = orjson.loads(untried(found).text())
        return whole

    def _audit(self) -> dict[str, Any]:
        folder = self._held.needed().data
        entries, damaged = newest_entries(folder, ENTRIES)
        head = read_kept(folder).audit
        bodies = [{"seq": one.seq, "hash": one.hash, "body": _json(one.body)} for one in entries]
        return {"head": {"seq": head[0], "hash": head[1]}, "damaged": damaged, "entries": bodies}

    def _log(self) -> str:
        """The agent's own lines; while none runs they are the service manager's: journalctl has them."""
        control = self._held.needed().control
        if deserted(control):
            hint = "Take them from: journalctl --unit edge-agent"
            raise AgentError("read", "log", "no agent runs that could give its lines", hint)
        lines: list[str] = []
        after: int | None = 0
        for _ in range(_ASKS):
            told = ask(control, {"op": "log", "after": after})
            if not told["lines"]:
                break
            lines += map(str, told["lines"])
            after = told["after"]
        return "\n".join(lines[-LINES:]) + "\n"

    def _store(self) -> dict[str, Any]:
        return asdict(stats(self._held.needed().data))

    def _report(self) -> dict[str, Any]:
        from agent.cli.reporting.parts import Reported

        report = Reported(self._held.path).whole()
        report.pop("compliance")  # that of the release, which is known
        return report

    def _machine(self) -> dict[str, Any]:
        data = self._held.plan.data.absolute() if self._held.plan else Path("/")
        disk = os.statvfs(next(one for one in (data, *data.parents) if one.exists()))
        told: dict[str, Any] = {
            "disk": {
                "bytes": disk.f_blocks * disk.f_frsize,
                "free": disk.f_bavail * disk.f_frsize,
                "inodes_free": disk.f_favail,
            }
        }
        for name in _OF_MACHINE:
            try:
                told[name] = Path("/proc", name).read_text(errors="replace").splitlines()
            except OSError as error:  # a kernel without it
                told[name] = error.strerror
        return told


def _processes() -> list[dict[str, Any]]:
    """What the kernel says of our own processes: state, memory, what they wait in."""
    folders = sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name))
    return [found for folder in folders if (found := _process(folder))]


def _process(folder: Path) -> dict[str, Any]:
    """Tell of one of our processes; nothing of others, and of those that have ended meanwhile or hide.

    Its name and its arguments are what it says of itself: a worker can write anything there.
    """
    try:
        words = (folder / "cmdline").read_bytes().split(b"\0")
        module = next((one.decode(errors="replace") for one in words if one.startswith(b"agent.")), "")
        if not module or folder.stat().st_uid not in {os.getuid(), os.geteuid()}:
            return {}
        lines = (line.partition(":") for line in (folder / "status").read_text(errors="replace").splitlines())
        status = {key: value.strip() for key, _, value in lines if key in _OF_PROCESSES}
        more = {key: (folder / key).read_text().strip() for key in ("wchan", "oom_score")}
    except OSError:
        return {}
    return {"module": module, **status, **more}


def _written(content: Any) -> bytes:
    """Write a part as JSON; names of files that are not UTF-8 with escapes, which orjson has none for."""
    try:
        return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return json.dumps(content, indent=2).encode()


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
