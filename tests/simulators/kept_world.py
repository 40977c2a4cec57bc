"""A store's rows of models, and a device that reboots: what a course of activation stands on, in memory."""

from __future__ import annotations

from dataclasses import replace

from agent.activation.course import Course
from agent.activation.goal import Goal, Setting
from agent.activation.standing import standing
from agent.documents.desired import Probation
from agent.errors import BundleRefused
from agent.slots import Change, Kept, SlotRow, Verdict
from agent.workers.record import Record

PIPELINE = "gate"
DIGESTS = {"one": "1" * 64, "two": "2" * 64, "three": "3" * 64}
TERMS = Probation(frames=10, seconds=5.0, failed=0.1, slower=3.0)


def goal(name: str, generation: int, deadline_s: float = 1000.0) -> Goal:
    """A goal whose bundle is ``DIGESTS[name]``."""
    return Goal(name, "1", generation, TERMS, deadline_s)


def records(good: int, failed: int = 0, infer_us: int = 1000) -> list[Record]:
    """Results of so many frames."""
    item = {"label": "gate", "score": 0.5}
    fine = Record(frame=1, captured_ns=1, infer_us=infer_us, kind="classification", items=[item])
    wrong = Record(frame=1, captured_ns=1, kind="failed", items=[{"reason": "decode"}])
    return [fine] * good + [wrong] * failed


class KeptWorld:
    """The disk, the clock and the boot id, with a course that lives until it is killed."""

    def __init__(self, *, configured: bool = True, active: str = "") -> None:
        self.now = 100.0
        self.boots = 1
        self.configured = configured
        self.tokens = 0
        self.waits = ""
        self.waiting: list[tuple[int, Change]] = []
        self.kept = Kept()
        self.notes: list[str] = []
        if active:
            row = SlotRow(PIPELINE, "active", DIGESTS[active], active, "1", "active", 1)
            self.kept = Kept(slots=(row,))
        self.course = self.started()

    def started(self) -> Course:
        """A new process, with what is on the disk."""
        setting = Setting(
            configured=self.configured,
            boot=f"boot-{self.boots}",
            retry_s=20.0,
            waits=lambda: self.waits,
        )
        return Course(PIPELINE, self.kept, self.keep, setting, self.now)

    def keep(self, change: Change) -> int:
        """Queue a change."""
        self.tokens += 1
        self.waiting.append((self.tokens, change))
        return self.tokens

    def write(self, *, told: bool = True) -> None:
        """Make the oldest change durable, and say so unless the process dies in between."""
        token, change = self.waiting.pop(0)
        slots = {(row.pipeline, row.slot): row for row in self.kept.slots}
        for where in change.drop:
            slots.pop(where, None)
        slots |= {(row.pipeline, row.slot): row for row in change.put}
        verdicts = {one.bundle: one for one in self.kept.verdicts}
        verdicts |= {one.bundle: one for one in change.verdicts}
        for _, bundle in change.forget:
            verdicts.pop(bundle, None)
        self.kept = replace(self.kept, slots=tuple(slots.values()), verdicts=tuple(verdicts.values()))
        self.notes += [note.kind for note in change.notes]
        if told:
            self.course.changed(token, self.now)

    def write_all(self) -> None:
        """Make all changes durable, and those that follow from them."""
        while self.waiting:
            self.write()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.course.tick(self.now)

    def restart(self, *, reboot: bool) -> None:
        """The agent dies, with what it had not written yet; the device may boot again, too."""
        self.waiting.clear()
        self.boots += reboot
        self.course = self.started()

    def slot(self, name: str) -> SlotRow | None:
        """What the disk has in this slot."""
        return next((row for row in self.kept.slots if row.slot == name), None)

    def verdict(self, name: str) -> Verdict | None:
        """The verdict on a bundle, as the disk has it."""
        return next((one for one in self.kept.verdicts if one.bundle == DIGESTS[name]), None)

    def to_proof(self, name: str = "two", generation: int = 2) -> None:
        """A model is wanted and fetched, and its proof may begin."""
        self.course.want(goal(name, generation), self.now)
        self.course.fetched(name, "1", DIGESTS[name], self.now)
        self.write_all()

    def to_trial(self, name: str = "two", generation: int = 2, limit_ms: float | None = 2.0) -> None:
        """A model has passed its proof, and serves on trial."""
        self.to_proof(name, generation)
        self.course.proved(DIGESTS[name], limit_ms)
        self.write_all()
        self.course.begun(self.now)
        self.course.running(DIGESTS[name], self.now)

    def to_active(self, name: str = "two", generation: int = 2) -> None:
        """A model has passed its probation."""
        self.to_trial(name, generation)
        self.course.saw(records(20))
        self.wait(6)
        self.write_all()


def said(course: Course) -> tuple[str, str]:
    """Give the state and the reason that are reported."""
    told = standing(course, None)
    return told.state, told.reason


def refused(rule: str) -> BundleRefused:
    """Give what a proof says that refuses ``two@1``."""
    return BundleRefused("prove", "two@1", "no", rule=rule)
