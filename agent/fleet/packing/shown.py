"""What ``edgectl pack`` and ``quantize`` show at the end: what is in the bundle, what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from agent.fleet.packing.pack import Packed
    from agent.fleet.packing.quantize import Made


def as_json(packed: Packed) -> str:
    """Give one JSON object."""
    return orjson.dumps(_facts(packed)).decode()


def _facts(packed: Packed) -> dict[str, Any]:
    made, cost = packed.manifest, packed.cost
    return {
        "folder": str(packed.folder),
        "name": made.name,
        "version": made.version,
        "task": made.task,
        "license": made.license,
        "digest": packed.digest,
        "quantized": made.quantized,
        "size": made.size,
        "manifest_size": packed.manifest_size,
        "chunks": sum(len(one.hashes) for one in made.files),
        "files": [
            {"path": one.path, "size": one.size, "chunks": len(one.hashes), "sha256": one.sha256}
            for one in made.files
        ],
        "golden": len(made.golden),
        "budget": made.budget.model_dump(),
        "measured": cost.model_dump(exclude={"type"}) if cost else None,
        "runtime": made.runtime,
    }


def table(packed: Packed) -> str:
    """Give the same for people."""
    made, cost, budget = packed.manifest, packed.cost, packed.manifest.budget
    wide = max(len(one.path) for one in made.files)
    lines = [f"packed {packed.folder}: {made.name}@{made.version}, {made.task}, {made.license}", ""]
    lines += [f"  {'file':<{wide}}  {'bytes':>12}  chunks"]
    lines += [f"  {one.path:<{wide}}  {one.size:>12,}  {len(one.hashes):>6}" for one in made.files]
    lines += ["", f"  digest     {packed.digest}"]
    lines += [f"  computes   {'in integers' if made.quantized else 'in real numbers'}"]
    lines += [f"  golden     {len(made.golden)} answers recorded"]
    if cost:
        lines += [f"  measured   p95 {cost.p95_ms:.3g} ms of {cost.runs} runs, {cost.rss_mb:.3g} MiB"]
    limits = [f"p95 {budget.p95_ms:g} ms"] if budget.p95_ms else []
    limits += [f"{budget.rss_mb:g} MiB"] if budget.rss_mb else []
    lines += [f"  budget     {', '.join(limits) or 'none'}"]
    lines += ["", f"Publish it with:  edgectl publish {packed.folder}"]
    return "\n".join(lines)


def quantized_json(made: Made) -> str:
    """Give what came of a quantization as one JSON object."""
    facts = {
        "path": str(made.path),
        "size_before": made.size_before,
        "size_after": made.size_after,
        "calibrated": made.calibrated,
        "held_out": made.held_out,
        **made.result.model_dump(exclude={"type"}),
    }
    return orjson.dumps(facts).decode()


def quantized(made: Made) -> str:
    """Give the same for people."""
    result = made.result
    lines = [f"wrote {made.path}"]
    times = made.size_before / made.size_after
    lines.append(f"  size       {made.size_before:,} to {made.size_after:,} bytes: {times:.1f} times smaller")
    lines.append(f"  calibrated on {made.calibrated} inputs, compared on {made.held_out} others")
    if result.measure == "top-1":
        lines.append(f"  agreement  {result.agreement:.1%} have the same first class")
    else:
        lines.append(f"  agreement  {result.agreement:.2%} of the outputs' norm")
    if result.scored:
        before, after = result.right_before / result.scored, result.right_after / result.scored
        change = (after - before) * 100
        lines.append(
            f"  accuracy   {before:.1%} to {after:.1%}: {change:+.1f} points of {result.scored} inputs"
        )
    if not result.quantized:
        lines.append("  some operators still compute in real numbers: edgectl pack will say so")
    return "\n".join(lines)
