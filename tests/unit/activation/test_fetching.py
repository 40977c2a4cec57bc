"""The updater's process: when it is started, how it is ended, and what its failures cost."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from agent.activation.fetching import Fetching
from agent.errors import AgentError, BundleRefused, FetchFailed
from agent.processes.message import flattened
from agent.updater.messages import Ask, Done, Failed, Fetched, Refreshed, UpdaterSpec
from tests.simulators.puppet_updater import PuppetUpdater

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.updater.messages import FromUpdater

DAY = 86400.0
ONE = Ask(name="one", version="1")
FRESH = Refreshed(floors={"tuf/root": 1}, root=1, timestamp=2, expires=3)


def failed(error: AgentError) -> Failed:
    return Failed(**flattened(error), name=ONE.name, version=ONE.version)


class Scene:
    """Fetching with puppets, and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.born: list[PuppetUpdater] = []
        self.heard: list[FromUpdater] = []
        self.asks: tuple[Ask, ...] = ()
        self.broken = False
        self.fetching = Fetching(self._spec, self.heard.append, DAY, self._spawn)

    def _spec(self) -> UpdaterSpec:
        return UpdaterSpec(fleet="f", device="d", broker=None, folder="/m", root="{}", ask=self.asks)

    def _spawn(self, spec: bytes) -> PuppetUpdater:
        if self.broken:
            raise OSError(11, "Resource temporarily unavailable")
        self.born.append(PuppetUpdater(spec))
        return self.born[-1]

    def wait(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.fetching.receive(self.now)
        self.fetching.reap(self.now)
        self.fetching.tick(self.now)

    def says(self, *messages: FromUpdater | bytes, code: int | None = 0) -> None:
        for message in messages:
            self.born[-1].say(message)
        if code is not None:
            self.born[-1].die(code)
        self.wait()


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    made.wait()
    yield made
    for one in made.born:
        if one.exit_code() is None:
            one.die(0)
    made.fetching.abandon()


def test_it_looks_at_the_start_and_then_every_so_often(scene: Scene) -> None:
    scene.says(FRESH, Done())
    assert scene.heard == [FRESH, Done()]
    scene.wait(DAY - 1)
    assert len(scene.born) == 1
    scene.wait(1)
    assert len(scene.born) == 2


def test_what_is_newly_wanted_is_asked_for_at_once_one_process_at_a_time(scene: Scene) -> None:
    scene.asks = (ONE,)
    scene.fetching.urge(scene.now)
    scene.wait(1)
    assert len(scene.born) == 1
    scene.says(FRESH, Done())
    assert scene.born[-1].spec.ask == (ONE,)
    assert len(scene.born) == 2


def test_hints_make_it_look_but_not_too_often(scene: Scene) -> None:
    scene.says(FRESH, Done())
    for _ in range(20):
        scene.fetching.hint(scene.now)
        scene.wait(1)
        if scene.born[-1].exit_code() is None:
            scene.says(Done())
    assert len(scene.born) == 2


def test_hints_that_bring_nothing_are_followed_ever_more_seldom(scene: Scene) -> None:
    scene.says(FRESH, Done())
    for lie in range(3, 3603):
        scene.fetching.hint(scene.now, (1, lie))
        scene.wait(1)
        if scene.born[-1].exit_code() is None:
            scene.says(FRESH, Done())
    assert len(scene.born) < 14
    newer = FRESH.model_copy(update={"timestamp": 3})
    scene.wait(600)
    scene.fetching.hint(scene.now, (1, 3))
    scene.wait()
    scene.says(newer, Done())
    count = len(scene.born)
    scene.wait(600)
    scene.fetching.hint(scene.now, (1, 4))
    scene.wait()
    scene.says(newer, Done())
    scene.wait(30)
    scene.fetching.hint(scene.now, (1, 5))
    scene.wait()
    assert len(scene.born) == count + 2


def test_a_hint_that_comes_too_soon_is_followed_when_the_rest_is_over(scene: Scene) -> None:
    scene.says(FRESH, Done())
    scene.fetching.hint(scene.now, (1, 3))
    scene.wait()
    scene.says(FRESH.model_copy(update={"timestamp": 3}), Done())
    count = len(scene.born)
    scene.fetching.hint(scene.now, (1, 4))
    scene.wait(10)
    assert len(scene.born) == count
    scene.wait(30)
    assert len(scene.born) == count + 1


def test_a_hint_of_what_is_proved_already_starts_nothing(scene: Scene) -> None:
    scene.fetching.hint(scene.now, (1, 2))  # retained, it comes while the first one runs
    scene.says(FRESH, Done())
    scene.wait(60)
    scene.fetching.hint(scene.now, (1, 2))
    scene.wait(1)
    assert len(scene.born) == 1
    scene.fetching.hint(scene.now, (1, 3))
    scene.wait()
    assert len(scene.born) == 2


def test_failures_are_tried_again_after_waits_that_grow_to_ten_minutes(scene: Scene) -> None:
    for count in range(1, 12):
        scene.says(failed(FetchFailed("fetch", "one@1", "chunks do not come")), Done())
        assert "chunks do not come" in scene.fetching.problem
        wait = scene.fetching.next_tick(scene.now)
        assert wait is not None
        assert 1 <= wait <= min(600, 5 * 2 ** (count - 1))
        scene.wait(wait)
        assert len(scene.born) == count + 1


def test_a_bundle_that_is_refused_for_good_is_no_reason_to_hurry(scene: Scene) -> None:
    error = BundleRefused("take", "one@1", "no", rule="policy.names")
    scene.says(FRESH, failed(error), Done())
    assert scene.fetching.next_tick(scene.now) == DAY


@pytest.mark.parametrize("code", [-9, 1, 0])
def test_a_process_that_dies_before_it_is_done_is_a_failure(scene: Scene, code: int) -> None:
    scene.says(FRESH, code=code)
    assert "its process has died" in scene.fetching.problem
    assert (scene.fetching.next_tick(scene.now) or 0) <= 5


def test_a_machine_that_cannot_start_one_is_tried_again(scene: Scene) -> None:
    scene.says(Done())
    scene.broken = True
    scene.wait(DAY)
    assert "Resource temporarily unavailable" in scene.fetching.problem
    assert (scene.fetching.next_tick(scene.now) or 99) <= 5


def test_one_that_falls_silent_is_terminated_killed_and_never_doubled(scene: Scene) -> None:
    child = scene.born[-1]
    scene.wait(601)
    scene.wait(0)
    assert child.signals == [signal.SIGTERM]
    scene.wait(2)
    assert child.signals == [signal.SIGTERM, signal.SIGKILL]
    scene.wait(5)
    scene.wait(1000)
    assert len(scene.born) == 1
    child.die(-9)
    scene.wait(0)
    scene.wait(10)
    assert len(scene.born) == 2


def test_one_that_breaks_the_protocol_is_killed_and_heard_no_more(scene: Scene) -> None:
    scene.says(b"{}", FRESH, code=None)
    assert scene.born[-1].signals == [signal.SIGKILL]
    scene.wait(1)
    assert scene.heard == []


def test_a_stop_ends_it_and_starts_no_other(scene: Scene) -> None:
    scene.fetching.stop()
    assert scene.born[-1].signals == [signal.SIGKILL]
    scene.born[-1].die(-9)
    scene.wait(0)
    scene.wait(DAY)
    assert len(scene.born) == 1
    assert scene.fetching.child is None


def test_the_last_words_of_a_dead_one_are_heard(scene: Scene) -> None:
    fetched = Fetched(name="one", version="1", digest="a" * 64, size=1, fetched=1)
    for _ in range(100):
        scene.born[-1].say(FRESH)
    scene.says(fetched, Done())
    assert scene.heard[-2:] == [fetched, Done()]
