"""How devices do with a rollout's model, against conditions on which it halts.

A device is compared with itself: boards differ. A wave is judged by the median over its devices: what one
device does wrong is for its own probation, and for the share that may fail.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agent.documents.vitals import PipelineVitals, Vitals
    from agent.fleet.rollouts.record import Condition, Member, Plan

_SAMPLES = 5
"""Of a gauge the median of so many counts: one hot second says little."""
_GAUGES = ("p50", "p95", "fps")
_COUNTS = ("inferred", "failed", "dropped", "restarts")
_WHOLE = ("temperature", "backlog", "oldest")


def before(plan: Plan, vitals: Vitals | None) -> dict[str, float]:
    """Give how a device does before its model is replaced, as ``Member.before`` keeps it."""
    found: dict[str, float] = {}
    for pipeline in plan.pipelines:
        one = vitals.pipelines.get(pipeline) if vitals else None
        values = {**_gauges(one), **_counts(one)} if one else {}
        found |= {f"{pipeline}.{metric}": value for metric, value in values.items()}
    return found


class Measures:
    """The last samples of each device.

    Args:
        plan: of the rollout.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._last: dict[str, Vitals] = {}
        self._samples: dict[tuple[str, str], deque[dict[str, float]]] = {}

    def note(self, device: str, vitals: Vitals | None) -> None:
        """Take a sample; one that was taken before counts once."""
        if vitals is None or self._last.get(device) == vitals:
            return
        self._last[device] = vitals
        whole = {"backlog": float(vitals.backlog), "oldest": float(vitals.oldest_s)}
        if vitals.temperature_c is not None:
            whole["temperature"] = vitals.temperature_c
        self._add(device, "", whole)
        for pipeline in self._plan.pipelines:
            one = vitals.pipelines.get(pipeline)
            if one is not None and one.model == str(self._plan.model):
                self._add(device, pipeline, {**_gauges(one), **_counts(one)})

    def value(self, condition: Condition, members: Mapping[str, Member]) -> tuple[float | None, int]:
        """Give the median of what a condition looks at, None where nobody says it; and how many say it.

        Shares and restarts are counted from when the device got its desired state.
        """
        found = {name: list(self._values(condition, name, one)) for name, one in members.items()}
        values = [value for each in found.values() for value in each]
        return (median(values) if values else None), sum(bool(each) for each in found.values())

    def _add(self, device: str, pipeline: str, sample: dict[str, float]) -> None:
        self._samples.setdefault((device, pipeline), deque(maxlen=_SAMPLES)).append(sample)

    def _values(self, condition: Condition, device: str, member: Member) -> Iterator[float]:
        pipelines: Iterable[str] = ("",) if condition.metric in _WHOLE else self._plan.pipelines
        for pipeline in pipelines:
            samples = self._samples.get((device, pipeline), ())
            if samples:
                yield from _value(condition, pipeline, list(samples), member.before)


def said(metric: str, plan: Plan, vitals: Vitals | None) -> bool:
    """Whether a device says a metric now; what has one value for all pipelines is known before, too."""
    if vitals is None:
        return False
    if metric in _WHOLE:
        return metric != "temperature" or vitals.temperature_c is not None
    return any(key.endswith(f".{metric}") and value > 0 for key, value in before(plan, vitals).items())


def needed(condition: Condition) -> bool:
    """Whether what a condition looks at must be known before a rollout begins."""
    return condition.relative or condition.metric in _WHOLE


def broken(condition: Condition, value: float) -> bool:
    """Whether a value is beyond a condition's limit."""
    return value > condition.limit if condition.above else value < condition.limit


def _value(
    condition: Condition, pipeline: str, samples: Sequence[Mapping[str, float]], earlier: Mapping[str, float]
) -> Iterator[float]:
    """Give the one value that a pipeline's samples make, if they do."""
    metric = condition.metric
    if metric in {"failed", "dropped"}:
        bad, good = (_since(one, pipeline, samples[-1], earlier) for one in (metric, "inferred"))
        if bad + good > 0:
            yield bad / (bad + good)
    elif metric == "restarts":
        yield _since(metric, pipeline, samples[-1], earlier)
    elif values := [one[metric] for one in samples if metric in one]:
        now = median(values)
        was = earlier.get(f"{pipeline}.{metric}", 0.0)
        if not condition.relative:
            yield now
        elif was > 0:
            yield now / was


def _since(metric: str, pipeline: str, sample: Mapping[str, float], earlier: Mapping[str, float]) -> float:
    """Give how much a count has grown; an agent that was restarted counts from 0."""
    now, was = sample.get(metric, 0.0), earlier.get(f"{pipeline}.{metric}", 0.0)
    return now - was if now >= was else now


def _gauges(one: PipelineVitals) -> dict[str, float]:
    values = zip(_GAUGES, (one.p50_ms, one.p95_ms, one.fps), strict=True)
    return {metric: value for metric, value in values if value is not None}


def _counts(one: PipelineVitals) -> dict[str, float]:
    counts = (one.inferred, one.failed, one.dropped, one.restarts)
    return dict(zip(_COUNTS, map(float, counts), strict=True))
