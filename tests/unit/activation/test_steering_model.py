"""A lane and its course driven at random: when all is calm again, the lane runs what the course says."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.errors import BundleRefused, Rejected
from agent.workers.policy import State
from tests.simulators.helm import Helm
from tests.simulators.kept_world import DIGESTS, goal, records

names = st.sampled_from(sorted(DIGESTS))


class SteeringMachine(RuleBasedStateMachine):
    """Workers that start, swap, refuse, die and fall silent, while models come and go."""

    @initialize(resident=st.booleans(), configured=st.booleans(), active=st.sampled_from(["", "one"]))
    def begin(self, active: str, *, resident: bool, configured: bool) -> None:
        self.helm = Helm(resident=resident, configured=configured, active=active)
        self.generation = 1
        self.trusted = {DIGESTS[active]} if active else set()
        self.helm.turn()

    def teardown(self) -> None:
        if hasattr(self, "helm"):
            self.helm.spawner.bury()

    @rule(name=names, proved=st.booleans())
    def a_model_comes(self, name: str, *, proved: bool) -> None:
        self.generation += 1
        helm, course = self.helm, self.helm.world.course
        course.want(goal(name, self.generation), helm.world.now)
        course.fetched(name, "1", DIGESTS[name], helm.world.now)
        helm.world.write_all()
        if proved:
            course.proved(course.proves, 2.0)
        elif course.proves:
            course.unproved(course.proves, BundleRefused("p", "m", "no", rule="golden"), helm.world.now)
        self._turn()

    @precondition(lambda self: self.helm.lane.state is State.STARTING)
    @rule()
    def the_worker_is_ready(self) -> None:
        self.helm.ready()
        self._look()

    @precondition(lambda self: self.helm.lane.run)
    @rule(how=st.sampled_from(["swapped", "swapped", "unswapped", "crashed"]))
    def the_worker_answers(self, how: str) -> None:
        if self.helm.worker.exit_code() is None and (asked := self.helm.asked()):
            if how == "swapped":
                self.helm.swapped(asked)
            else:
                error = "ModelInvalid" if how == "unswapped" else "BackendFault"
                self.helm.unswapped(asked, error)
        self._look()

    @precondition(lambda self: self.helm.lane.run and self.helm.worker.exit_code() is None)
    @rule(code=st.sampled_from([-9, -11, 1, 78]), said=st.sampled_from(["", "ModelInvalid", "BackendFault"]))
    def the_worker_dies(self, code: int, said: str) -> None:
        if said:
            self.helm.worker.fault("no", error=said)
        self.helm.died(code)
        self._look()

    @rule(
        good=st.sampled_from([0, 20]),
        failed=st.sampled_from([0, 0, 20]),
        seconds=st.sampled_from([0.0, 1.0, 6.0]),
    )
    def frames_come(self, good: int, failed: int, seconds: float) -> None:
        self.helm.world.course.saw(records(good, failed))
        self._turn(seconds)

    @rule()
    def somebody_rolls_back(self) -> None:
        try:
            self.helm.world.course.rollback(self.helm.world.now)
        except Rejected:
            return
        self._turn()

    @rule()
    def all_is_calm(self) -> None:
        """Workers do what they are asked for: in the end the lane runs what the course says."""
        helm = self.helm
        for _ in range(12):
            if helm.lane.run and helm.worker.exit_code() is None:
                if helm.lane.state is State.STARTING:
                    helm.ready()
                elif helm.lane.state in {State.RENEWING, State.STOPPING, State.KILLING, State.STUCK}:
                    helm.died(0)
                elif asked := helm.asked():
                    helm.swapped(asked)
            self._turn(0.2)
            if helm.lane.state is State.BACKOFF:
                self._turn(31)
        target = helm.world.course.target
        if target is None:
            assert helm.lane.state in {State.STOPPED, State.FATAL}
        elif helm.lane.state is not State.FATAL:
            assert (helm.lane.state, helm.steering.running) == (State.RUNNING, target)
        else:  # what the course wants is what has refused: there is nothing else to run
            assert target == helm.world.course.boots

    def _turn(self, seconds: float = 0.0) -> None:
        self.helm.turn(seconds)
        self._look()

    def _look(self) -> None:
        if row := self.helm.world.slot("active"):
            self.trusted.add(row.bundle)

    @invariant()
    def a_worker_never_starts_with_what_is_neither_trusted_nor_on_trial(self) -> None:
        if not hasattr(self, "helm") or not self.helm.spawner.born:
            return
        serves = self.helm.serves
        if serves not in self.trusted | {"glyphs"}:
            notes = self.helm.world.notes
            assert not self.helm.resident or not self.helm.world.configured or "model.proved" in notes


TestSteering = SteeringMachine.TestCase
TestSteering.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
