"""A course driven at random through deaths, refusals and rollbacks, against what must always hold."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.activation.course import MOST_STRIKES
from agent.activation.standing import standing
from agent.errors import (
    AgentError,
    BundleRefused,
    FetchFailed,
    LaneCrashed,
    ModelInvalid,
    Rejected,
    StoreBusy,
)
from tests.simulators.kept_world import DIGESTS, KeptWorld, goal, records

names = st.sampled_from(sorted(DIGESTS))
errors = st.sampled_from(
    [
        BundleRefused("prove", "model", "another answer", rule="golden"),
        ModelInvalid("load", "model", "no model"),
        LaneCrashed("prove", "model", "ended by SIGSEGV"),
        StoreBusy("read", "model", "the disk is busy"),
        FetchFailed("fetch", "model", "chunks do not come"),
    ]
)


class CourseMachine(RuleBasedStateMachine):
    """Whatever happens, in whatever order: the old model or the new one, and never what was not proved."""

    @initialize(configured=st.booleans(), active=st.sampled_from(["", "one", "one"]))
    def begin(self, active: str, *, configured: bool) -> None:
        self.world = KeptWorld(configured=configured, active=active)
        self.generation = 1
        self.fetched: set[str] = set()
        self.proved: set[str] = set()
        self.trusted = {DIGESTS[active]} if active else set()
        self.wanted: tuple[str, int] | None = ("two", 1)
        self.world.course.want(goal("two", 1), self.world.now)

    @rule(name=st.sampled_from([*sorted(DIGESTS), "two", ""]), newer=st.booleans())
    def want(self, name: str, *, newer: bool) -> None:
        """The operator's newest word, or the last one again; it may name the pipeline no more."""
        if newer or self.wanted is None:
            self.generation += 1
            self.wanted = (name, self.generation) if name else None
        self.world.course.want(goal(*self.wanted) if self.wanted else None, self.world.now)

    @rule(steps=st.integers(1, 5), written=st.booleans())
    def all_goes_well(self, steps: int, *, written: bool) -> None:
        """So many steps go as they should; what follows from the last may not be durable yet."""
        for step in range(steps):
            self._one_step()
            if written or step < steps - 1:
                self.world.write_all()
                self._look_at_the_disk()

    def _one_step(self) -> None:
        course, world = self.world.course, self.world
        if course.asks:
            self._fetched(course.asks.name)
        elif course.proves:
            self._proved(course.proves)
        elif course._step.trial:
            course.saw(records(20))
            world.wait(6.0)
        elif course.on_trial:
            course.begun(world.now)
            course.running(course.target or "", world.now)
        else:
            world.wait(100.0)

    @precondition(lambda self: self.world.course.proves or self.world.course.on_trial)
    @rule(
        how=st.sampled_from(
            ["frames", "slow", "death", "refusal", "rollback", "lost", "kill", "reboot", "stop"]
        ),
        error=errors,
        written=st.integers(0, 2),
    )
    def it_goes_wrong(self, how: str, error: AgentError, written: int) -> None:
        """While a proof or a trial is on, and at any moment of what follows."""
        course, world = self.world.course, self.world
        match how:
            case "frames" | "slow":
                course.saw(records(0, 20) if how == "frames" else records(60, infer_us=9000))
                world.wait(0.0)
            case "death":
                course.died("ended by SIGKILL", world.now)
                course.unproved(course.proves, LaneCrashed("prove", "model", "ended by SIGKILL"), world.now)
            case "refusal":
                course.unswapped(error, world.now)
                course.unproved(course.proves, error, world.now)
            case "rollback":
                self._rolled_back()
            case "lost":
                course.lost("another hash", world.now)
            case _:
                self._restarted(written, how)

    @rule(
        name=names,
        error=errors,
        what=st.sampled_from(["fetched", "proved", "unfetched", "unproved", "running"]),
    )
    def something_comes_that_nobody_waits_for(self, name: str, error: AgentError, what: str) -> None:
        course, now = self.world.course, self.world.now
        match what:
            case "fetched":
                self._fetched(name)
            case "proved":
                self._proved(DIGESTS[name])
            case "unfetched":
                course.unfetched(name, "1", error)
            case "unproved":
                course.unproved(DIGESTS[name], error, now)
            case _:
                course.running(DIGESTS[name], now)
                course.saw(records(5))

    @rule(seconds=st.sampled_from([0.0, 1.0, 30.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(how_many=st.integers(1, 3))
    def the_disk_writes(self, how_many: int) -> None:
        for _ in range(min(how_many, len(self.world.waiting))):
            self.world.write()
            self._look_at_the_disk()

    @rule(written=st.integers(0, 3), how=st.sampled_from(["kill", "reboot", "stop"]))
    def the_agent_ends(self, written: int, how: str) -> None:
        self._restarted(written, how)

    @rule(what=st.sampled_from(["rollback", "lost", "death"]))
    def the_active_model_has_trouble(self, what: str) -> None:
        match what:
            case "rollback":
                self._rolled_back()
            case "lost":
                self.world.course.lost("another hash", self.world.now)
            case _:
                self.world.course.died("ended by SIGKILL", self.world.now)

    def _fetched(self, name: str) -> None:
        self.fetched.add(DIGESTS[name])
        self.world.course.fetched(name, "1", DIGESTS[name], self.world.now)

    def _proved(self, bundle: str) -> None:
        if self.world.course.proves == bundle:
            self.proved.add(bundle)
        self.world.course.proved(bundle, 2.0)

    def _rolled_back(self) -> None:
        before = self.world.course.target
        try:
            self.world.course.rollback(self.world.now)
        except Rejected:
            return
        assert self.world.course.target != before

    def _restarted(self, written: int, how: str) -> None:
        """Some changes are durable, and nobody hears of it any more."""
        if how == "stop":
            self.world.course.leave()
            self.world.write_all()
        for _ in range(min(written, len(self.world.waiting))):
            self.world.write(told=False)
            self._look_at_the_disk()
        self._look_at_the_disk()
        self.world.restart(reboot=how == "reboot")
        self.world.course.want(goal(*self.wanted) if self.wanted else None, self.world.now)

    def _look_at_the_disk(self) -> None:
        if row := self.world.slot("active"):
            assert row.bundle in self.trusted | (self.fetched & self.proved)
            self.trusted.add(row.bundle)

    @invariant()
    def a_model_serves_unless_there_was_never_one(self) -> None:
        course = self.world.course
        if self.world.configured or course.held.active:
            assert course.target is not None
            assert course.boots is not None

    @invariant()
    def what_is_not_active_never_boots(self) -> None:
        boots = self.world.course.boots
        assert boots in self.trusted or boots == ("" if self.world.configured else None)

    @invariant()
    def only_what_was_fetched_and_proved_serves(self) -> None:
        target = self.world.course.target
        assert not target or target in self.trusted or target in self.fetched & self.proved

    @invariant()
    def a_risky_step_is_on_the_disk_before_it_begins(self) -> None:
        course, row = self.world.course, self.world.slot("candidate")
        if course.proves or course.on_trial:
            assert row
            state = "proving" if course.proves else "probation"
            begun_long_ago = course._step.begun and self.world.now >= course._step.risky_until
            assert row.state == state
            assert row.bundle == (course.proves or course.target)
            assert row.risky == f"boot-{self.world.boots}" or begun_long_ago

    @invariant()
    def strikes_are_bounded(self) -> None:
        row = self.world.slot("candidate")
        assert row is None or row.strikes < MOST_STRIKES

    @invariant()
    def a_verdict_is_final_for_its_generation(self) -> None:
        course = self.world.course
        if self.wanted and course.goal:
            verdict = course.held.verdict(course.goal)
            if verdict and not course.goal.met_by(course.held.active):
                assert course.asks is None
                assert course.proves == ""
                assert not course.on_trial

    @invariant()
    def it_says_where_it_stands(self) -> None:
        told = standing(self.world.course, None)
        assert told.state in {"rejected", "rolled_back"} or not told.reason or told.state != "active"


TestCourse = CourseMachine.TestCase
TestCourse.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
