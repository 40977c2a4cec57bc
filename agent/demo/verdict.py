"""The demo's final account: every frame and result, of each pipeline and in all, and what to do next."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from agent.demo.account import percentile_ms
from agent.demo.deeds import ModelAccount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.demo.account import Counted, Tally
    from agent.demo.deeds import Deeds

_NEXT = """\
next, with a camera of your own:
  write a configuration   {me} init
  try it for one frame    {me} check --config agent.toml
  run it                  {me} run --config agent.toml
and without one:
  boxes on your pictures  {me} infer shapes PICTURE --draw out/
  is this machine fit?    {me} doctor"""


@dataclass(frozen=True, slots=True)
class PipelineAccount:
    """One pipeline. ``missing`` is by its ledger: frames called inferred that have no result."""

    frames: int
    inferred: int
    filtered: int
    gated: int
    dropped: int
    failed: int
    lost_frames: int
    in_flight: int
    results: int
    stored: int
    missing: int
    duplicated: int
    ledger_balanced: bool
    worker_restarts: int
    fps: float
    infer_p50_ms: float
    infer_p99_ms: float

    @classmethod
    def of(cls, tally: Tally, *, seconds: float, restarts: int) -> Self:
        """Make it of what was counted in ``seconds``."""
        ledger = tally.ledger
        return cls(
            frames=ledger.captured,
            inferred=ledger.inferred,
            filtered=sum(ledger.filtered.values()),
            gated=ledger.gated,
            dropped=sum(ledger.dropped.values()),
            failed=sum(ledger.failed.values()),
            lost_frames=ledger.lost,
            in_flight=ledger.in_flight,
            results=tally.results,
            stored=tally.stored,
            missing=tally.missing,
            duplicated=tally.duplicated,
            ledger_balanced=tally.balanced,
            worker_restarts=restarts,
            fps=round(ledger.inferred / seconds, 1),
            infer_p50_ms=percentile_ms(tally.infer_us, 0.50),
            infer_p99_ms=percentile_ms(tally.infer_us, 0.99),
        )

    @property
    def good(self) -> bool:
        """Whether there are results, all of them once, and every frame has its place."""
        return self.results > 0 and not self.missing and not self.duplicated and self.ledger_balanced

    def lines(self) -> list[str]:
        """What a person reads of it."""
        filtered = f" + {self.filtered} filtered" if self.filtered else ""
        return [
            (
                f"{self.frames} captured = {self.inferred} inferred{filtered} + {self.gated} gated"
                f" + {self.dropped} dropped + {self.failed} failed + {self.lost_frames} lost"
            ),
            (
                f"{self.results} results, {self.stored} in the collector,"
                f" {self.missing} missing, {self.duplicated} twice"
            ),
            (
                f"{self.fps:.1f} a second, p50 {self.infer_p50_ms:.2f} ms, p99 {self.infer_p99_ms:.2f} ms;"
                f" worker {_often('restarted', self.worker_restarts)}"
            ),
        ]


@dataclass(frozen=True, slots=True)
class Account:
    """All pipelines of one demo together. ``missing`` is by sequence number, the harder count."""

    seconds: float
    first_detection_s: float | None
    broker: str
    broker_cuts: int
    frames: int
    inferred: int
    filtered: int
    gated: int
    dropped: int
    failed: int
    lost_frames: int
    in_flight: int
    results: int
    acked: int
    stored: int
    missing: int
    duplicated: int
    ledger_balanced: bool
    worker_restarts: int
    fps: float
    infer_p50_ms: float
    infer_p99_ms: float
    pipelines: dict[str, PipelineAccount]
    models: ModelAccount

    @classmethod
    def of(
        cls,
        counted: Counted,
        *,
        seconds: float,
        restarts: Mapping[str, int],
        first_detection_s: float | None,
        broker: str,
        deeds: Deeds,
    ) -> Self:
        """Make it of what was counted and done; ``restarts`` is by pipeline."""
        pipelines = {
            name: PipelineAccount.of(tally, seconds=seconds, restarts=restarts.get(name, 0))
            for name, tally in counted.pipelines.items()
        }
        # Counts add up; what is no count, or what the store counts better, goes over these.
        sums = {
            field.name: sum(getattr(one, field.name) for one in pipelines.values())
            for field in fields(PipelineAccount)
        }
        durations = sum((tally.infer_us for tally in counted.pipelines.values()), Counter[int]())
        whole: dict[str, Any] = {
            **sums,
            "results": counted.accepted,
            "missing": counted.missing,
            "ledger_balanced": all(one.ledger_balanced for one in pipelines.values()),
            "fps": round(sums["fps"], 1),
            "infer_p50_ms": percentile_ms(durations, 0.50),
            "infer_p99_ms": percentile_ms(durations, 0.99),
        }
        return cls(
            seconds=round(seconds, 1),
            first_detection_s=first_detection_s,
            broker=broker,
            broker_cuts=deeds.broker_cuts,
            acked=counted.acked,
            pipelines=pipelines,
            models=ModelAccount.of(counted.served, deeds),
            **whole,
        )

    @property
    def good(self) -> bool:
        """Whether every pipeline is, no sequence number is missing, and the models went as they should."""
        pipelines = all(one.good for one in self.pipelines.values())
        return self.results > 0 and not self.missing and pipelines and self.models.good

    def to_json(self) -> dict[str, Any]:
        """All fields, under their names; those of the models beside the others."""
        told = asdict(self)
        models: dict[str, Any] = told.pop("models")
        return {**told, **models}

    def for_people(self, me: str) -> str:
        """Some lines to read; ``me`` is how to call the program."""
        verdict = "every result arrived exactly once, and every frame is accounted for"
        rows = [
            (name if not at else "", line)
            for name, one in self.pipelines.items()
            for at, line in enumerate(one.lines())
        ]
        results = f"{self.results} results accepted, {self.stored} in the collector"
        rows += [
            ("in all", f"{results}, {self.missing} missing, {self.duplicated} twice"),
            (
                "faults",
                (
                    f"broker {_often('cut', self.broker_cuts)},"
                    f" workers {_often('restarted', self.worker_restarts)}"
                ),
            ),
        ]
        rows += self.models.lines()
        if self.first_detection_s is not None:
            rows.append(("started", f"first detection after {self.first_detection_s:.1f} s"))
        rows.append(("so", verdict if self.good else "SOMETHING IS WRONG: please report it"))
        width = max(len(name) for name, _ in rows)
        return "\n".join(["", *(f"{name:<{width}}  {text}" for name, text in rows), "", _NEXT.format(me=me)])


def _often(what: str, count: int) -> str:
    """Say how often: "never cut", "cut once", "cut 3 times"."""
    if count == 0:
        return f"never {what}"
    return f"{what} once" if count == 1 else f"{what} {count} times"
