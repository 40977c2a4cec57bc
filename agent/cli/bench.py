"""edge-agent bench: how fast models run here, in each way that they can; and which way is best."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import plugins
from agent.boards.machine import cores
from agent.cli.benching import showing
from agent.cli.device import service
from agent.cli.device.settings import Loaded
from agent.cli.inferring.key_values import speakable
from agent.cli.terminal.numbers import number
from agent.errors import EXIT_FAILED, EXIT_OK, ConfigInvalid
from agent.probing.recognition import recognise
from agent.tuning.bench import failure, measure
from agent.tuning.choosing import choose
from agent.tuning.messages import TrialSpec
from agent.tuning.setting import Setting, grid, usual_threads
from agent.validation import options
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from agent.boards.accelerators import Accelerator
    from agent.boards.profiles import Profile
    from agent.plan import Plan
    from agent.tuning.choosing import Choice
    from agent.tuning.measured import Measured

HELP = "measure how fast models run here, and choose the best way"
DESCRIPTION = """\
Runs each model in every way that this machine has: the XNNPACK kernels or the runtime's own, 1, 2 or 4
threads, and the accelerators of its device profile that are there. Each way has a process of its own, and all
take turns in a random order: what else the machine does hits all alike. Prints a table that you can paste
into an issue.

With --tune the fastest is chosen by its 95th percentile, among those whose answers are right, and kept for
this board, machine, runtime and model. It serves from the next start of a pipeline with that model, unless
threads or xnnpack are set in its configuration. docs/tuning.md tells the rules."""
EPILOG = """\
examples:
  edge-agent bench glyphs shapes             two bundled models
  edge-agent bench mobilenet.tflite --threads 1,2,4 --json
  sudo edge-agent bench door --tune          what the pipeline "door" runs
  edge-agent bench --tuned                   what was chosen, and when
  sudo edge-agent bench glyphs --forget      let the default serve again

exit codes: 0 done, 1 failed or ended by ^C while tuning, 2 usage, 78 the configuration must be changed
first"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "models",
        metavar="MODEL",
        nargs="*",
        help="a .tflite file, a bundle's folder, a bundled model, or a pipeline of the configuration",
    )
    parser.add_argument(
        "--config", "-c", type=Path, metavar="FILE", help=f"default {service.CONFIG}, if it is there"
    )
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--tune", action="store_true", help="choose the best way, and keep it")
    kept.add_argument("--tuned", action="store_true", help="list what was chosen; measure nothing")
    kept.add_argument(
        "--forget",
        action="store_true",
        help="forget what was chosen for MODEL, by its listed name or hash; for all when none is given",
    )
    parser.add_argument(
        "--seconds",
        type=number(float, 0.1, 3600),
        default=10.0,
        metavar="S",
        help="how long to measure a model (default 10)",
    )
    parser.add_argument(
        "--threads",
        type=_threads,
        metavar="1,2,4",
        help="numbers of threads (default 1, 2, 4 up to the cores)",
    )
    parser.add_argument(
        "--delegate",
        action="append",
        metavar="NAME",
        help="an accelerator of the device profile; may be repeated, cpu means none (default: all there)",
    )
    parser.add_argument(
        "--runtime",
        choices=("auto", "ai-edge-litert", "tflite-runtime"),
        default="auto",
        help="what runs the models (default: the best that is installed and works)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _threads(text: str) -> list[int]:
    return [number(int, 1, 16)(one) for one in text.split(",")]


@dataclass(frozen=True, slots=True)
class _Here:
    """What is known of this device."""

    profile: Profile
    plan: Plan | None
    accelerators: dict[str, Accelerator]


def main(arguments: argparse.Namespace) -> int:
    """Measure, or look after what was chosen; give the exit code."""
    from agent.cli.benching import keeping
    from agent.supervision.tunings import kept

    for model in arguments.models:
        speakable(model)
    plan = _plan(arguments)
    if arguments.tuned or arguments.forget:
        return keeping.look_after(_needed(plan), arguments)
    if not arguments.models:
        raise ConfigInvalid("bench", "model", "none is named", "Name one: edge-agent bench glyphs")
    if arguments.tune:
        kept(_needed(plan))  # whoever may not ask the agent learns it now, not at the end
    profile = plan.profile if plan else _profile()
    here = _Here(profile, plan, _accelerators(profile, arguments.delegate))
    found = []
    code = EXIT_OK
    for model in arguments.models:
        told, whole = _bench(model, here, arguments)
        found.append(told)
        if not whole:
            code = EXIT_FAILED if arguments.tune else EXIT_OK
            break
    if arguments.json:
        print(json.dumps({**showing.device(profile.name), "models": found}))
    return code


def _plan(arguments: argparse.Namespace) -> Plan | None:
    config = arguments.config or (service.CONFIG if service.CONFIG.exists() else None)
    if config is None:
        return None
    service.look_as(config)
    return Loaded(config).plan()


def _needed(plan: Plan | None) -> Plan:
    if plan is None:
        hint = "Give the agent's configuration with --config: choices are kept in its data folder"
        raise ConfigInvalid("bench", "configuration", f"there is no {service.CONFIG}", hint)
    return plan


def _profile() -> Profile:
    return recognise("auto").profile


def _accelerators(profile: Profile, wanted: list[str] | None) -> dict[str, Accelerator]:
    """Give the accelerators to measure, by title: those named, else all that are there."""
    known = {one.title: one for one in profile.delegates if one.native}
    if wanted is None:
        return {title: one for title, one in known.items() if _is_there(one)}
    for title in wanted:
        if title not in {*known, "cpu"}:
            hint = f"Use one of: {', '.join(['cpu', *known])}"
            raise ConfigInvalid("bench", title, f"the profile {profile.name} has no such delegate", hint)
    return {title: known[title] for title in wanted if title in known}


def _is_there(accelerator: Accelerator) -> bool:
    module = plugins.load("delegates", accelerator.kind, "delegates", "kind")
    there: bool = module.build(options(module.Options, accelerator.options, "delegates")).probe().there
    return there


def _bench(name: str, here: _Here, arguments: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Measure one model, print its table, keep what is chosen; give all of it, and whether it is whole."""
    from agent.cli.benching import keeping

    default = Setting(here.profile.threads)
    threads = arguments.threads or usual_threads(cores(), default.threads)
    settings = grid(threads, here.accelerators, default)
    model = keeping.model_of(name, here.plan)
    with showing.progress(name) as progress:
        measured, whole = measure(
            settings, _spec_of(model, default, here, arguments.runtime), arguments.seconds, progress
        )
    if whole and (error := failure(measured)):
        raise error
    choice = choose(measured) if arguments.tune and whole else None
    if choice is not None and here.plan is not None:
        keeping.keep(here.plan, choice, measured)
    told = showing.as_json(name, measured, choice, whole=whole)
    if not arguments.json:
        print("\n".join(_lines(measured, choice, here, whole=whole)))
    return told, whole


def _lines(measured: list[Measured], choice: Choice | None, here: _Here, *, whole: bool) -> list[str]:
    lines = showing.lines(measured, here.profile.name)
    if choice is not None:
        lines += showing.chosen(choice)
    if not whole:
        lines.append("ended by ^C: this is what was measured so far")
    return [*lines, ""]


def _spec_of(model: str, default: Setting, here: _Here, runtime: str) -> Callable[[Setting], TrialSpec]:
    def given(setting: Setting) -> dict[str, Any]:
        return {"runtime": runtime, "threads": setting.threads, "xnnpack": setting.xnnpack}

    def spec_of(setting: Setting) -> TrialSpec:
        lane = LaneSpec(
            pipeline="bench",
            model=model,
            source="synthetic",
            backend_options=given(setting),
            prove=True,
            devices=here.profile.devices,
        )
        reference = {} if setting == default else given(default)
        accelerator = here.accelerators.get(setting.delegate)
        return TrialSpec(lane=lane.model_dump(), reference=reference, accelerator=accelerator)

    return spec_of
