"""A change of the models' rows that uses every part, and what is kept after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.slots import Change, CommandRow, Kept, Note, SlotRow, Tuning, Verdict, entry_after

if TYPE_CHECKING:
    from agent.store.outbox import Outbox

WALL = 1_700_000_000_000_000_000
ACTIVE = SlotRow("door", "active", "a" * 64, "digits", "1.2.0", "active", 7)
CANDIDATE = SlotRow(
    "door", "candidate", "b" * 64, "digits", "1.3.0", "proving", 8, 1, "boot", "so far so good"
)
REJECTED = Verdict("door", "c" * 64, "digits", "1.1.0", "rejected", "it is too slow", 6)
NOTES = (Note("model.activated", "door", {"version": "1.2.0"}), Note("model.rejected", "door", {"p95": 9.5}))
TUNED = Tuning(
    "d" * 64, "ai-edge-litert 2.3.0", "generic-arm64", "a board, 4 cores", "digits", 2, False, WALL, '{"n":1}'
)
COMMAND = CommandRow(
    "0123456789abcdef", 7, "f" * 16, "restart", b'{"v":1}', "settled", 1, "boot", WALL, b'{"v":1}', told=True
)
CHANGE = Change(
    put=(ACTIVE, CANDIDATE),
    verdicts=(REJECTED,),
    floors={"tuf/root": 3, "clock": 1_790_000_000},
    documents={"desired": b"\x00signed", "keys": b""},
    notes=NOTES,
    tuned=(TUNED,),
    commands=(COMMAND,),
)


def _kept() -> Kept:
    first = entry_after(1, "", NOTES[0], WALL, synced=True)
    second = entry_after(2, first.hash, NOTES[1], WALL, synced=True)
    head = (2, second.hash)
    return Kept(
        CHANGE.put, CHANGE.verdicts, CHANGE.floors, CHANGE.documents, head, CHANGE.tuned, CHANGE.commands
    )


KEPT = _kept()
"""What ``CHANGE`` makes of a new folder."""


def keep(outbox: Outbox) -> None:
    """Write it."""
    assert outbox.change(CHANGE, WALL, synced=True) == KEPT.audit
