from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import pytest

from agent.commands import snapshot
from agent.commands.seams import Order, Reach
from agent.errands.pictures import PATIENCE_S, Pictures
from agent.errors import AgentError, Forbidden, MessageInvalid, Rejected, SourceLost
from agent.pipeline.media.asked import Asked
from agent.pipeline.wanted import Wanted
from agent.processes import memfd
from agent.types import Frame
from agent.workers.media_messages import Picture, Pictured
from agent.workers.policy import State
from agent.workers.run import Run
from tests.simulators.clocks import ManualClock
from tests.simulators.media_made import jpeg

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from agent.workers.lane import Lane
    from agent.workers.process import WorkerProcess


@dataclass
class Process:
    """Notes what the worker is told."""

    told: list[Mapping[str, object]] = field(default_factory=list)
    listens: bool = True

    def tell(self, message: Mapping[str, object]) -> bool:
        self.told.append(message)
        return self.listens


@dataclass
class Stage:
    """A lane with a worker that the test plays."""

    folder: Path
    state: State = State.RUNNING
    name: str = "door"
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.process = Process()
        self.run: Run | None = Run(cast("WorkerProcess", self.process), 0.0)
        lanes = cast("Sequence[Lane]", [self])
        pictures = Pictures(lanes, {"door": True, "yard": False}, self.folder / "outgoing", self.clock)
        self.reach = Reach(device="d", status=dict, pictures=pictures)

    def ask(self, pipeline: str = "door") -> Any:
        return snapshot.run(snapshot.Args(pipeline=pipeline), Order("i"), self.reach)

    def gives(self, token: int, content: bytes) -> None:
        assert self.run is not None
        fd = memfd.create("of-a-test", len(content))
        os.write(fd, content)
        self.run.wants_picture(token)
        self.run.pictures[token] = Pictured(Picture(token=token, frame=7, captured_ns=1), fd, len(content))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_the_next_frame_comes_back_as_a_file(stage: Stage) -> None:
    work = stage.ask()
    assert stage.process.told == [{"type": "picture", "token": 1}]
    assert work.tick(stage.clock.now) is None
    stage.gives(1, jpeg(3))
    answer = work.tick(stage.clock.now)
    assert answer.result == {"pipeline": "door", "frame": 7}
    [path] = answer.files
    assert (path.name.endswith("--snapshot-door.jpg"), path.read_bytes()) == (True, jpeg(3))


def test_what_is_no_jpeg_is_not_passed_on(stage: Stage) -> None:
    work = stage.ask()
    stage.gives(1, b"MZ of a taken worker")
    with pytest.raises(AgentError, match="it is no JPEG"):
        work.tick(stage.clock.now)
    assert not (stage.folder / "outgoing").exists()


def test_no_frame_no_worker_and_no_source_are_each_told(stage: Stage) -> None:
    work = stage.ask()
    stage.clock.tick(PATIENCE_S)
    with pytest.raises(SourceLost, match="no frame came for 10 s"):
        work.tick(stage.clock.now)
    work, run = stage.ask(), stage.run
    stage.run = None
    with pytest.raises(SourceLost, match="its worker has ended"):
        work.tick(stage.clock.now)
    with pytest.raises(SourceLost, match="its worker does not run: running"):
        stage.ask()
    assert run is not None
    stage.run, run.away = run, "the camera is unplugged"
    with pytest.raises(SourceLost, match="the camera is unplugged"):
        stage.ask()


def test_who_may_not_have_one_is_refused_before_anybody_is_asked(stage: Stage) -> None:
    stage.reach.pictures._lanes["yard"] = stage  # type: ignore[union-attr]
    with pytest.raises(Forbidden, match="remote_snapshots is false"):
        stage.ask("yard")
    with pytest.raises(Rejected, match="there is no such pipeline"):
        stage.ask("attic")
    assert stage.process.told == []


def test_a_picture_that_comes_too_late_is_let_go_of_and_one_that_nobody_wanted_is_a_lie(stage: Stage) -> None:
    work = stage.ask()
    work.stop()
    assert stage.run is not None
    assert not stage.run.wants_picture(1)
    with pytest.raises(MessageInvalid, match="nobody has asked for it"):
        stage.run.wants_picture(1)
    with pytest.raises(MessageInvalid, match="nobody has asked for it"):
        stage.run.wants_picture(99)


class Outlet:
    """Takes what the worker's side says."""

    def __init__(self) -> None:
        self.sent: list[tuple[Mapping[str, Any], bytes]] = []
        self.said: list[Mapping[str, Any]] = []

    def send(self, head: Mapping[str, Any], size: int, pieces: Iterable[bytes]) -> None:
        content = b"".join(pieces)
        assert len(content) == size
        self.sent.append((head, content))


def test_a_frame_is_sent_once_for_each_request_and_large_ones_are_scaled_down() -> None:
    wanted, outlet = Wanted(), Outlet()
    asked = Asked(wanted, outlet.send, outlet.said.append, lambda _: None)
    for n in range(3):
        if n == 1:
            wanted.ask(5)
        frame = Frame(n, n, np.full((1000, 2560, 3), 50 * n, np.uint8))
        assert asked(frame) is frame
    [(head, content)] = outlet.sent
    assert head == {"type": "picture", "token": 5, "frame": 1, "captured_ns": 1}
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert (picture.shape, int(picture[0, 0, 0])) == ((500, 1280, 3), 50)


def test_a_window_of_samples_is_no_picture_and_says_so() -> None:
    wanted, outlet = Wanted(), Outlet()
    asked = Asked(wanted, outlet.send, outlet.said.append, lambda _: None)
    wanted.ask(6)
    asked(Frame(0, 0, np.zeros((512, 3), np.float32)))
    [said] = outlet.said
    assert (said["token"], said["problem"]) == (6, "the pipeline's frames are no pictures: 512x3 float32")
    assert outlet.sent == []
