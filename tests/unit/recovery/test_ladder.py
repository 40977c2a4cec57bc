"""The ladder: what follows an incident, and that nothing ever spins."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.recovery.ladder import (
    CURED_FRAMES,
    CURED_S,
    LONGEST_ABSENCE_S,
    LONGEST_REST_S,
    MOST_STARTS,
    OPEN,
    REST_S,
    Happening,
    Ladder,
    State,
)


def ladder(*, resets: bool = True) -> Ladder:
    return Ladder(resets=resets, jitter=lambda: 0.5)


def state(one: Ladder) -> State:
    return one.state


def opened(one: Ladder, now: float) -> None:
    one.start(now)
    one.opened(now)


def fail(one: Ladder, now: float) -> Happening:
    one.failed(now)
    return one.gone(now)


def test_the_first_incident_reopens_at_once_the_second_resets_and_the_third_rests() -> None:
    one = ladder()
    opened(one, 0)
    assert state(one) is State.SERVING
    assert fail(one, 10) is Happening.OPEN
    opened(one, 10)
    assert state(one) is State.PROBATION
    assert fail(one, 11) is Happening.RESET
    assert one.state is State.RESETTING
    assert one.gone(12) is Happening.OPEN
    opened(one, 12)
    assert fail(one, 13) is Happening.REST
    assert (one.state, one.due) == (State.RESTING, 13 + REST_S)


def test_without_a_reset_hook_the_second_incident_rests() -> None:
    one = ladder(resets=False)
    opened(one, 0)
    assert fail(one, 1) is Happening.OPEN
    opened(one, 1)
    assert fail(one, 2) is Happening.REST


def test_rests_double_up_to_an_hour_and_probation_follows_each() -> None:
    one = ladder(resets=False)
    opened(one, now := 0.0)
    fail(one, now)
    rests = []
    for _ in range(10):
        opened(one, now)
        assert one.state is State.PROBATION
        assert fail(one, now) is Happening.REST
        rests.append(one.due - now)
        assert not one.startable(one.due - 1)
        now = one.due
        assert one.startable(now)
    assert rests == [min(REST_S * 2**n, LONGEST_REST_S) for n in range(10)]


def test_a_cure_takes_frames_and_time_and_has_the_rungs_begin_anew() -> None:
    one = ladder()
    opened(one, 0)
    fail(one, 0)
    opened(one, 0)
    one.saw(CURED_FRAMES)
    assert not one.tick(CURED_S - 1)
    assert one.tick(CURED_S)
    assert (one.state, one.climbed) == (State.SERVING, 0)
    assert fail(one, 100) is Happening.OPEN


def test_time_alone_cures_nothing() -> None:
    one = ladder()
    opened(one, 0)
    fail(one, 0)
    opened(one, 0)
    one.saw(CURED_FRAMES - 1)
    assert not one.tick(3600)
    assert one.state is State.PROBATION


def test_what_is_not_there_rests_at_once_and_for_minutes_at_most() -> None:
    one = ladder()
    now = 0.0
    for _ in range(12):
        one.start(now)
        one.failed(now, absent=True)
        assert one.gone(now) is Happening.REST
        now = one.due
    assert now - one.since == LONGEST_ABSENCE_S


def test_what_cannot_work_as_configured_rests_for_the_longest_time() -> None:
    one = ladder()
    one.start(0)
    one.failed(0, hopeless=True)
    one.gone(0)
    assert one.due == LONGEST_REST_S


def test_a_stuck_process_rests_once_it_is_dead() -> None:
    one = ladder()
    opened(one, 0)
    one.failed(0)
    one.unreaped(5)
    assert one.state is State.STUCK
    assert not one.startable(1e9)
    assert one.gone(6) is Happening.REST


def test_nobody_wants_it_and_nothing_follows() -> None:
    one = ladder()
    opened(one, 0)
    one.leave(1)
    assert state(one) is State.CLOSING
    assert one.gone(2) is Happening.LEFT
    assert state(one) is State.OFF


def test_an_incident_at_the_end_is_followed_by_nothing() -> None:
    one = ladder()
    opened(one, 0)
    one.failed(0)
    one.leave(1)
    assert one.gone(2) is Happening.LEFT


def test_one_that_is_cured_each_time_and_fails_again_is_opened_20_times_an_hour_at_most() -> None:
    one = ladder()
    opened(one, now := 0.0)
    starts = [now]
    while now < 7200:
        happening = fail(one, now)
        assert happening is not Happening.RESET
        now = now if happening is Happening.OPEN else one.due
        opened(one, now)
        starts.append(now)
        one.saw(CURED_FRAMES)
        now += CURED_S
        assert one.tick(now)
    assert len(starts) > MOST_STARTS
    assert all(later - first >= 3600 for first, later in zip(starts, starts[MOST_STARTS:], strict=False))


def test_one_that_is_wanted_now_and_then_is_opened_20_times_an_hour_at_most() -> None:
    one = ladder()
    for now in range(MOST_STARTS):
        assert one.startable(now)
        one.start(now)
        one.leave(now)
        one.gone(now)
    assert not one.startable(3599)
    assert one.startable(3600)


@given(st.floats(0, 1))
def test_jitter_moves_the_end_of_a_rest_by_a_fifth_at_most(chance: float) -> None:
    one = Ladder(resets=False, jitter=lambda: chance)
    one.start(0)
    one.failed(0, absent=True)
    one.gone(0)
    assert 0.8 * REST_S - 1e-9 <= one.due <= 1.2 * REST_S + 1e-9


class Whatever(RuleBasedStateMachine):
    """An accelerator that anything happens to, in any order; the supervisor does what the ladder says."""

    @initialize(resets=st.booleans(), chance=st.floats(0, 1))
    def begin(self, resets: bool, chance: float) -> None:
        self.one = Ladder(resets=resets, jitter=lambda: chance)
        self.now = 0.0
        self.starts: list[float] = []
        self.running = False
        self.resetting = False
        self.look()

    def look(self) -> None:
        """What the supervisor does at each tick."""
        self.one.tick(self.now)
        if self.one.startable(self.now):
            self.start()

    def start(self) -> None:
        assert not self.running
        assert not self.resetting
        self.one.start(self.now)
        self.starts.append(self.now)
        self.running = True

    def gone(self) -> None:
        happening = self.one.gone(self.now)
        if happening is Happening.OPEN:
            self.start()
        self.resetting = happening is Happening.RESET

    @rule(
        seconds=st.sampled_from([0.0, 0.3, 5.0, 61.0, 400.0, 4000.0]), frames=st.sampled_from([0, 10, 1000])
    )
    def time_goes_by(self, seconds: float, frames: int) -> None:
        if self.one.state in OPEN:
            self.one.saw(frames)
        self.now += seconds
        self.look()

    @precondition(lambda self: self.one.state in {State.OPENING, State.REOPENING})
    @rule()
    def it_opens(self) -> None:
        self.one.opened(self.now)

    @precondition(lambda self: self.running and self.one.state not in {State.CLOSING, State.STUCK})
    @rule(absent=st.booleans(), hopeless=st.booleans())
    def it_fails(self, absent: bool, hopeless: bool) -> None:
        self.one.failed(self.now, absent=absent, hopeless=hopeless and not absent)

    @precondition(lambda self: self.running and self.one.state in {State.CLOSING, State.STUCK})
    @rule()
    def its_process_goes(self) -> None:
        self.running = False
        self.gone()

    @precondition(lambda self: self.one.state is State.CLOSING)
    @rule()
    def its_process_does_not_go(self) -> None:
        self.one.unreaped(self.now)

    @precondition(lambda self: self.resetting)
    @rule()
    def the_reset_is_over(self) -> None:
        self.resetting = False
        self.gone()

    @precondition(lambda self: self.resetting and self.one.state is State.RESETTING)
    @rule()
    def the_reset_is_never_over(self) -> None:
        self.one.unreaped(self.now)

    @rule()
    def it_is_not_wanted_for_a_moment(self) -> None:
        self.one.leave(self.now)

    @invariant()
    def it_never_spins(self) -> None:
        if hasattr(self, "starts"):
            assert sum(self.now - at < 3600 for at in self.starts) <= MOST_STARTS

    @invariant()
    def nothing_is_opened_beside_a_process_that_lives(self) -> None:
        if hasattr(self, "one") and self.one.state in {State.RESTING, State.OFF}:
            assert not self.running
            assert not self.resetting

    def teardown(self) -> None:
        """Whatever happened: once everything works again, it serves again."""
        if not hasattr(self, "one"):
            return
        for _ in range(6):
            if self.running and self.one.state in {State.CLOSING, State.STUCK}:
                self.its_process_goes()
            if self.resetting:
                self.the_reset_is_over()
            self.time_goes_by(2 * LONGEST_REST_S, 0)
            if self.one.state in {State.OPENING, State.REOPENING}:
                self.it_opens()
        assert self.one.state in OPEN
        self.time_goes_by(CURED_S, CURED_FRAMES)
        assert self.one.state is State.SERVING


TestWhatever = Whatever.TestCase
TestWhatever.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
