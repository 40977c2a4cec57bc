"""The demo's count: what the device's store accepted against what the collector holds."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.demo.served import Answer, Served, served
from agent.ledger import Ledger
from agent.store.accounts import epoch_accounts
from agent.store.folder import DataFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from agent.store.accounts import EpochAccount

_UNNAMED = "(no name)"
_FRAMES = """
    SELECT count(*) FROM (
        SELECT DISTINCT epoch, frame FROM results
        WHERE device = ? AND stream = 'result' AND pipeline IS ?
        AND (kind = 'failed') = ?
    )
"""
_BODIES = """
    SELECT kind, body FROM results
    WHERE device = ? AND stream = 'result' AND pipeline IS ?
"""
_NAMES = """
    SELECT DISTINCT pipeline FROM results WHERE device = ? AND stream = 'result'
"""
_ANSWERS = """
    SELECT frame, body FROM results
    WHERE device = ? AND stream = 'result' AND pipeline IS ? ORDER BY epoch, seq
"""
_HELD = """
    SELECT count(*) FROM records
    WHERE device = ? AND stream = 'result' AND epoch = ? AND seq BETWEEN 1 AND ?
"""
_ACKED = """
    SELECT count(*) FROM results
    WHERE device = ? AND stream = 'result' AND epoch = ? AND seq <= ?
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """One pipeline, as the collector has it.

    Attributes:
        ledger: its last ledger.
        stored: its results.
        frames: frames that they are of, failed ones left out.
        failures: frames whose result says why they failed.
        infer_us: how many inferences took so many microseconds.
    """

    ledger: Ledger
    stored: int
    frames: int
    failures: int
    infer_us: Counter[int]

    @property
    def results(self) -> int:
        """Results that there must be: one for each frame that the ledger calls inferred, and the failures."""
        return self.ledger.inferred + self.failures

    @property
    def missing(self) -> int:
        """Frames that the ledger calls inferred, and that have no result."""
        return max(0, self.ledger.inferred - self.frames)

    @property
    def duplicated(self) -> int:
        """Results beyond the first of a frame."""
        return self.stored - self.frames - self.failures

    @property
    def balanced(self) -> bool:
        """Whether the ledger balances, nothing is in flight, and it agrees with the results counted."""
        agrees = self.frames == self.ledger.inferred and self.failures <= sum(self.ledger.failed.values())
        return self.ledger.balanced and self.ledger.in_flight == 0 and agrees


@dataclass(frozen=True, slots=True)
class Counted:
    """What the two databases say when all programs have stopped.

    Attributes:
        accepted: results that the device's store had committed, of all pipelines.
        acked: results that the collector has acknowledged to the device.
        missing: records that the store accepted and the collector lacks, by sequence number. These run
            over all pipelines: which one a missing record was of cannot be told. ``Tally.missing`` compares
            with the ledgers instead.
        pipelines: the pipelines by name.
        served: which models of the first pipeline have answered.
    """

    accepted: int
    acked: int
    missing: int
    pipelines: dict[str, Tally]
    served: Served = field(default_factory=Served)

    @property
    def stored(self) -> int:
        """Results in the collector."""
        return sum(one.stored for one in self.pipelines.values())


def count(data: Path, warehouse: Path, device: str, pipelines: Sequence[str]) -> Counted:
    """Compare a data folder with a collector's database; no program may have them open.

    A pipeline of which nothing came is counted, too, as is one that was not expected.
    """
    with DataFolder(data):
        epochs = [one for one in epoch_accounts(data) if one.stream == "result"]
    with closing(sqlite3.connect(f"file:{warehouse}?mode=ro", uri=True)) as db:
        missing = sum(one.last - _held(db, device, one) for one in epochs)
        acked = sum(_acked(db, device, one) for one in epochs)
        (notes,) = db.execute(
            "SELECT count(*) FROM records WHERE device = ? AND stream = 'result' AND kind = 'ledger'",
            (device,),
        ).fetchone()
        ledgers = _ledgers(db, device)
        found = {name for (name,) in db.execute(_NAMES, (device,))}
        tallies = {
            name or _UNNAMED: _tally(db, device, name, ledgers.get(name, Ledger()))
            for name in dict.fromkeys([*pipelines, *sorted({*found, *ledgers}, key=str)])
        }
        models = served(_answers(db, device, pipelines[0]))
    return Counted(sum(one.last for one in epochs) - notes, acked, missing, tallies, models)


def _answers(db: sqlite3.Connection, device: str, pipeline: str) -> Iterator[Answer]:
    for frame, text in db.execute(_ANSWERS, (device, pipeline)):
        body = json.loads(text)
        if "model" in body:
            yield Answer(frame, body["model"], body.get("bundle", ""))


def _held(db: sqlite3.Connection, device: str, one: EpochAccount) -> int:
    (held,) = db.execute(_HELD, (device, one.epoch, one.last)).fetchone()
    return int(held)


def _acked(db: sqlite3.Connection, device: str, one: EpochAccount) -> int:
    (acked,) = db.execute(_ACKED, (device, one.epoch, one.acked)).fetchone()
    return int(acked)


def _ledgers(db: sqlite3.Connection, device: str) -> dict[str | None, Ledger]:
    """Each pipeline's ledger, over all epochs."""
    found: dict[str | None, Ledger] = {}
    for name, text in db.execute(
        "SELECT pipeline, counts FROM ledgers WHERE device = ? AND stream = 'result'", (device,)
    ):
        found[name] = found.get(name, Ledger()) + Ledger(**json.loads(text))
    return found


def _tally(db: sqlite3.Connection, device: str, pipeline: str | None, ledger: Ledger) -> Tally:
    frames, failures = (db.execute(_FRAMES, (device, pipeline, failed)).fetchone()[0] for failed in (0, 1))
    stored = 0
    infer_us: Counter[int] = Counter()
    for kind, body in db.execute(_BODIES, (device, pipeline)):
        stored += 1
        if kind != "failed":
            infer_us[json.loads(body)["infer_us"]] += 1
    return Tally(ledger, stored, frames, failures, infer_us)


def percentile_ms(infer_us: Mapping[int, int], share: float) -> float:
    """Give the duration in ms that ``share`` (0 to 1) of all stayed under; 0 when there is none.

    Args:
        infer_us: how often each duration, microseconds, was seen.
        share: 0.5 for the median.
    """
    left = share * sum(infer_us.values())
    for duration in sorted(infer_us):
        left -= infer_us[duration]
        if left < 0:
            return duration / 1000
    return max(infer_us, default=0) / 1000
