"""edge-agent model: the models of this device: list, show, prove, rollback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.bundles.load import read_manifest
from agent.cli.device import service
from agent.cli.device.active import models
from agent.cli.device.commanding import carried_out, done
from agent.cli.device.settings import Loaded
from agent.cli.showing import model_card
from agent.cli.terminal.parts import Parts, add_json
from agent.cli.terminal.printing import print_table
from agent.errors import EXIT_OK, AgentError, ConfigInvalid, Rejected
from agent.foreground import prove
from agent.supervision.control import deserted
from agent.wording import plain

if TYPE_CHECKING:
    import argparse

    from agent.plan import Plan

HELP = "list, show, prove and roll back models"
DESCRIPTION = """\
The models of this device, by pipeline: what serves, what is on its way, what was refused and why. With the
agent running they are asked of it; else they are read from the data folder. Each part has its own help:
edge-agent model prove --help"""
EPILOG = """\
examples:
  edge-agent model list
  edge-agent model show door
  edge-agent model prove ./bundle --pipeline door
  sudo edge-agent model rollback door

exit codes: 0 done, 1 refused or failed, 2 usage, 78 the configuration must be changed first"""

_PATIENCE_S = 30.0
_COLUMNS = ("pipeline", "state", "serving", "previous", "wanted", "generation", "strikes", "why")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the four parts and their options."""
    parts = Parts(parser, service.add_config, add_json)
    parts.add("list", "what serves, what is on its way, and why", _list)
    shower = parts.add("show", "a model's card", _show)
    shower.add_argument("model", metavar="MODEL", help="a pipeline, whose active model it is, or a bundle")
    prover = parts.add("prove", "prove a bundle here as the agent does; nothing is changed", _prove)
    prover.add_argument(
        "model", metavar="BUNDLE", type=Path, help="a bundle's folder, or NAME@VERSION of one on this device"
    )
    prover.add_argument("--pipeline", metavar="NAME", help="in which pipeline; needed when there are several")
    roller = parts.add("rollback", "go back to the model before", _rollback)
    roller.add_argument("pipeline", metavar="PIPELINE", help="of which pipeline")


def main(arguments: argparse.Namespace) -> int:
    """Do the part that was chosen; give the exit code."""
    service.look_as(arguments.config)
    code: int = arguments.do(arguments, Loaded(arguments.config).plan())
    return code


def _list(arguments: argparse.Namespace, plan: Plan) -> int:
    found = models(plan)
    if arguments.json:
        print(json.dumps(found))
        return EXIT_OK
    print_table(_COLUMNS, [_row(name, one) for name, one in found["pipelines"].items()])
    for line in (found["problem"], found["metadata"]["problem"]):
        if line:
            print(f"problem: {plain(line, 500)}")
    return EXIT_OK


def _row(name: str, one: dict[str, Any]) -> list[Any]:
    titles = [
        f"{model['name']}@{model['version']}" if (model := one[key]) else None
        for key in ("serving", "previous", "wanted")
    ]
    return [name, one["state"], *titles, one["generation"], one["strikes"], one["reason"]]


def _show(arguments: argparse.Namespace, plan: Plan) -> int:
    folder, origin = _bundle(arguments.model, plan)
    card = model_card.card(folder, origin)
    print(json.dumps(card) if arguments.json else "\n".join(model_card.lines(card)))
    return EXIT_OK


def _bundle(model: str, plan: Plan) -> tuple[Path, dict[str, Any]]:
    """Find a bundle: a pipeline's active one, one by its digest, or a folder."""
    found = models(plan)["pipelines"]
    if model in found:
        slots = found[model]["slots"]
        if "active" not in slots:
            hint = "Show the configured model by its path, or deploy one: edgectl deploy"
            raise Rejected("show model of", model, "no model from a bundle is active there", hint)
        row = slots["active"]
        return plan.models / "bundles" / row["bundle"], row
    inside = plan.models / "bundles" / model
    return (inside if inside.is_dir() else Path(model)), {}


def _prove(arguments: argparse.Namespace, plan: Plan) -> int:
    specs = {spec.pipeline: spec for spec in plan.lanes}
    name = arguments.pipeline or (next(iter(specs)) if len(specs) == 1 else "")
    if name not in specs:
        raise ConfigInvalid("prove", name or "model", "no such pipeline", f"Name one of: {', '.join(specs)}")
    model = str(_whole(arguments.model, plan))
    found = prove(specs[name].model_copy(update={"model": model, "hidden": ()}), plan.deadlines)
    told = found.model_dump(exclude={"type"})
    print(json.dumps(told) if arguments.json else "\n".join(f"{key:<10} {told[key]}" for key in told))
    return EXIT_OK


def _whole(model: Path, plan: Plan) -> Path:
    """Find the bundle to prove: a folder, or by its name among the operator's on this device."""
    name, at, version = str(model).partition("@")
    if model.exists() or not at:
        return model.resolve()
    for folder in sorted((plan.models / "bundles").glob("*")):
        if _titled(folder) == (name, version):
            return folder
    hint = "Deploy it: edgectl deploy; or name a bundle's folder"
    raise Rejected("prove", str(model), "it is not on this device", hint)


def _titled(folder: Path) -> tuple[str, str]:
    """Give a bundle's name and version; none of what is no bundle."""
    try:
        manifest = read_manifest(folder)
    except AgentError:
        return "", ""
    return manifest.name, manifest.version


def _rollback(arguments: argparse.Namespace, plan: Plan) -> int:
    from agent.activation.offline import rollback

    if not deserted(plan.control):
        done(carried_out(plan.control, "rollback", {"pipeline": arguments.pipeline}, _PATIENCE_S))
    else:
        rollback(plan, arguments.pipeline)
    found = models(plan)
    one = found["pipelines"][arguments.pipeline]
    if arguments.json:
        print(json.dumps(found))
    else:
        active = one["slots"].get("active")
        now = f"{active['name']}@{active['version']}" if active else "the configured model"
        print(f"{arguments.pipeline}: {now}")
    return EXIT_OK
