"""Makes engines that do with less: fewer threads, or the bundle's smaller variant."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from agent.bundles.load import read_manifest
from agent.manifest import MANIFEST
from agent.workers.program import engines
from agent.workers.spec import Eased

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.pipeline.engine import Engine
    from agent.types import Phase
    from agent.workers.spec import LaneSpec


def resolved(spec: LaneSpec) -> LaneSpec:
    """Give the spec with what its easing comes to: equal specs make equal engines.

    Raises:
        ManifestInvalid: the bundle's manifest is wrong.
    """
    eased, options = spec.eased, spec.backend_options
    if eased.threads and "threads" in options:
        options = options | {"threads": min(options["threads"], eased.threads)}
    variant = eased.variant if _has(spec, eased.variant) else ""
    return spec.model_copy(update={"backend_options": options, "eased": Eased(variant=variant)})


def make(
    spec: LaneSpec,
    pause: Callable[[], object] = lambda: None,
    beat: Callable[[Phase], None] = lambda _: None,
) -> Engine:
    """Make the engine that a resolved spec names; a variant must give the bundle's golden answers.

    Raises:
        AgentError: what ``engines.make`` raises.
        BundleRefused: the variant answers otherwise.
    """
    engine = engines.make(spec, pause, beat)
    if spec.eased.variant:
        from agent.workers.program.measuring import Tryout  # what proves is seldom needed by what serves
        from agent.workers.program.proving import meets, own_decoder

        with ExitStack() as unless_it_fails:
            unless_it_fails.callback(engine.backend.close)
            model = engines.model_of(spec)
            meets(Tryout(engine, own_decoder(model, engine.backend)), model)
            unless_it_fails.pop_all()
    return engine


def _has(spec: LaneSpec, variant: str) -> bool:
    folder = Path(spec.model)
    if not variant or not (folder / MANIFEST).is_file():
        return False
    return variant in read_manifest(folder, spec.digest).variants
