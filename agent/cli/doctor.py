"""edge-agent doctor: is this machine fit? It infers for real: an import proves nothing."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent import resources
from agent.boards.matching import AUTO
from agent.cli.device import service
from agent.cli.device.settings import Loaded, default_data_folder
from agent.cli.examining import models_check
from agent.cli.examining.runtime import runtime_in_use
from agent.cli.examining.versions import versions
from agent.config.tables import Deadlines
from agent.confinement import landlock, seccomp
from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, ConfigInvalid
from agent.foreground import prove
from agent.probing.inspection import inspect
from agent.probing.recognition import recognise
from agent.sources.v4l2.devices import cameras
from agent.trust import keys as trust
from agent.wording import plain
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from agent.plan import Plan

HELP = "test whether this machine can do the work"
DESCRIPTION = """\
Looks at everything that inference here depends on, and really infers: each bundled model runs on its golden
inputs in a worker process, as the agent proves a model before it serves, and must give the answers that came
with it."""
EPILOG = """\
examples:
  edge-agent doctor
  edge-agent doctor --config agent.toml   its keys and data folder, too
  edge-agent doctor --json

exit codes: 0 nothing is wrong (warnings may stand), 1 something must be mended"""

_LOW_DISK = 500 << 20
_LONGEST = 4000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", "-c", type=Path, metavar="FILE", help="look at its keys and folder, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Examine and print; give the exit code."""
    checks: list[dict[str, str]] = []
    if arguments.config:
        service.look_as(arguments.config)
    for check in examine(Loaded(arguments.config).plan() if arguments.config else None):
        checks.append(check)
        if not arguments.json:
            print(plain(f"{check['verdict']:<4} {check['check']}: {check['detail']}", _LONGEST), flush=True)
    failed = [check for check in checks if check["verdict"] == "FAIL"]
    if arguments.json:
        print(json.dumps({"ok": not failed, "checks": checks}))
    return EXIT_FAILED if failed else EXIT_OK


def examine(plan: Plan | None = None) -> Iterator[dict[str, str]]:
    """Give one verdict after the other: "ok", "warn" or "FAIL"; with a plan, of its keys and folder, too."""
    known = versions()
    yield _verdict("python", "ok", f"{known['python']} on {known['machine']}, {known['system']}")
    runtime = _attempt("runtime", _runtime)
    yield runtime
    if runtime["verdict"] == "ok":  # without one each model would say the same again
        for name in resources.bundled_models():
            yield _attempt(f"model {name}", partial(_infer, name))
    yield from _board(plan)
    yield _cameras()
    if plan is not None and plan.mqtt is not None:
        yield _keys(plan)
    if plan is not None and plan.managed:
        told = _attempt("models", partial(models_check.examine, plan))
        yield told | {"verdict": "warn"} if "WARNING" in told["detail"] else told
    yield _disk(plan.data if plan else default_data_folder())
    yield _pidfd()
    yield _confinement()
    broker = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    detail = broker or "no mosquitto on the PATH; the demo brings amqtt; the agent itself needs neither"
    yield _verdict("local broker", "ok" if broker else "warn", detail)


def _verdict(check: str, verdict: str, detail: str) -> dict[str, str]:
    return {"check": check, "verdict": verdict, "detail": detail}


def _attempt(check: str, examine_it: Callable[[], str]) -> dict[str, str]:
    try:
        return _verdict(check, "ok", examine_it())
    except AgentError as error:
        return _verdict(check, "FAIL", str(error))


def _runtime() -> str:
    name, why = runtime_in_use()
    return f"{name} ({why})"


def _infer(name: str) -> str:
    began = time.monotonic()
    found = prove(LaneSpec(pipeline="doctor", model=name, source=""), Deadlines())
    took = time.monotonic() - began
    nodes = f"{found.delegated[0]} of {found.delegated[1]} nodes on {found.delegate}"
    answers = f"{found.goldens} golden answers right"
    cost = f"p50 {found.p50_ms:.2f} ms, {found.rss_mb:.1f} MB"
    return f"{answers}, {took:.1f} s, {cost}, {found.runtime}, {nodes}"


def _board(plan: Plan | None) -> Iterator[dict[str, str]]:
    """Say which board this is and why, and which of its accelerators are there; `probe` opens them, too."""
    try:
        found = recognise(plan.settings.profile if plan else AUTO, plan.folder if plan else None)
    except ConfigInvalid as error:
        yield _verdict("board", "FAIL", str(error))
        return
    told = f"{found.title}: {found.why}"
    if not found.profile.tested:
        told += "; nobody has run the agent on such a board yet: edge-agent probe makes a page to tell of it"
    yield _verdict("board", "ok" if found.profile.tested else "warn", told)
    native = [inspect(one) for one in found.profile.delegates if one.native]
    missing = not all(one.presence.there for one in native)
    detail = "; ".join(one.told for one in native) or "none that the profile names; models run on the CPU"
    yield _verdict("accelerators", "warn" if missing else "ok", detail)


def _cameras() -> dict[str, str]:
    found = cameras()
    if not found:
        return _verdict("cameras", "ok", "none; the other sources need none")
    named = [f"{one.best_id} ({one.name}{f': {one.problem}' if one.problem else ''})" for one in found]
    count = "1 camera" if len(found) == 1 else f"{len(found)} cameras"
    verdict = "warn" if any(camera.problem for camera in found) else "ok"
    return _verdict("cameras", verdict, f"{count}: {'; '.join(named)}")


def _keys(plan: Plan) -> dict[str, str]:
    try:
        keys = trust.load(plan.settings.trust, plan.folder)
    except ConfigInvalid as error:
        return _verdict("keys", "FAIL", str(error))
    return _verdict("keys", "ok" if keys.signed else "warn", keys.told)


def _disk(folder: Path) -> dict[str, str]:
    try:
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(existing).free
    except PermissionError:
        return _verdict("disk", "warn", f"{folder}: permission denied; run this as root to have it looked at")
    verdict = "ok" if free > _LOW_DISK else "warn"
    return _verdict("disk", verdict, f"{free / 1e9:.1f} GB free for {folder}")


def _confinement() -> dict[str, str]:
    """Say what the kernel can hold workers to."""
    abi, filtering = landlock.abi(), seccomp.available()
    held = f"Landlock {f'ABI {abi}' if abi else 'missing'}, seccomp {'on' if filtering else 'missing'}"
    if abi and filtering:
        return _verdict("confinement", "ok", f"{held}: workers are held to what they need")
    hint = "workers can do more than they need; a kernel of 5.13 or later with Landlock mends it"
    return _verdict("confinement", "warn", f"{held}: {hint}")


def _pidfd() -> dict[str, str]:
    if hasattr(os, "pidfd_open") and sys.platform == "linux":
        return _verdict("kernel", "ok", f"{platform.release()}: pidfd and memfd are there")
    return _verdict("kernel", "FAIL", "no pidfd: the agent needs Linux 5.3 or later")
