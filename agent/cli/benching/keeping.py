"""What ``edge-agent bench`` keeps: which model is meant, what was chosen for it, and what is forgotten."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.activation.offline import models
from agent.boards.machine import machine
from agent.cli.device.owner import as_owner
from agent.cli.terminal.printing import print_table
from agent.errors import EXIT_OK, AgentError, Rejected
from agent.supervision.control import ask, deserted
from agent.supervision.tunings import Keep, forget, kept
from agent.supervision.tunings import keep as keep_choice

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from agent.plan import Plan
    from agent.slots import Tuning
    from agent.tuning.choosing import Choice
    from agent.tuning.measured import Measured

_COLUMNS = ("model", "threads", "kernels", "p95 ms", "default", "runtime", "here", "when", "sha256")
_SHORT = 12
_LEAST = 4
"""Digits of a hash that name a model."""


def model_of(name: str, plan: Plan | None) -> str:
    """Give the path of what a pipeline runs, if ``name`` is a pipeline's; else the name as it is."""
    specs = {spec.pipeline: spec for spec in plan.lanes} if plan else {}
    if plan is None or name not in specs or Path(name).exists():
        return name
    if plan.managed:
        found = models(plan) if deserted(plan.control) else ask(plan.control, {"op": "models"})
        if active := found["pipelines"][name]["slots"].get("active"):
            return str(plan.models / "bundles" / active["bundle"])
    model = specs[name].model
    if not model:
        raise Rejected("bench", name, "this pipeline has no model yet", "Deploy one: edgectl deploy")
    beside = plan.folder / model
    return str(beside) if beside.exists() else model


def keep(plan: Plan, choice: Choice, measured: Sequence[Measured]) -> None:
    """Keep what was chosen, with its figures.

    Raises:
        AgentError: the running agent refuses, or its folder cannot be used.
    """
    loaded = choice.measured.loaded
    if loaded is None:
        raise AgentError("keep", "choice", "nothing was measured")
    row = Keep(
        sha256=loaded.sha256,
        runtime=loaded.runtime,
        board=plan.profile.name,
        machine=machine(),
        model=loaded.model,
        threads=choice.setting.threads,
        xnnpack=choice.setting.xnnpack,
        figures=json.dumps(_figures(choice, measured), separators=(",", ":")),
    )
    with _as_agent(plan):
        keep_choice(plan, row)


@contextmanager
def _as_agent(plan: Plan) -> Iterator[None]:
    """Write as whoever owns the data folder, where root asks."""
    if not plan.data.is_dir():
        yield
        return
    with as_owner(plan.data):
        yield


def _figures(choice: Choice, measured: Sequence[Measured]) -> dict[str, Any]:
    """Say what there is to know of a choice later: how fast it is, and how fast with fewer threads."""
    one, default = choice.measured, measured[0]
    fewer = {
        str(other.setting.threads): _ms(other.share(0.95))
        for other in measured
        if other.usable
        and other.setting.kernels == one.setting.kernels
        and other.setting.threads < one.setting.threads
    }
    ratio = choice.ratio
    return {
        "p50_ms": _ms(one.share(0.5)),
        "p95_ms": _ms(one.share(0.95)),
        "p99_ms": _ms(one.share(0.99)),
        "rss_mb": one.loaded.rss_mb if one.loaded else None,
        "default": {"threads": default.setting.threads, "p95_ms": _ms(default.share(0.95))}
        if default.usable
        else None,
        "ratio": [round(part, 3) for part in (ratio.median, ratio.low, ratio.high)] if ratio else None,
        "p95_ms_at_fewer_threads": fewer,
        "rounds": len(one.rounds),
        "inferences": len(one.times),
        "goldens": one.goldens,
    }


def _ms(value: float) -> float:
    return float(f"{value:.4g}")


def look_after(plan: Plan, arguments: argparse.Namespace) -> int:
    """List what was chosen, or forget some of it; give the exit code."""
    found = kept(plan)
    if arguments.forget:
        gone = [one for one in found if not arguments.models or _is_meant(one, arguments.models)]
        for name in arguments.models:
            if not any(_is_meant(one, [name]) for one in found):
                hint = "List what was chosen: edge-agent bench --tuned"
                raise Rejected("forget", name, "nothing was chosen for it", hint)
        with _as_agent(plan):
            forget(plan, gone)
        words = [f"forgotten: {one.model} ({one.sha256[:_SHORT]})" for one in gone]
        print(
            json.dumps({"forgotten": [asdict(one) for one in gone]}) if arguments.json else "\n".join(words)
        )
        return EXIT_OK
    told = [asdict(one) | {"figures": _read(one.figures), "here": _is_here(one, plan)} for one in found]
    if arguments.json:
        print(json.dumps({"tuned": told}))
    elif told:
        print_table(_COLUMNS, [_row(one) for one in told])
    else:
        print("nothing was chosen so far: edge-agent bench MODEL --tune")
    return EXIT_OK


def _is_meant(tuning: Tuning, names: Sequence[str]) -> bool:
    known = {tuning.model, tuning.model.partition("@")[0]}
    return any(one in known or (len(one) >= _LEAST and tuning.sha256.startswith(one)) for one in names)


def _read(figures: str) -> dict[str, Any]:
    """Give what was measured; nothing where another program has written something else."""
    try:
        found = json.loads(figures)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_here(tuning: Tuning, plan: Plan) -> bool:
    return (tuning.board, tuning.machine) == (plan.profile.name, machine())


def _row(told: dict[str, Any]) -> list[Any]:
    figures = told["figures"]
    default = (figures.get("default") or {}).get("p95_ms")
    return [
        told["model"],
        told["threads"],
        "xnnpack" if told["xnnpack"] else "builtin",
        figures.get("p95_ms"),
        default,
        told["runtime"],
        "yes" if told["here"] else "no",
        time.strftime("%Y-%m-%d", time.gmtime(told["wall_ns"] / 1e9)),
        told["sha256"][:_SHORT],
    ]
