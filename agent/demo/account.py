"""The demo's final account: what the device's store accepted against what the collector holds."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from agent.ledger import Ledger
from agent.store.folder import DataFolder
from agent.store.inspect import epoch_accounts

if TYPE_CHECKING:
    from pathlib import Path

_NEXT = """\
next:
  {me} doctor                        is this machine fit?
  {me} infer glyphs PICTURE...       a model on your own pictures
  {me} run --config agent.toml       the agent; docs/configuration.md has an example"""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the two databases say when all programs have stopped.

    Attributes:
        accepted: results that the device's store had committed.
        acked: results that the collector has acknowledged to the device.
        stored: results in the collector.
        missing: records that the store accepted and the collector lacks.
        duplicated: frames that the collector has more than one result of.
        ledger: the pipeline's ledger, as the collector has it.
        balanced: whether it balances, nothing is in flight, and it agrees with the results counted.
    """

    accepted: int
    acked: int
    stored: int
    missing: int
    duplicated: int
    ledger: Ledger
    balanced: bool


def count(data: Path, warehouse: Path, device: str) -> Counted:
    """Compare a data folder with a collector's database; no program may have them open."""
    with DataFolder(data):
        epochs = epoch_accounts(data)
    with closing(sqlite3.connect(f"file:{warehouse}?mode=ro", uri=True)) as db:
        missing = acked = 0
        for one in epochs:
            query = "SELECT count(*) FROM results WHERE device = ? AND epoch = ? AND seq BETWEEN 1 AND ?"
            (held,) = db.execute(query, (device, one.epoch, one.last)).fetchone()
            missing += one.last - held
            query = "SELECT count(*) FROM results WHERE device = ? AND epoch = ? AND seq <= ?"
            query += " AND kind != 'ledger'"
            acked += db.execute(query, (device, one.epoch, one.acked)).fetchone()[0]
        stored, notes = db.execute(
            "SELECT count(*) FILTER (WHERE kind != 'ledger'), count(*) FILTER (WHERE kind = 'ledger')"
            " FROM results WHERE device = ?",
            (device,),
        ).fetchone()
        (frames,) = db.execute(
            "SELECT count(*) FROM (SELECT DISTINCT epoch, pipeline, frame FROM results"
            " WHERE device = ? AND kind != 'ledger')",
            (device,),
        ).fetchone()
        ledger = Ledger()
        for (text,) in db.execute("SELECT counts FROM ledgers WHERE device = ?", (device,)):
            ledger += Ledger(**json.loads(text))
    accepted = sum(one.last for one in epochs) - notes
    agrees = ledger.inferred + sum(ledger.failed.values()) >= stored >= ledger.inferred
    return Counted(
        accepted=accepted,
        acked=acked,
        stored=stored,
        missing=missing,
        duplicated=stored - frames,
        ledger=ledger,
        balanced=ledger.balanced and ledger.in_flight == 0 and agrees,
    )


@dataclass(frozen=True, slots=True)
class Account:
    """Every frame and every result of one demo."""

    seconds: float
    broker: str
    frames: int
    inferred: int
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
    broker_cuts: int
    fps: float
    infer_p50_ms: float
    infer_p99_ms: float

    @property
    def good(self) -> bool:
        """Whether everything arrived exactly once and every frame has its place."""
        return self.results > 0 and not self.missing and not self.duplicated and self.ledger_balanced

    def to_json(self) -> dict[str, Any]:
        """All fields, under their names."""
        return asdict(self)

    def for_people(self, me: str) -> str:
        """Some lines to read; ``me`` is how to call the program."""
        verdict = "every result arrived exactly once, and every frame is accounted for"
        frames = f"{self.frames} captured = {self.inferred} inferred + {self.gated} gated"
        frames += f" + {self.dropped} dropped + {self.failed} failed + {self.lost_frames} lost"
        results = f"{self.results} accepted by the store, {self.stored} in the collector"
        results += f", {self.missing} missing, {self.duplicated} twice"
        faults = f"broker cut {self.broker_cuts} times, worker restarted {self.worker_restarts} times"
        speed = f"{self.fps:.1f} frames/s, inference p50 {self.infer_p50_ms:.2f} ms"
        speed += f", p99 {self.infer_p99_ms:.2f} ms"
        rows = {
            "frames": frames,
            "results": results,
            "faults": faults,
            "speed": speed,
            "so": verdict if self.good else "SOMETHING IS WRONG: please report it",
        }
        return "\n".join(["", *(f"{name:<8} {text}" for name, text in rows.items()), "", _NEXT.format(me=me)])
