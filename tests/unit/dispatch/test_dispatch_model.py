"""Whatever is cut off when: a command is done once and answered once, or given up after two crashes."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.simulators.commander import order, signed
from tests.simulators.dispatch_world import CONTROL, World

RECEIVE_MAX = 20


class Commanded(RuleBasedStateMachine):
    """A device that is commanded, crashes, loses its link, and whose disk takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.sent: dict[str, bytes] = {}
        self.crashes = 0

    @precondition(lambda self: len(self.world.unconfirmed) < RECEIVE_MAX)
    @rule(op=st.sampled_from(["quick", "long"]))
    def command(self, op: str) -> None:
        now = self.world.clock.wall // 10**9
        one = order(op, issued=now, expires=now + 600)
        self.sent[one.id] = signed(one, CONTROL)
        self.world.deliver(self.sent[one.id])

    @precondition(lambda self: len(self.world.unconfirmed) < RECEIVE_MAX)
    @rule(data=st.data())
    def play_back(self, data: st.DataObject) -> None:
        if self.sent:
            self.world.deliver(self.sent[data.draw(st.sampled_from(sorted(self.sent)))])

    @rule()
    def connect(self) -> None:
        self.world.connect()

    @rule()
    def disconnect(self) -> None:
        self.world.disconnect()

    @rule(times=st.integers(1, 4))
    def write(self, times: int) -> None:
        for _ in range(times):
            self.world.write()

    @rule()
    def puback(self) -> None:
        self.world.puback()

    @rule()
    def finish(self) -> None:
        self.world.doing.finished = True
        self.world.dispatch.tick(self.world.clock.now)

    @rule()
    def crash(self) -> None:
        self.crashes += 1
        self.world.crash()

    @rule()
    def restart(self) -> None:
        self.world.restart()

    @invariant()
    def each_is_run_once_and_may_then_be_resumed(self) -> None:
        for identity in self.sent:
            done = [how for one, how in self.world.doing.done if one == identity]
            assert done.count("run") <= 1
            assert "run" not in done[1:]

    @invariant()
    def each_has_one_last_word(self) -> None:
        for identity in self.sent:
            words = self.world.last_words(identity)
            assert all(one == words[0] for one in words if one.refusal not in {"replayed", "busy"})

    @invariant()
    def nothing_is_confirmed_before_it_is_durable_or_refused(self) -> None:
        assert not self.world.confirmed_early

    @invariant()
    def what_is_told_as_done_is_durable(self) -> None:
        kept = {row.id: row for row in self.world.disk.kept.commands}
        for one in self.world.outcomes:
            if one.state in {"done", "failed"}:
                assert kept[one.id].outcome

    def teardown(self) -> None:
        try:
            self.world.calm()
            assert not self.world.unconfirmed
            for row in self.world.disk.kept.commands:
                assert row.state == "settled"
                assert row.told
                assert row.attempts <= 2
                words = self.world.last_words(row.id)
                assert words
                gave_up = words[0].refusal == "quarantined"
                assert words[0].state == ("failed" if gave_up else "done")
                assert not gave_up or self.crashes >= 2
        finally:
            self.world.close()


Commanded.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCommanded = Commanded.TestCase
