"""edge-agent check: what run does, up to the first frame of each pipeline, and nothing is changed."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.bundles.load import load
from agent.cli.device import service
from agent.cli.device.settings import Loaded
from agent.cli.examining import folder_check, models_check
from agent.cli.setup.schema import schema
from agent.errors import EXIT_CONFIG, EXIT_FAILED, EXIT_OK, AgentError, Restart, Retryable
from agent.foreground import Foreground
from agent.mqtt.client import tls_context
from agent.recovery.borrower import order
from agent.tflite.outline import is_for_edge_tpu
from agent.trust import keys as trust
from agent.trust.certificates import facts
from agent.uplink.uplink import link_settings
from agent.wording import failure_in_words, plain
from agent.workers.chaining import unheard

if TYPE_CHECKING:
    import argparse

    from agent.config.tables import Mqtt
    from agent.ledger import Ledger
    from agent.plan import Plan
    from agent.workers.spec import LaneSpec

_LONGEST = 4000
_PATIENCE_S = 5.0
"""How long a recording may give nothing, such as a folder that is watched; then the rest is well."""

HELP = "test a configuration without running it"
DESCRIPTION = """\
Does what `run` does up to the first frame: reads the configuration, looks into the data folder, and for each
pipeline loads the model, runs it, opens the source and infers one frame. It changes nothing, and a running
agent may have the folder; a camera serves one program at a time."""
EPILOG = """\
examples:
  edge-agent check --config agent.toml
  edge-agent check --schema > agent.schema.json   for editors

exit codes: 0 all is well, 1 something failed, 78 the configuration must be changed first"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    service.add_config(parser)
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of the configuration")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Check and print; give the exit code."""
    if arguments.schema:
        print(json.dumps(schema(), indent=2))
        return EXIT_OK
    service.look_as(arguments.config)
    loaded = Loaded(arguments.config)
    plan = loaded.plan(once=True, limit=1)
    checks: list[dict[str, Any]] = [_folder(plan)]
    if plan.mqtt is not None:
        checks += [_broker(plan, plan.mqtt), _keys(plan)]
    if plan.managed:
        checks.append(_models(plan))
    explain = loaded.explain()
    for spec in plan.lanes:
        if not spec.model:
            detail = "it waits for the operator's first model"
            checks.append({"check": f"pipeline {spec.pipeline}", "ok": True, "detail": detail})
            continue
        if detail := _not_here(spec, plan):
            checks.append({"check": f"pipeline {spec.pipeline}", "ok": True, "detail": detail})
            continue
        lane = Foreground(
            spec,
            plan.deadlines,
            partial(explain, spec.pipeline),
            patience_s=_PATIENCE_S,
        )
        check: dict[str, Any] = {"check": f"pipeline {spec.pipeline}", "ok": True}
        try:
            came = [one for records in lane.run() for one in records]
            failed = [one for one in came if one.kind == "failed"]
            ready = lane.outcome.ready
            check["detail"] = f"{ready.model} on {ready.delegate}, {ready.runtime}" if ready else ""
            check["detail"] += "" if came else f"; {_why_nothing(lane.outcome.ledger)}"
            check["detail"] += _unheard(spec, plan, ready.task) if ready else ""
            if failed:  # the next one may be sound
                check["detail"] += f"; WARNING: its frame failed: {failure_in_words(failed[0].items)}"
        except AgentError as error:
            # As in run: another start would do no better. A camera may be back by then.
            refused = not isinstance(error, Restart | Retryable)
            check |= {"ok": False, "detail": str(error), "code": EXIT_CONFIG if refused else EXIT_FAILED}
        checks.append(check)
    _print(checks, as_json=arguments.json)
    bad = [check for check in checks if not check["ok"]]
    if not bad:
        return EXIT_OK
    return EXIT_CONFIG if any(check["code"] == EXIT_CONFIG for check in bad) else EXIT_FAILED


def _unheard(spec: LaneSpec, plan: Plan, task: str) -> str:
    """Warn of events that are waited for and never come; "" when all may."""
    told = next(one for one in plan.settings.pipelines if one.name == spec.pipeline)
    wanted = (*told.alert_on, *(told.media.on if told.media else ()))
    if names := ", ".join(unheard(spec.filters, task, wanted)):
        return f"; WARNING: none of its filters gives {names}; docs/filters.md says which gives what"
    return ""


def _why_nothing(ledger: Ledger) -> str:
    """Say why a pipeline has given no result."""
    if ledger.gated:
        return "its first frame was left out by a gate"
    return (
        "its first result was held back by a filter"
        if ledger.filtered
        else "nothing came from the source yet"
    )


def _not_here(spec: LaneSpec, plan: Plan) -> str:
    """Say why a pipeline is not tried whose model has no version for the CPU; "" for others."""
    path = Path(spec.folder, spec.model)
    try:
        model = load(path if path.exists() else spec.model)
    except AgentError:  # its worker tells it better
        return ""
    if not (order(spec, plan.profile.delegates) and is_for_edge_tpu(model.data)):
        return ""
    return f"not tried: {model.name} runs on an accelerator only, which the agent opens when it runs"


def _folder(plan: Plan) -> dict[str, Any]:
    check: dict[str, Any] = {"check": "data folder", "ok": True}
    try:
        return check | {"detail": folder_check.examine(plan.data, plan.device)}
    except AgentError as error:
        return check | {"ok": False, "detail": str(error), "code": error.exit_code}


def _broker(plan: Plan, mqtt: Mqtt) -> dict[str, Any]:
    """Read the certificates and the credential; the broker itself may be away: offline is normal."""
    check: dict[str, Any] = {"check": "broker", "ok": True, "detail": f"{mqtt.host}:{mqtt.port}, not asked"}
    try:
        settings = link_settings(mqtt, plan.device, plan.folder)
        for file in filter(None, (settings.ca_file, settings.cert_file, settings.key_file)):
            Path(file).stat()  # TLS would not say which
        if settings.tls:
            tls_context(settings)
        told = _lasts(Path(settings.cert_file)) if settings.cert_file else ""
    except (AgentError, OSError) as error:
        return check | {"ok": False, "detail": f"mqtt: {error}", "code": EXIT_CONFIG}
    return check | {"detail": f"{check['detail']}{told}"}


def _lasts(file: Path) -> str:
    """Say until when a certificate lasts that TLS has read already; one that is renewed later comes first."""
    until = datetime.fromtimestamp(facts(file.read_bytes()).until_s, UTC)
    over = (
        "WARNING: its certificate has ended on"
        if until < datetime.now(UTC)
        else "its certificate lasts until"
    )
    return f"; {over} {until:%Y-%m-%d}"


def _models(plan: Plan) -> dict[str, Any]:
    check: dict[str, Any] = {"check": "models", "ok": True}
    try:
        return check | {"detail": models_check.examine(plan)}
    except AgentError as error:
        return check | {"ok": False, "detail": str(error), "code": EXIT_CONFIG}


def _keys(plan: Plan) -> dict[str, Any]:
    check: dict[str, Any] = {"check": "keys", "ok": True}
    try:
        keys = trust.load(plan.settings.trust, plan.folder)
    except AgentError as error:
        return check | {"ok": False, "detail": str(error), "code": EXIT_CONFIG}
    return check | {"detail": keys.told}


def _print(checks: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        public = [{key: value for key, value in check.items() if key != "code"} for check in checks]
        print(json.dumps({"ok": all(check["ok"] for check in checks), "checks": public}))
        return
    for check in checks:
        mark = "ok  " if check["ok"] else "FAIL"
        line = plain(f"{mark} {check['check']}: {check['detail']}", _LONGEST)  # a camera's words may be in it
        print(line, file=sys.stdout if check["ok"] else sys.stderr)
