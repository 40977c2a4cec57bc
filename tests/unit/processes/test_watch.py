"""What the loop hears of processes, whatever numbers their descriptors have."""

from __future__ import annotations

import os
import selectors
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.processes.watch import Watch, Watched
from agent.supervision.control import ControlServer
from tests.simulators.clocks import ManualClock
from tests.simulators.puppet_accelerator import PuppetChild

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as found:
        yield found


class Scene:
    """Processes, a selector and what it has said."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self.selector, self.watch = selector, Watch(selector)
        self.heard: list[str] = []

    def watched(self, name: str, process: PuppetChild, *, listens: bool = True) -> Watched:
        return Watched(
            process,
            lambda: self.heard.append(f"{name} ended"),
            (lambda: self.heard.append(f"{name} said")) if listens else None,
        )

    def turn(self) -> list[str]:
        """Let the loop turn once."""
        self.heard.clear()
        for key, _ in self.selector.select(0):
            key.data()
        return sorted(self.heard)


def ended(process: PuppetChild) -> None:
    """Let it say something, and end."""
    process.end.send(b"x")
    os.eventfd_write(process.pidfd, 1)


def descriptors(process: PuppetChild) -> set[int]:
    return {process.pidfd, process.channel.fileno()}


def test_a_process_is_heard_and_its_end_and_only_while_it_is_wanted(selector: selectors.BaseSelector) -> None:
    scene = Scene(selector)
    with closing(PuppetChild(1)) as process:
        ended(process)
        scene.watch.keep([scene.watched("a", process)])
        assert scene.turn() == ["a ended", "a said"]
        scene.watch.keep([scene.watched("a", process, listens=False)])
        assert scene.turn() == ["a ended"]
        scene.watch.keep([scene.watched("a", process)])
        assert scene.turn() == ["a ended", "a said"]
        scene.watch.keep(())
        assert scene.turn() == []


def test_the_next_process_is_heard_though_it_has_the_same_descriptors(
    selector: selectors.BaseSelector,
) -> None:
    scene = Scene(selector)
    first = PuppetChild(1)
    scene.watch.keep([scene.watched("first", first)])
    numbers = descriptors(first)
    first.close()
    with closing(PuppetChild(2)) as second:
        assert descriptors(second) == numbers
        scene.watch.keep([scene.watched("second", second)])
        ended(second)
        assert scene.turn() == ["second ended", "second said"]


def test_what_another_watches_is_heard_though_it_has_the_descriptors_of_a_process_that_ended(
    selector: selectors.BaseSelector,
) -> None:
    scene, other = Scene(selector), Scene(selector)
    first = PuppetChild(1)
    scene.watch.keep([scene.watched("first", first)])
    numbers = descriptors(first)
    first.close()
    with closing(PuppetChild(2)) as second:
        assert descriptors(second) == numbers
        other.watch.keep([other.watched("second", second)])
        scene.watch.keep(())  # the owner of the first one looks only now
        ended(second)
        assert scene.turn() == []
        assert sorted(other.heard) == ["second ended", "second said"]


def test_a_client_of_the_local_socket_is_served_though_it_has_the_descriptor_of_a_process_that_ended(
    selector: selectors.BaseSelector, tmp_path: Path
) -> None:
    scene = Scene(selector)
    server = ControlServer(tmp_path / "sock", selector, lambda _: {"well": 1}, set, ManualClock())
    with closing(server), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "sock"))
        client.sendall(b'{"op": "status"}\n')
        process = PuppetChild(1)
        scene.watch.keep([scene.watched("a", process)])
        numbers = descriptors(process)
        process.close()
        scene.turn()  # takes the client in
        assert numbers & selector.get_map().keys()
        scene.turn()
        assert client.recv(100) == b'{"well":1}\n'


def test_a_process_that_is_closed_twice_or_was_never_watched_is_closed(
    selector: selectors.BaseSelector,
) -> None:
    scene = Scene(selector)
    process = PuppetChild(1)
    scene.watch.keep([scene.watched("a", process)])
    process.close()
    process.close()
    assert not selector.get_map()
    PuppetChild(2).close()
