"""The operator's mail: read in peace, whatever comes; refusals are in the audit log and never flush it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.activation.mail import Mail
from agent.allowance import Allowance
from agent.clerk import Clerk
from agent.clock import SystemClock
from agent.documents.keys import TARGET as KEYS
from agent.errors import MetadataRefused
from agent.refusals import Refusals
from agent.slots import Kept
from tests.unit.activation.test_desk import STRANGER, keys, message

if TYPE_CHECKING:
    from agent.slots import Change


@dataclass
class Now(SystemClock):
    """A clock that the test moves."""

    at: float = 1000.0

    def monotonic(self) -> float:
        return self.at


@dataclass
class Scene:
    """The mail of one device, and what the store was given."""

    clock: Now = field(default_factory=Now)
    changes: list[Change] = field(default_factory=list)
    heard: int = 0

    def __post_init__(self) -> None:
        self.clerk = Clerk(self, (0, ""))
        kept = Kept(documents={KEYS: keys()})
        self.mail = Mail("fleet", "device", kept, self.clerk, self.clock, news=self.news, lacks=lambda: None)

    def change(self, change: Change, token: int) -> None:
        self.changes.append(change)
        self.clerk.durable(token, (token, "ab"))

    def news(self) -> None:
        self.heard += 1

    def noted(self, kind: str) -> list[Change]:
        return [one for one in self.changes if one.notes and one.notes[0].kind == kind]


def test_a_refused_desired_state_is_in_the_audit_log_with_its_reason() -> None:
    scene = Scene()
    scene.mail.offer(message(2))
    scene.mail.offer(message(1))
    [refused] = scene.noted("desired.refused")
    assert refused.notes[0].subject == "device"
    assert "generation 1 is older than 2" in str(refused.notes[0].detail["reason"])


def test_whoever_forges_by_the_thousand_gets_few_entries_and_little_of_our_time() -> None:
    scene = Scene()
    for n in range(2000):
        scene.mail.offer(b'{"payload": "%d"}' % n)
        scene.mail.offer(message(2 + n % 5, "forged", "device", STRANGER))
        scene.clock.at += 0.01
    assert len(scene.noted("desired.refused")) <= 9
    scene.clock.at += 2
    scene.mail.offer(message(1))
    assert scene.heard == 1
    assert scene.mail.desk.desired


def test_a_stolen_key_cannot_flush_the_audit_log_and_the_newest_word_counts() -> None:
    scene = Scene()
    for generation in range(1, 500):
        scene.mail.offer(message(generation))
    assert len(scene.noted("desired.taken")) <= 9
    scene.clock.at += 31
    scene.mail.tick()
    assert scene.mail.desk.generation == 499


def test_refusals_that_repeat_are_told_once_a_day_and_others_are_counted() -> None:
    refusals = Refusals()
    told = [refusals.note("metadata.refused", "root", "expired", float(n * 600)) for n in range(200)]
    assert [n for n, one in enumerate(told) if one] == [0, 144]
    assert told[144]
    assert told[144].detail == {"reason": "expired", "more": 143}


def test_refusals_of_one_kind_do_not_hide_those_of_another() -> None:
    scene = Scene()
    for n in range(100):
        scene.mail.offer(b"%d" % n)
    scene.mail.refused("metadata.refused", "root", MetadataRefused("prove metadata", "root", "forged"))
    assert scene.noted("metadata.refused")


def test_an_allowance_fills_again_with_time_and_never_above_its_most() -> None:
    allowance = Allowance(2, 10.0)
    for _ in range(2):
        assert allowance.open(0.0)
        allowance.spend()
    assert not allowance.open(9.0)
    assert allowance.open(20.0)
    allowance.spend(3)
    assert not allowance.open(29.0)
    assert allowance.open(1000.0)
    allowance.spend(2)
    assert not allowance.open(1000.0)
