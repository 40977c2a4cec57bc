"""One updater for many devices: who asks in time hears all that is its own, over its own link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.fleet.simulating.errands import SharedUpdater
from agent.updater.messages import Ask, Done, Fetched, Refreshed, UpdaterSpec, parse

if TYPE_CHECKING:
    from agent.fleet.simulating.errands import Errand
    from agent.updater.messages import FromUpdater

ONE, TWO = Ask(name="shapes", version="1"), Ask(name="shapes", version="2")


class Puppet:
    """An updater that says what the test tells it to."""

    def __init__(self, spec_json: bytes) -> None:
        self.spec = UpdaterSpec.model_validate_json(spec_json)
        self.packets: list[bytes] = []
        self.code: int | None = None
        self.channel = self

    def receive(self) -> bytes | None:
        return self.packets.pop(0) if self.packets else None

    def exit_code(self) -> int | None:
        return self.code

    def close(self) -> None:
        """Nothing is open."""

    def finish(self) -> None:
        """Say what an updater says that has all."""
        said: list[FromUpdater] = [Refreshed(floors={}, root=1, timestamp=1, expires=1)]
        said += [
            Fetched(name=ask.name, version=ask.version, digest="1" * 64, size=1000, fetched=1000)
            for ask in self.spec.ask
        ]
        self.packets = [one.model_dump_json().encode() for one in (*said, Done())]
        self.code = 0


class World:
    """Devices that ask, and the updaters that were started."""

    def __init__(self) -> None:
        self.started: list[Puppet] = []
        self.shared = SharedUpdater(self._start)  # type: ignore[arg-type]  # it is used as a process is

    def _start(self, spec_json: bytes) -> Puppet:
        self.started.append(Puppet(spec_json))
        return self.started[-1]

    def ask(self, *asks: Ask, rate: int = 0) -> Errand:
        spec = UpdaterSpec(fleet="f", device="d", broker=None, folder="x", root="{}", ask=asks)
        return self.shared.ask(spec.model_dump_json().encode(), rate, lambda: None)


def heard(errand: Errand) -> list[str]:
    """Give what a device hears now: kinds, and versions of bundles."""
    found = []
    while packet := errand.channel.receive():
        message = parse(packet)
        found.append(message.version if isinstance(message, Fetched) else message.type)
    return found


def test_all_that_ask_in_time_are_served_by_one_and_hear_what_is_theirs() -> None:
    world = World()
    first, second = world.ask(ONE), world.ask(ONE, TWO)
    world.shared.tick(0)
    (updater,) = world.started
    assert updater.spec.ask == (ONE, TWO)
    updater.finish()
    world.shared.tick(0.1)
    assert heard(first) == ["refreshed", "1", "done"]
    assert heard(second) == ["refreshed", "1", "2", "done"]
    assert first.exit_code() == second.exit_code() == 0


def test_who_asks_while_one_runs_waits_for_the_next() -> None:
    world = World()
    world.ask(ONE)
    world.shared.tick(0)
    late = world.ask(TWO)
    world.started[0].finish()
    world.shared.tick(0.1)
    assert heard(late) == []
    assert late.exit_code() is None
    world.shared.tick(1)
    assert len(world.started) == 1
    world.shared.tick(2.1)
    world.started[1].finish()
    world.shared.tick(2.2)
    assert heard(late) == ["refreshed", "2", "done"]


def test_a_slow_link_takes_its_time() -> None:
    world = World()
    slow = world.ask(ONE, rate=100)
    world.shared.tick(0)
    world.started[0].finish()
    world.shared.tick(0)
    assert heard(slow) == ["refreshed"]
    world.shared.tick(9.9)
    assert heard(slow) == []
    assert slow.exit_code() is None
    world.shared.tick(10.1)
    assert heard(slow) == ["1", "done"]
    assert slow.exit_code() == 0


def test_an_updater_that_dies_is_everybodys_loss() -> None:
    world = World()
    errand = world.ask(ONE)
    world.shared.tick(0)
    world.started[0].code = -9
    world.shared.tick(0.1)
    assert heard(errand) == []
    assert errand.exit_code() == -9
