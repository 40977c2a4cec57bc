"""Joins what the operator has said and what the trial has found into a manifest."""

from __future__ import annotations

import json
import math
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agent import golden, manifest
from agent.boards.machine import processor
from agent.errors import ConfigInvalid, ManifestInvalid
from agent.fleet.packing import words
from agent.manifest import MAX_BYTES, Budget, Contract, Golden, Manifest, Post, Pre
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.fleet.packing.recipe import BudgetRecipe, GoldenRecipe, Recipe
    from agent.manifest import FileEntry

_OP = "pack"
_HINT = "See docs/howto/ship-a-model.md"
_LEAST_MS, _LEAST_MB = 5.0, 16.0
"""A budget below this would measure what else a board is doing."""
_ALL = (200, ())


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of a bundle, by their paths in it.

    Attributes:
        variants: by the delegate's name.
        labels: None where there are none.
        goldens: in the recipe's order.
        extras: files that the decoder needs, by the option that names them.
        names: what each file was called where it came from, by its absolute path.
    """

    model: str
    variants: dict[str, str]
    labels: str | None
    goldens: tuple[str, ...]
    extras: dict[str, str]
    names: dict[str, str]


@dataclass(frozen=True, slots=True)
class Trial:
    """What the trial has found: the tensors, what an inference costs, the answers to the golden inputs."""

    contract: words.Contract
    cost: words.Cost | None
    answers: tuple[list[dict[str, Any]], ...]


def manifest_of(
    told: Recipe, trial: Trial, parts: Parts, entries: Sequence[FileEntry], subject: Path
) -> Manifest:
    """Make the manifest.

    Args:
        told: the recipe, its gaps filled.
        trial: what was found.
        parts: the files.
        entries: what the manifest says of each of them.
        subject: the recipe's path, for errors.

    Raises:
        ManifestInvalid: a golden answer is not what the recipe expects.
        ConfigInvalid: the model costs more than the recipe allows, or something is too large.
    """
    goldens = []
    for one, path, items in zip(told.golden, parts.goldens, trial.answers, strict=True):
        goldens.append(Golden(input=path, expect=_expected(told, one, items, subject), tol=one.tol))
    try:
        return Manifest(
            schema=2,
            name=told.name or "",
            version=told.version or "",
            task=told.task,
            license=told.license or "",
            files=tuple(sorted(entries, key=lambda entry: entry.path)),
            model=parts.model,
            variants=parts.variants,
            labels=parts.labels,
            io=Contract(inputs=trial.contract.inputs, outputs=trial.contract.outputs),
            quantized=trial.contract.quantized,
            pre=told.pre or Pre(),
            post=_post(told.post, parts),
            requires=told.requires,
            budget=_budget(told.budget, trial.cost, subject),
            golden=tuple(goldens),
            runtime=_runtime(trial),
        )
    except ValidationError as error:
        raise ConfigInvalid(_OP, str(subject), first_problem(error), _HINT) from error


def _post(told: Post | None, parts: Parts) -> Post | None:
    """Give the decoder's options, which name the files as they are called in the bundle."""
    return Post(kind=told.kind, **{**told.options, **parts.extras}) if told else None


def content_of(made: Manifest, subject: Path) -> bytes:
    """Give the manifest's bytes; reading them gives the same manifest.

    Raises:
        ConfigInvalid: they are more than a device reads.
    """
    body = made.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    content = (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode()
    if len(content) > MAX_BYTES:
        problem = f"the manifest has {len(content)} bytes, and a device reads {MAX_BYTES}"
        raise ConfigInvalid(_OP, str(subject), problem, "Record fewer golden answers, or take larger --chunk")
    manifest.parse(content)
    return content


def _expected(
    told: Recipe, one: GoldenRecipe, items: list[dict[str, Any]], subject: Path
) -> tuple[dict[str, Any], ...]:
    """Give what the model must make of a golden input: what the recipe says, or what it has made of it."""
    if one.expect is not None:
        if problem := golden.differs(items, one.expect, one.tol):
            hint = "Mend expect, or find out why the model answers so: edge-agent infer"
            raise ManifestInvalid(_OP, f"{subject}: golden {one.input}", problem, hint)
        return one.expect
    most, keys = words.KEPT.get(told.post.kind if told.post else told.task, _ALL)
    most, keys = one.items or most, one.keys or keys
    return tuple({key: item[key] for key in (keys or item) if key in item} for item in items[:most])


def _budget(told: BudgetRecipe, cost: words.Cost | None, subject: Path) -> Budget:
    """Give the limits: those of the recipe, else what was measured times its margin."""
    if cost is None:
        return Budget(p95_ms=told.p95_ms, rss_mb=told.rss_mb)
    for what, found, limit in (("p95_ms", cost.p95_ms, told.p95_ms), ("rss_mb", cost.rss_mb, told.rss_mb)):
        if limit is not None and found > limit:
            problem = f"{what} is {found:.1f} on this machine already"
            raise ConfigInvalid(
                _OP, f"{subject}: budget.{what} = {limit:g}", problem, "Raise it, or shrink the model"
            )
    return Budget(
        p95_ms=told.p95_ms or _rounded(max(_LEAST_MS, cost.p95_ms * told.p95_margin)),
        rss_mb=told.rss_mb or _rounded(max(_LEAST_MB, cost.rss_mb * told.rss_margin)),
    )


def _rounded(value: float) -> float:
    """Round up to two digits that count."""
    step = 10.0 ** (math.floor(math.log10(max(value, 1e-3))) - 1)
    return float(f"{math.ceil(value / step) * step:.6g}")


def _runtime(trial: Trial) -> dict[str, Any] | str:
    """Say what the golden answers were recorded with, and where the budget was measured."""
    if trial.cost is None:
        return trial.contract.runtime
    cost = trial.cost
    return {
        "name": trial.contract.runtime,
        "delegate": trial.contract.delegate,
        "machine": f"{processor()}, {os.cpu_count()} cores, {platform.machine()}",
        "p50_ms": float(f"{cost.p50_ms:.4g}"),
        "p95_ms": float(f"{cost.p95_ms:.4g}"),
        "rss_mb": float(f"{cost.rss_mb:.4g}"),
    }
