"""What a worker may send of events, and what ends it."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from agent.config.media import Media
from agent.media import MAX_MEDIUM
from agent.processes import memfd
from agent.workers.lane import Lane
from agent.workers.spec import LaneSpec
from tests.simulators.lane_stage import DEADLINES, Stage
from tests.simulators.media_made import jpeg, memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOOD: dict[str, Any] = {
    "type": "medium",
    "kind": "snapshot",
    "events": ["glyph.seen"],
    "frame": 3,
    "captured_ns": 5,
}


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A lane that is to send media, with a worker that runs."""
    stage = Stage()
    spec = LaneSpec(pipeline="door", model="m", source="video", media=Media(on=("*",)))
    stage.lane = Lane(spec, DEADLINES, spawn=stage.spawner)
    stage.start(live=True)
    yield stage
    stage.spawner.bury()


def send(stage: Stage, message: dict[str, Any], *descriptors: int) -> None:
    """Send a message with descriptors, which are closed here."""
    socket.send_fds(stage.worker.end, [orjson.dumps(message)], list(descriptors))
    for fd in descriptors:
        os.close(fd)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_medium_comes_with_its_memory(stage: Stage) -> None:
    send(stage, GOOD, memory(jpeg(1)))
    stage.lane.receive()
    assert stage.lane.run is not None
    [one] = stage.lane.run.media
    assert (one.message.frame, one.size, os.pread(one.fd, 2000, 0)) == (3, 1000, jpeg(1))
    os.close(one.fd)
    assert stage.worker.signals == []


def oversized() -> int:
    fd = memfd.create("large", MAX_MEDIUM + 1)  # no page of it is touched
    memfd.seal(fd, memfd.FIXED)
    return fd


@pytest.mark.parametrize(
    ("change", "memories"),
    [
        ({}, []),
        ({}, [jpeg(1), jpeg(2)]),
        ({}, ["oversized"]),
        ({}, [b""]),
        ({}, ["unsealed"]),
        ({}, ["size only"]),
        ({}, ["a socket"]),
        ({"frame": -1}, [jpeg(1)]),
        ({"captured_ns": 1 << 62}, [jpeg(1)]),
        ({"kind": "../../etc/passwd"}, [jpeg(1)]),
        ({"kind": "clip"}, [jpeg(1)]),
        ({"clip": "ab" * 8}, [jpeg(1)]),
        ({"kind": "clip", "clip": "../" * 5 + "a"}, [jpeg(1)]),
        ({"events": []}, [jpeg(1)]),
        ({"events": ["x"] * 9}, [jpeg(1)]),
        ({"events": ["x" * 201]}, [jpeg(1)]),
        ({"name": "/data/state.db"}, [jpeg(1)]),
    ],
)
def test_a_worker_that_breaks_the_protocol_is_ended_and_leaves_nothing_open(
    stage: Stage, change: dict[str, Any], memories: list[bytes | str]
) -> None:
    before = open_files()
    special: dict[str, Callable[[], int]] = {
        "oversized": oversized,
        "unsealed": lambda: memfd.create("loose", 10),
        "size only": lambda: memory(jpeg(1), memfd.SIZED),
        "a socket": lambda: socket.socket().detach(),
    }
    send(stage, GOOD | change, *[special[m]() if isinstance(m, str) else memory(m) for m in memories])
    stage.lane.receive()
    assert stage.worker.signals == [signal.SIGKILL]
    assert stage.lane.run is not None
    assert stage.lane.run.media == []
    assert open_files() == before


def test_a_worker_that_was_not_asked_for_any_is_ended() -> None:
    stage = Stage()
    stage.start(live=True)
    send(stage, GOOD, memory(jpeg(1)))
    stage.lane.receive()
    assert stage.worker.signals == [signal.SIGKILL]
    stage.spawner.bury()


def test_descriptors_that_come_with_other_messages_are_closed(stage: Stage) -> None:
    before = open_files()
    send(stage, {"type": "opened", "live": True}, memory(jpeg(1)), memory(jpeg(2)))
    stage.lane.receive()
    assert open_files() == before
    assert stage.worker.signals == []
