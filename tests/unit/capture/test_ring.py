"""The ring never gives a slot away that somebody reads; a recording's readers get every frame."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent.capture.ring import SPARE, Entry, Ring

READERS = ("a", "b", "c")


def ring(*readers: str, live: bool, slots: int = 0) -> Ring:
    made = Ring(slots or len(readers) + SPARE)
    made.wanted = frozenset(readers)
    made.open(0, live=live)
    for reader in readers:
        made.join(reader, 0)
    return made


def put(made: Ring) -> int | None:
    """Put the next frame where there is room; give its slot."""
    slot = made.claim()
    if slot is not None:
        made.put(Entry(made.next, slot, b""))
    return slot


def test_a_live_sources_reader_gets_the_newest_frame_and_is_told_what_it_missed() -> None:
    made = ring("a", "b", live=True)
    for _ in range(5):
        assert put(made) is not None
    taken = made.take("a")
    assert taken is not None
    assert (taken.entry.no, taken.missed) == (4, 4)
    assert made.take("a") is None
    put(made)
    taken, other = made.take("a"), made.take("b")
    assert taken is not None
    assert other is not None
    assert (taken.entry.no, taken.missed, other.entry.no, other.missed) == (5, 0, 5, 5)


def test_a_live_source_never_waits_and_what_no_slot_was_free_for_was_missed() -> None:
    made = ring("a", live=True, slots=2)
    put(made)
    made.take("a")
    put(made)
    assert made.claim() is None
    made.skip()
    made.release("a")
    put(made)
    taken = made.take("a")
    assert taken is not None
    assert (taken.entry.no, taken.missed) == (3, 2)


def test_a_new_reader_of_a_live_source_begins_with_its_next_frame_and_one_that_stays_goes_on() -> None:
    made = ring("a", live=True)
    put(made)
    made.join("b", 0)
    assert made.take("b") is None
    put(made)
    made.join("a", 0)  # again, after the source was lost
    taken, other = made.take("a"), made.take("b")
    assert taken is not None
    assert other is not None
    assert (taken.missed, other.missed) == (1, 0)


def test_a_recording_waits_for_each_reader_that_is_wanted_there_or_not() -> None:
    made = ring("a", "b", live=False)
    while put(made) is not None:
        made.take("a")
    before = made.next
    made.release("a")
    assert put(made) is None
    made.leave("b")
    assert put(made) is None
    made.wanted = frozenset("a")
    assert put(made) is not None
    assert made.next == before + 1
    made.wanted = frozenset()
    while put(made) is not None:
        made.take("a")
    made.release("a")
    assert put(made) is None, "nobody would get it"


def test_a_recordings_reader_that_is_started_again_is_told_what_it_cannot_have_any_more() -> None:
    made = ring("a", live=False)
    for _ in range(40):
        assert put(made) is not None
        assert made.take("a") is not None
    made.leave("a")
    put(made)
    made.join("a", 35)
    taken = made.take("a")
    assert taken is not None
    assert (taken.entry.no, taken.missed) == (39, 4)


def test_what_is_read_again_from_the_start_reaches_those_that_want_it_only() -> None:
    made = ring("a", "b", live=False)
    for _ in range(2):
        put(made)
        assert made.take("b") is not None
    made.open(0, live=False)
    put(made)
    taken = made.take("a")
    assert taken is not None
    assert taken.entry.no == 0
    assert made.take("b") is None


class Rings(RuleBasedStateMachine):
    """A ring against a plain model of it: what each reader holds, and what it has had."""

    live = True

    def __init__(self) -> None:
        super().__init__()
        self.ring = Ring(len(READERS) + SPARE)
        self.ring.wanted = frozenset(READERS)
        self.ring.open(0, live=self.live)
        self.held: dict[str, int] = {}
        self.next: dict[str, int] = {}
        self.content: dict[int, int] = {}

    @rule(name=st.sampled_from(READERS))
    def join(self, name: str) -> None:
        known = name in self.next
        start = self.next.get(name, 0)
        self.ring.join(name, start)
        self.held.pop(name, None)
        if not known:
            self.next[name] = self.ring.next if self.live else 0

    @rule(name=st.sampled_from(READERS))
    def leave(self, name: str) -> None:
        self.ring.leave(name)
        self.held.pop(name, None)
        if self.live:
            self.next.pop(name, None)

    @rule()
    def put(self) -> None:
        slot = self.ring.claim()
        if slot is None:
            if self.live:
                self.ring.skip()
            return
        assert slot not in self.held.values(), "somebody reads it"
        self.content[slot] = self.ring.next
        self.ring.put(Entry(self.ring.next, slot, b""))

    @precondition(lambda self: not self.live or self.next)
    @rule()
    def reject(self) -> None:
        if self.ring.claim() is not None:
            self.ring.put(Entry(self.ring.next, None, b""))

    @rule(name=st.sampled_from(READERS))
    def ask(self, name: str) -> None:
        if name not in self.ring._readers:
            return
        self.ring.release(name)
        self.held.pop(name, None)
        taken = self.ring.take(name)
        if taken is None:
            return
        assert taken.entry.no == self.next[name] + taken.missed, "positions rise by one, the missed included"
        assert self.live or not taken.missed, "a recording loses nothing"
        self.next[name] = taken.entry.no + 1
        if taken.entry.slot is not None:
            self.held[name] = taken.entry.slot

    @invariant()
    def what_is_held_is_what_was_given(self) -> None:
        for name, slot in self.held.items():
            assert self.content[slot] == self.next[name] - 1

    @invariant()
    def there_is_an_end_to_it(self) -> None:
        assert len(self.ring._entries) <= len(READERS) + SPARE


class Recordings(Rings):
    live = False


TestLive = Rings.TestCase
TestLive.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestRecording = Recordings.TestCase
TestRecording.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


@given(st.lists(st.sampled_from(READERS), max_size=80), st.integers(1, 60))
def test_in_whatever_order_they_ask_all_readers_of_a_recording_get_all_of_it(
    asking: list[str], count: int
) -> None:
    made = ring(*READERS, live=False)
    got: dict[str, list[int]] = {name: [] for name in READERS}
    for name in [*asking, *READERS * (count + 1)]:
        while made.next < count and put(made) is not None:
            pass
        made.release(name)
        if taken := made.take(name):
            got[name].append(taken.entry.no)
    assert got == {name: list(range(count)) for name in READERS}
