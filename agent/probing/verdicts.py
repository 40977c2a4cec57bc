"""What a look at an accelerator and a try of it come to, with the reason in one line. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.probing.passport import DelegatePart, Tried

if TYPE_CHECKING:
    from agent.probing.inspection import Inspected
    from agent.probing.passport import Verdict
    from agent.probing.trial import Outcome

_MOST = 1000


def judge(looked: Inspected, outcome: Outcome | None) -> DelegatePart:
    """Give an accelerator's part of the passport; ``outcome`` is None for what was not tried."""
    tried = (outcome.tried if outcome else None) or Tried()
    verdict, reason = _judge(looked, outcome)
    one = looked.accelerator
    return DelegatePart(
        **tried.model_dump(),
        title=one.title,
        kind=one.kind,
        variant=looked.variant,
        named=looked.named,
        verdict=verdict,
        stage=outcome.stage if outcome else None,
        reason=reason[:_MOST],
        library=looked.presence.library,
        devices=looked.presence.devices,
    )


def _judge(looked: Inspected, outcome: Outcome | None) -> tuple[Verdict, str]:
    if looked.wrong:
        return "fails", looked.wrong
    if not looked.presence.there or outcome is None:
        return "missing", looked.presence.why
    tried = outcome.tried
    if tried is None:
        return "fails", outcome.problem
    if not tried.model:
        return "opens", f"no model here is compiled for it: a bundle needs its variant {looked.variant}"
    return _computes(looked, tried)


def _computes(looked: Inspected, tried: Tried) -> tuple[Verdict, str]:
    if tried.goldens and tried.goldens[0] < tried.goldens[1]:
        wrong = tried.goldens[1] - tried.goldens[0]
        return "wrong", f"{wrong} of {tried.goldens[1]} golden answers are wrong: {tried.difference}"
    if looked.accelerator.kind == "xnnpack":
        return _xnnpack(tried)
    if looked.accelerator.native and tried.delegated and not tried.delegated[0]:
        return "idle", f"it takes none of the {tried.delegated[1]} operators of {tried.model}"
    return "works", tried.description or looked.presence.why


def _xnnpack(tried: Tried) -> tuple[Verdict, str]:
    """Tell what switched itself off in silence from what has no kernels for this model."""
    if tried.floats and not tried.floats[0]:
        return "idle", "it has switched itself off, in silence: it does so where /proc/cpuinfo is hidden"
    if tried.delegated and not tried.delegated[0]:
        return "idle", f"{tried.runtime} hands it nothing of a quantized model; one of real numbers it takes"
    return "works", tried.description
