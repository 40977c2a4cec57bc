"""A course of settings driven at random through deaths and refusals, against what must always hold."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.configuring.course import MOST_STRIKES
from tests.simulators.settings_world import SettingsWorld

values = st.dictionaries(st.sampled_from(["log.level", "metrics.vitals_s"]), st.integers(0, 2), max_size=2)


class SettingsMachine(RuleBasedStateMachine):
    """Whatever happens, in whatever order: what has passed boots, and nothing else."""

    @initialize()
    def begin(self) -> None:
        self.world = SettingsWorld()
        self.generation = 0
        self.passed: list[dict[str, int]] = [{}]
        self.orders = 0

    @rule(wanted=values, newer=st.booleans())
    def desire(self, wanted: dict[str, int], *, newer: bool) -> None:
        """The operator's newest word, or the last one again."""
        if newer or self.world.desired is None:
            self.generation += 1
            self.world.desire(self.generation, **wanted)
        else:
            self.world.desire(*self.world.desired[:1], **self.world.desired[1])

    @rule(wanted=values, seconds=st.sampled_from([0.0, 30.0, 1000.0]))
    def order(self, wanted: dict[str, int], seconds: float) -> None:
        """A command comes."""
        self.orders += 1
        self.world.order(f"order-{self.orders}", seconds, **wanted)

    @rule(count=st.integers(1, 5))
    def write(self, count: int) -> None:
        """The disk takes some of what waits."""
        for _ in range(min(count, len(self.world.waiting))):
            self.world.write()

    @rule(seconds=st.sampled_from([1.0, 25.0, 200.0]))
    def wait(self, seconds: float) -> None:
        """Time passes, and what is due begins."""
        self.world.wait(seconds)

    @rule()
    def go(self) -> None:
        """The agent begins anew if that is due."""
        self.world.go()

    @precondition(lambda self: self.world.course.on_trial)
    @rule()
    def passes(self) -> None:
        """All is as it was before."""
        self.world.course.passed(self.world.now)

    @precondition(lambda self: self.world.course.on_trial)
    @rule()
    def fails(self) -> None:
        """It is not."""
        self.world.course.failed("nothing runs", self.world.now)

    @precondition(lambda self: self.world.course.may)
    @rule()
    def refuses(self) -> None:
        """What is wanted does not hold."""
        self.world.course.refused("no", self.world.now)

    @rule(reboot=st.booleans())
    def dies(self, *, reboot: bool) -> None:
        """The agent is killed."""
        self.world.die(reboot=reboot)
        assert self.world.lives[-1] == self.world.active.at(f"boot-{self.world.boots}", self.world.now).values

    @rule()
    def ends(self) -> None:
        """It is stopped in good order, and started."""
        held = self.world.course.held.candidate
        strikes = held.strikes if held else 0
        self.world.end()
        candidate = self.world.course.held.candidate
        assert candidate is None or candidate.strikes <= strikes

    @rule()
    def pardons(self) -> None:
        """The file is another one."""
        self.world.course.pardon(self.world.now)

    @rule(well=st.booleans())
    def settles(self, *, well: bool) -> None:
        """All goes its way: then what runs is what is active, nothing waits, and each is told."""
        self.world.settle(well=well)
        course = self.world.course
        assert course.held.candidate is None
        assert course.target is None
        assert course.running.values == course.held.active.values == self.world.active.values
        generation, wanted = self.world.desired or (0, {})
        if well and not self.orders and not course.held.refuses(generation):
            assert course.running.values == wanted

    @invariant()
    def strikes_are_bounded(self) -> None:
        """No candidate is tried more often than it may."""
        candidate = self.world.course.held.candidate
        assert candidate is None or candidate.strikes < MOST_STRIKES

    @invariant()
    def each_is_told_once(self) -> None:
        """What became of a command is in the audit log once, whenever the agent died."""
        told = [subject for _, subject in self.world.notes if subject.startswith("command")]
        assert len(told) == len(set(told))


SettingsMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestSettings = SettingsMachine.TestCase
