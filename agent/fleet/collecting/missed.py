"""Was anything missed? What a device's ledgers and gaps say of a span of time."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from agent.fleet.collecting.ranges import watermark

if TYPE_CHECKING:
    from collections.abc import Collection

    from agent.fleet.collecting.sql import Sql

_ACCOUNTS = ("captured", "inferred", "gated", "lost")
_BY_REASON = ("filtered", "dropped", "failed")
_MISSED = frozenset(("lost", "dropped", "failed"))
"""Accounts of frames that nobody looked at; what a filter held back was inferred."""
_MOST_FRAMES = 1 << 48
"""More than a camera gives in a thousand years; sums of it fit into 64 bits."""
_AHEAD_NS = 300 * 10**9
"""So much a device's clock may go ahead of the collector's; a ledger that is dated later is not believed."""

_HEARD = """
    SELECT max(wall_ns) FROM ledger JOIN devices ON devices.device = ledger.device
    WHERE ledger.device = ? AND wall_ns <= last_seen_ns + ?
"""
_OVER = """
    SELECT DISTINCT epoch FROM epochs one WHERE device = ? AND (live = 0 OR EXISTS (
        SELECT 1 FROM epochs later WHERE later.device = one.device AND later.stream = one.stream
        AND later.live = 1 AND later.touched > one.touched
    ))
"""


@dataclass(slots=True)
class Missing:
    """Records that are not here and will not come; the times may be those of the records around them."""

    stream: str
    epoch: str
    first: int
    last: int
    reason: str
    from_ns: int | None
    to_ns: int | None

    @property
    def count(self) -> int:
        """How many records."""
        return self.last - self.first + 1


@dataclass(slots=True)
class Report:
    """What is known of a device in a span.

    Attributes:
        known: whether the device has ever been heard of.
        heard_ns: the newest ledger that is here was made then; None: there is none that can be believed.
        missing: ranges of records.
        awaited: ranges that are still to come, or to be made rows of.
        pipelines: by name, how many frames each account has grown by: "captured", "dropped overwritten"...
    """

    device: str
    known: bool
    from_ns: int
    to_ns: int
    heard_ns: int | None
    missing: list[Missing] = field(default_factory=list)
    awaited: list[Missing] = field(default_factory=list)
    pipelines: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Say "complete", "incomplete", or "unknown": what was made last has not come yet."""
        if self.missing or any(_not_inferred(counts) for counts in self.pipelines.values()):
            return "incomplete"
        heard = self.heard_ns is not None and self.heard_ns >= self.to_ns
        return "complete" if heard and not self.awaited else "unknown"

    def to_json(self) -> dict[str, Any]:
        """Give all of it."""
        return {
            "device": self.device,
            "from_ns": self.from_ns,
            "to_ns": self.to_ns,
            "heard_ns": self.heard_ns,
            "verdict": self.verdict,
            "missing": [{**asdict(one), "count": one.count} for one in self.missing],
            "awaited": [{**asdict(one), "count": one.count} for one in self.awaited],
            "pipelines": {name: dict(counts) for name, counts in self.pipelines.items()},
        }


def missed(db: Sql, device: str, from_ns: int, to_ns: int) -> Report:
    """Look through the collector's database.

    Args:
        db: open, for reading.
        device: whose.
        from_ns: where the span begins, ns since 1970, by the device's own clock.
        to_ns: where it ends.
    """
    heard_ns = db.execute(_HEARD, (device, _AHEAD_NS)).fetchone()[0]
    known = db.execute("SELECT 1 FROM devices WHERE device = ?", (device,)).fetchone() is not None
    report = Report(device, known, from_ns, to_ns, heard_ns)
    report.missing = [gap for gap in _gaps(db, device) if _overlaps(gap, from_ns, to_ns)]
    report.awaited = [gap for gap in _awaited(db, device) if _overlaps(gap, from_ns, to_ns)]
    # What is awaited may say what became of the frames that were in flight.
    over = set() if report.awaited else {row[0] for row in db.execute(_OVER, (device,))}
    for pipeline, growth in _growth(db, device, from_ns, to_ns, over):
        report.pipelines.setdefault(pipeline, Counter()).update(growth)
    return report


def _not_inferred(counts: Counter[str]) -> int:
    return sum(count for account, count in counts.items() if account.split()[0] in _MISSED)


def _gaps(db: Sql, device: str) -> list[Missing]:
    query = """
        SELECT stream, epoch, first, last, reason, from_ns, to_ns, declared_ns FROM gaps WHERE device = ?
        UNION ALL SELECT stream, epoch, first, first + count - 1, 'damaged', NULL, NULL, found_ns
        FROM bad_blocks WHERE device = ? ORDER BY 2, 1, 3
    """
    rows = db.execute(query, (device, device)).fetchall()
    found = _timed(db, device, [Missing(*row[:-1]) for row in rows])
    for gap, (*_, known_ns) in zip(found, rows, strict=True):
        gap.to_ns = known_ns if gap.to_ns is None else gap.to_ns  # it was made before that
    return found


def _awaited(db: Sql, device: str) -> list[Missing]:
    """What later records say must still come, and the blocks that are not unpacked yet."""
    query = """
        SELECT stream, epoch, first, first + count - 1, 'not unpacked yet', NULL, NULL FROM raw
        WHERE device = ? ORDER BY n
    """
    found = [Missing(*row) for row in db.execute(query, (device,))]
    for stream, epoch in db.execute(
        "SELECT stream, epoch FROM epochs WHERE device = ?", (device,)
    ).fetchall():
        upto, above = watermark(db, (device, stream, epoch))
        if above:
            found.append(Missing(stream, epoch, upto + 1, above[0][0] - 1, "not here yet", None, None))
    return _timed(db, device, found)


def _timed(db: Sql, device: str, found: list[Missing]) -> list[Missing]:
    """Give those without times the times of their neighbours."""
    for gap in found:
        place = (device, gap.stream, gap.epoch)
        gap.from_ns = gap.from_ns if gap.from_ns is not None else _wall(db, place, gap.first - 1)
        gap.to_ns = gap.to_ns if gap.to_ns is not None else _wall(db, place, gap.last + 1)
    return found


def _wall(db: Sql, place: tuple[str, str, str], seq: int) -> int | None:
    query = "SELECT wall_ns FROM records WHERE device = ? AND stream = ? AND epoch = ? AND seq = ?"
    row = db.execute(query, (*place, seq)).fetchone()
    return row[0] if row else None


def _overlaps(gap: Missing, from_ns: int, to_ns: int) -> bool:
    """Whether it may lie in the span: one without times may lie anywhere."""
    after_the_start = gap.to_ns is None or gap.to_ns >= from_ns
    return after_the_start and (gap.from_ns is None or gap.from_ns <= to_ns)


def _growth(
    db: Sql, device: str, from_ns: int, to_ns: int, over: Collection[str]
) -> list[tuple[str, dict[str, int]]]:
    """What the ledgers of each epoch and pipeline have grown by in the span.

    Frames that were in flight in the very last ledger of an epoch that is over are lost.
    """
    newest = """
        FROM ledger b
        WHERE b.device = a.device AND b.stream = a.stream AND b.epoch = a.epoch AND b.pipeline = a.pipeline
    """
    query = f"""
        SELECT epoch, pipeline,
            (SELECT CAST(counts AS TEXT) {newest} AND b.wall_ns < ? ORDER BY as_of_seq DESC LIMIT 1),
            (SELECT CAST(counts AS TEXT) {newest} AND b.wall_ns <= ? ORDER BY as_of_seq DESC LIMIT 1),
            (SELECT wall_ns {newest} ORDER BY as_of_seq DESC LIMIT 1)
        FROM (SELECT DISTINCT device, stream, epoch, pipeline FROM ledger WHERE device = ?) a
    """  # noqa: S608
    grown = []
    for epoch, pipeline, before, after, last_ns in db.execute(query, (from_ns, to_ns, device)):
        if after is not None:
            start = _flat(before) if before is not None else {}
            growth = {name: count - start.get(name, 0) for name, count in _flat(after).items()}
            if epoch in over and from_ns <= last_ns <= to_ns:
                growth["lost in flight"] = _frames(orjson.loads(after).get("in_flight"))
            grown.append((pipeline, {name: count for name, count in growth.items() if count}))
    return grown


def _flat(text: str) -> dict[str, int]:
    counts = orjson.loads(text)
    flat = {name: _frames(counts.get(name)) for name in _ACCOUNTS}
    for account in _BY_REASON:
        reasons = counts.get(account)
        for reason, count in reasons.items() if isinstance(reasons, dict) else ():
            flat[f"{account} {reason}"] = _frames(count)
    return flat


def _frames(value: object) -> int:
    """A count of frames; a ledger comes from a peer, and may hold anything."""
    return value if isinstance(value, int) and 0 <= value < _MOST_FRAMES else 0
