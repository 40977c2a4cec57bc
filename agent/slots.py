"""What a device keeps, as rows: slots, verdicts, proved documents, the audit log, tunings, commands.

The store writes them (see ``agent.store.state``), and who decides about models reads them at the start.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

Slot = Literal["active", "previous", "candidate"]
MOST_THREADS = 16
"""CPU threads of one inference."""
SLOTS: tuple[Slot, ...] = ("active", "previous", "candidate")


@dataclass(frozen=True, slots=True)
class SlotRow:
    """A bundle in a slot of a pipeline.

    Attributes:
        pipeline: the pipeline's name.
        slot: what it is there.
        bundle: the bundle's digest, 64 hex digits; "" while the candidate's is not known yet.
        name: the model's name.
        version: the model's version.
        state: where it stands in its life: see ``agent.activation.lifecycle``.
        generation: of the desired state that asked for it; 0 for a local command.
        strikes: how often a risky step with it ended in a death or a reboot.
        risky: the kernel's boot id while a step is on from which the device might not come back; else "".
        reason: why it stands there, for people.
    """

    pipeline: str
    slot: Slot
    bundle: str
    name: str
    version: str
    state: str
    generation: int = 0
    strikes: int = 0
    risky: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bundle that a pipeline shall not try again: ``state`` is "rejected" or "rolled_back"."""

    pipeline: str
    bundle: str
    name: str
    version: str
    state: str
    reason: str
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a model runs best on the CPU of one machine, as it was measured there.

    Attributes:
        sha256: of the model file, 64 hex digits.
        runtime: name and version.
        board: the device profile's name.
        machine: see ``agent.boards.machine``.
        model: its name, for people.
        threads: CPU threads for one inference.
        xnnpack: whether the XNNPACK kernels are used.
        wall_ns: the wall clock when it was measured, nanoseconds since 1970.
        figures: what was measured, as JSON.
    """

    sha256: str
    runtime: str
    board: str
    machine: str
    model: str
    threads: int
    xnnpack: bool
    wall_ns: int
    figures: str

    @property
    def sound(self) -> bool:
        """Whether it can be acted on: what another program has written may be sealed, and odd."""
        return 1 <= self.threads <= MOST_THREADS and self.wall_ns >= 0

    @property
    def key(self) -> TuningKey:
        """What there is one choice for: model, runtime, board and machine."""
        return self.sha256, self.runtime, self.board, self.machine


TuningKey = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command that was taken, until it is told and long over.

    Attributes:
        id: the command's own.
        seq: the order in which they were taken, from 1.
        key: the id of the key that has signed it; "" for a local one.
        op: what is to be done.
        body: the command, as JSON.
        state: "waiting", "running" or "settled".
        attempts: how often it was begun.
        boot: the kernel's boot id when it was begun last.
        received_ns: the wall clock when it came, nanoseconds since 1970.
        outcome: what became of it, as JSON; b"" until it is settled.
        told: whether the broker has taken the outcome over.
    """

    id: str
    seq: int
    key: str
    op: str
    body: bytes
    state: str
    attempts: int = 0
    boot: str = ""
    received_ns: int = 0
    outcome: bytes = b""
    told: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the audit log, before it has its number.

    Attributes:
        kind: ``noun.verb``, as events are named: "model.activated".
        subject: what it happened to: a pipeline, a key, a document.
        detail: more, as texts and numbers; never a secret.
    """

    kind: str
    subject: str
    detail: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An entry of the audit log.

    Attributes:
        seq: from 1, without gaps.
        wall_ns: the wall clock then, nanoseconds since 1970; ``synced`` says whether it was to be believed.
        body: the entry as canonical JSON; its hash covers it and the hash of the entry before.
        hash: SHA-256 of the hash before it (32 bytes; zeros before the first) and ``body``; 64 hex digits.
    """

    seq: int
    body: bytes
    hash: str

    def follows(self, before: str) -> bool:
        """Whether its hash is right, if the entry before it has the hash ``before`` ("" for the first)."""
        return self.hash == chained(before, self.body)


def chained(before: str, body: bytes) -> str:
    """Give the hash of an entry that follows one with the hash ``before`` ("" for none)."""
    return hashlib.sha256(bytes.fromhex(before or "00" * 32) + body).hexdigest()


def entry_after(seq: int, before: str, note: Note, wall_ns: int, *, synced: bool | None) -> AuditEntry:
    """Make the entry with the number ``seq``, that follows one with the hash ``before``."""
    body = orjson.dumps(
        {
            "seq": seq,
            "wall_ns": wall_ns,
            "synced": synced,
            "kind": note.kind,
            "subject": note.subject,
            "detail": dict(note.detail),
        },
        option=orjson.OPT_SORT_KEYS,
    )
    return AuditEntry(seq, body, chained(before, body))


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be written in one transaction: all of it is durable, or none.

    Attributes:
        put: rows that replace those of the same pipeline and slot.
        drop: (pipeline, slot) of rows to delete.
        verdicts: to add; one replaces that of the same pipeline and bundle.
        forget: (pipeline, bundle) of verdicts to delete.
        floors: versions to raise, by name; they never fall.
        documents: proved documents by name, to keep.
        notes: for the audit log, in order.
        tuned: choices to keep; one replaces that of the same key.
        untuned: keys of choices to delete.
        commands: rows that replace those of the same id; of settled ones only the newest are kept.
    """

    put: tuple[SlotRow, ...] = ()
    drop: tuple[tuple[str, Slot], ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    forget: tuple[tuple[str, str], ...] = ()
    floors: Mapping[str, int] = field(default_factory=dict)
    documents: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    tuned: tuple[Tuning, ...] = ()
    untuned: tuple[TuningKey, ...] = ()
    commands: tuple[CommandRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is kept, as it was read at the start.

    Attributes:
        audit: number and hash of the audit log's last entry; (0, "") when it is empty.
    """

    slots: tuple[SlotRow, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    floors: Mapping[str, int] = field(default_factory=dict)
    documents: Mapping[str, bytes] = field(default_factory=dict)
    audit: tuple[int, str] = (0, "")
    tuned: tuple[Tuning, ...] = ()
    commands: tuple[CommandRow, ...] = ()
