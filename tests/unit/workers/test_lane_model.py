"""A lane against a plain account of what its workers captured, settled and told, whatever happens to them."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.errors import EXIT_CONFIG
from agent.ledger import Ledger
from agent.types import Phase
from agent.workers.policy import State
from tests.simulators.lane_stage import Stage

OVER = {State.STOPPED, State.ENDED, State.FATAL}
GONE = {State.BACKOFF, *OVER}
HOWS = ["inferred", "inferred", "inferred", "failed", "dropped"]


@dataclass
class Life:
    """One run of the worker, as the worker knows it."""

    start: int
    captured: int = 0
    inferred: list[int] = field(default_factory=list)
    failed: int = 0
    dropped: int = 0
    untold: list[int] = field(default_factory=list)
    told: Ledger = field(default_factory=Ledger)
    ready: bool = False
    mute: bool = False
    ended: bool = False

    @property
    def settled(self) -> int:
        return len(self.inferred) + self.failed + self.dropped

    def ledger(self) -> Ledger:
        return Ledger(
            captured=self.captured,
            inferred=len(self.inferred),
            dropped={"overwritten": self.dropped} if self.dropped else {},
            failed={"decode": self.failed} if self.failed else {},
            in_flight=self.captured - self.settled,
        )


class LaneMachine(RuleBasedStateMachine):
    """Each rule is something that the worker, the clock or the supervisor does."""

    @initialize(live=st.booleans())
    def begin(self, live: bool) -> None:
        self.live = live
        self.stage = Stage()
        self.lives: list[Life] = []
        self.received: list[int] = []
        self.idle = 0
        self.expected = Ledger()
        self.asked_to_stop = False
        self.stage.lane.start(self.stage.now)
        self.look()

    @property
    def life(self) -> Life:
        return self.lives[-1]

    def look(self) -> None:
        """Take note of a worker that was born."""
        while len(self.stage.spawner.born) > len(self.lives):
            self.lives.append(Life(self.stage.spawner.born[len(self.lives)].spec.start))

    def alive(self) -> bool:
        return self.stage.lane.run is not None

    def works(self) -> bool:
        return self.alive() and self.life.ready and not self.life.ended

    @precondition(lambda self: self.alive() and not self.life.ready)
    @rule()
    def get_ready(self) -> None:
        self.life.ready = True
        self.stage.worker.ready(live=self.live)
        self.stage.worker.beat(Phase.WAIT, Phase.WAIT, self.stage.now)

    @precondition(lambda self: self.alive() and not self.life.ended)
    @rule(captured=st.integers(0, 4), hows=st.lists(st.sampled_from(HOWS), max_size=5), tells=st.booleans())
    def work(self, captured: int, hows: list[str], tells: bool) -> None:
        if not self.life.ready:
            self.get_ready()
        self.life.captured += captured
        self.stage.worker.page.captured = self.life.captured
        for how in hows[: self.life.captured - self.life.settled]:
            self.settle(how)
        if tells:
            self.stage.worker.results(self.life.untold, self.life.ledger())
            self.read()

    def settle(self, how: str) -> None:
        if how == "inferred" or (how == "dropped" and not self.live):
            frame = self.life.start + self.life.settled
            self.life.inferred.append(frame)
            self.life.untold.append(frame)
        elif how == "failed":
            self.life.failed += 1
        else:
            self.life.dropped += 1

    def read(self) -> None:
        """The lane reads; what a life was not silenced before, counts."""
        records = [record.frame for record in self.stage.lane.receive()]
        if self.life.mute:
            assert records == []
        else:
            assert records == self.life.untold
            self.received += records
            self.life.told = self.life.ledger()
            self.life.untold = []

    @precondition(lambda self: self.works() and not self.life.mute)
    @rule(packet=st.sampled_from([b"garbage", b'{"type":"opened"}', b"x" * 70_000]))
    def babble(self, packet: bytes) -> None:
        self.stage.worker.say(packet)
        assert self.stage.lane.receive() == []
        assert signal.SIGKILL in self.stage.worker.signals
        self.life.mute = True

    @precondition(lambda self: self.works())
    @rule()
    def hang(self) -> None:
        self.stage.worker.beat(Phase.WAIT, Phase.INVOKE, self.stage.now)

    @precondition(lambda self: self.works())
    @rule()
    def finish(self) -> None:
        """The source is over: every frame is settled, and told."""
        while self.life.captured > self.life.settled:
            self.settle("inferred")
        self.stage.worker.results(self.life.untold, self.life.ledger())
        self.stage.worker.ended(self.life.ledger())
        self.life.ended = True
        self.read()

    @precondition(lambda self: self.alive())
    @rule(code=st.sampled_from([-9, -9, -9, -11, -40, 1, 0, EXIT_CONFIG]), chance=st.integers(0, 2))
    def perhaps_die(self, code: int, chance: int) -> None:
        if chance == 2:
            self.die(code)

    def die(self, code: int) -> None:
        ended = self.life.ended and not self.life.mute
        self.stage.worker.die(code)
        assert self.stage.lane.receive() == []
        lost = self.stage.lane.reap(self.stage.now)
        assert lost == self.close(ended=ended)
        if self.asked_to_stop:
            assert self.stage.state() is State.STOPPED
        elif code == EXIT_CONFIG:
            assert self.stage.state() is State.FATAL
        else:
            assert self.stage.state() is (State.ENDED if ended and code == 0 else State.BACKOFF)

    def close(self, *, ended: bool) -> int:
        """Close the books of this life; give what it took."""
        told = self.life.told
        if self.live and self.life.ready:
            lost = self.life.captured - told.settled
        elif told.settled or ended or self.asked_to_stop or not self.life.ready:
            self.idle = self.idle if not self.life.ready else 0
            lost = 0
        else:
            self.idle += 1
            lost = int(self.idle == 2)
            self.idle %= 2
        self.expected += Ledger(
            captured=told.settled + lost,
            inferred=told.inferred,
            dropped=told.dropped,
            failed=told.failed,
            lost=lost,
        )
        return lost

    @precondition(lambda self: self.stage.state() is State.BACKOFF)
    @rule()
    def wait_for_the_next_start(self) -> None:
        due = self.stage.lane.next_tick(self.stage.now)
        assert due is not None
        assert due <= 30
        self.wait(due + 1e-6)
        assert self.alive()

    @precondition(lambda self: self.alive())
    @rule(seconds=st.sampled_from([0.0, 0.3, 0.6, 1.9, 6.0]))
    def wait(self, seconds: float) -> None:
        self.stage.wait(seconds)
        self.look()

    @precondition(lambda self: self.alive() and not self.asked_to_stop)
    @rule(chance=st.integers(0, 4))
    def perhaps_stop(self, chance: int) -> None:
        if chance == 3:
            self.stop()

    @precondition(lambda self: self.stage.state() in OVER)
    @rule(live=st.booleans())
    def begin_again(self, live: bool) -> None:
        """Nothing more comes of this lane: take a new one."""
        born = len(self.stage.spawner.born)
        self.stage.wait(1000)
        assert len(self.stage.spawner.born) == born
        self.teardown()
        self.begin(live)

    def stop(self) -> None:
        self.asked_to_stop = True
        self.stage.lane.stop(self.stage.now)

    @invariant()
    def the_ledger_balances(self) -> None:
        assert self.stage.lane.ledger.balanced

    @invariant()
    def the_ledger_says_what_was_told(self) -> None:
        assert self.stage.lane.ledger.inferred == len(self.received)
        if not self.alive():
            assert self.stage.lane.ledger == self.expected

    @invariant()
    def there_is_at_most_one_worker_and_the_state_knows_it(self) -> None:
        born = self.stage.spawner.born
        assert all(worker.closed for worker in born[:-1])
        assert born[-1].closed != self.alive()
        assert self.alive() == (self.stage.state() not in GONE)

    @invariant()
    def a_recordings_frames_are_received_once_and_in_order(self) -> None:
        if not self.live:
            assert self.received == sorted(set(self.received))

    @invariant()
    def the_clock_is_asked_for_when_it_is_needed(self) -> None:
        due = self.stage.lane.next_tick(self.stage.now)
        assert (due is None) == (not self.alive() and self.stage.state() is not State.BACKOFF)
        assert due is None or due >= 0

    def teardown(self) -> None:
        if not hasattr(self, "stage"):
            return
        self.stop()
        for _ in range(4):
            self.wait(6.0)
        if self.alive():
            assert signal.SIGKILL in self.stage.worker.signals
            assert self.stage.state() is State.STUCK
            self.die(-9)
        assert self.stage.state() is State.STOPPED
        self.the_ledger_says_what_was_told()
        self.stage.spawner.bury()


TestLane = LaneMachine.TestCase
TestLane.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
