"""Frames from standard input: of this process, and of the real ``edge-agent infer``."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from agent.errors import InputRejected, SourceEnded, SourceLost
from agent.sources.stdin import Options, StdinSource, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JPEG = cv2.imencode(".jpg", np.full((32, 32, 3), 90, np.uint8))[1].tobytes()
GREY = {"format": "GREY", "width": 16, "height": 8}


@contextmanager
def standard_input(fd: int) -> Iterator[None]:
    """Have this process read ``fd``, which is closed afterwards, as its standard input."""
    before = os.dup(0)
    os.dup2(fd, 0)
    os.close(fd)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


def given(data: bytes) -> int:
    """Give a pipe that holds this and then ends."""
    ours, theirs = os.pipe()
    os.write(theirs, data)
    os.close(theirs)
    return ours


@contextmanager
def opened(data: bytes, **options: Any) -> Iterator[StdinSource]:
    with standard_input(given(data)), closing(build(Options(**options), start=0)) as source:
        yield source


def test_raw_frames_come_in_order_and_then_it_has_ended_for_good() -> None:
    with opened(bytes(range(128)) + bytes([7] * 128), **GREY) as source:
        frames = [source.read(1), source.read(1)]
        assert [frame.seq for frame in frames if frame] == [0, 1]
        assert frames[1] is not None
        assert frames[1].data.tolist() == [[[7, 7, 7]] * 16] * 8
        assert source.live is False
        for _ in range(2):
            with pytest.raises(SourceEnded, match=r"^standard input: 2 frames$"):
                source.read(0)


def test_jpegs_are_read_and_a_damaged_one_fails_alone() -> None:
    damaged = JPEG[:2] + b"\xff\xda\x00\x02" + bytes(50) + b"\xff\xd9"
    with opened(JPEG + damaged + JPEG) as source:
        first = source.read(1)
        with pytest.raises(InputRejected):
            source.read(1)
        last = source.read(1)
        assert first is not None
        assert last is not None
        assert (first.seq, last.seq) == (0, 2)
        assert last.data.shape == (32, 32, 3)


@pytest.mark.parametrize(("data", "options"), [(bytes(130), GREY), (JPEG + JPEG[:40], {})])
def test_a_frame_that_is_cut_short_is_told_at_the_end(data: bytes, options: dict[str, Any]) -> None:
    with opened(data, **options) as source:
        assert source.read(1) is not None
        with pytest.raises(SourceEnded, match="1 frames, and the beginning of another"):
            source.read(1)


@pytest.mark.parametrize(("data", "options"), [(b"hello\n", {}), (JPEG[:40], {}), (bytes(127), GREY)])
def test_what_holds_no_whole_frame_is_told_and_is_no_success(data: bytes, options: dict[str, Any]) -> None:
    said = "ended without one whole frame. Check what is piped, and format: it is read as"
    with opened(data, **options) as source, pytest.raises(SourceLost, match=said):
        source.read(1)


def test_infer_fails_when_nothing_that_is_piped_in_is_a_picture() -> None:
    command = [sys.executable, "-m", "agent.cli.main", "infer", "glyphs", "-"]
    done = subprocess.run(command, input=b"hello\n", capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"edge-agent: read standard input: it has ended without one whole frame")


def test_a_read_waits_no_longer_than_asked_and_leaves_the_descriptor_as_it_was() -> None:
    ours, theirs = os.pipe()
    with standard_input(ours), closing(build(Options(**GREY), start=0)) as source:
        began = time.monotonic()
        assert source.read(0.05) is None
        assert 0.05 <= time.monotonic() - began < 5
        assert os.get_blocking(0)  # others share it
        os.write(theirs, bytes(100))
        assert source.read(0.05) is None
        os.write(theirs, bytes(28))
        assert source.read(1) is not None
    os.close(theirs)


def test_a_file_can_be_standard_input_too(tmp_path: Path) -> None:
    (tmp_path / "frames").write_bytes(bytes(256))
    with standard_input(os.open(tmp_path / "frames", os.O_RDONLY)):
        source = build(Options(**GREY), start=0)
        assert [frame.seq for frame in (source.read(1), source.read(1)) if frame] == [0, 1]
        source.close()


def test_a_terminal_and_nothing_are_refused() -> None:
    leader, terminal = pty.openpty()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for fd, said in ((terminal, "it is a terminal"), (nothing, "there is nothing in it")):
        with (
            standard_input(fd),
            pytest.raises(InputRejected, match=rf"{said}\. Pipe pictures into edge-agent"),
        ):
            build(Options(), start=0)
    os.close(leader)


def test_raw_frames_do_not_go_on_after_a_worker_died_of_them_but_jpegs_do() -> None:
    with (
        standard_input(given(bytes(128))),
        pytest.raises(InputRejected, match="the next raw frame begins"),
    ):
        build(Options(**GREY), start=3)
    with standard_input(given(JPEG)), closing(build(Options(), start=3)) as source:
        frame = source.read(1)
        assert frame is not None
        assert frame.seq == 3


@pytest.mark.parametrize("words", [["-"], ["--source", "stdin:format=MJPG"]])
def test_what_is_piped_into_infer_is_inferred_to_the_last_frame(words: list[str]) -> None:
    command = [sys.executable, "-m", "agent.cli.main", "infer", "glyphs", *words]
    done = subprocess.run(command, input=JPEG * 50, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines] == list(range(50))
    assert {line["kind"] for line in lines} == {"classification"}


def test_a_service_has_no_standard_input(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        f'[store]\npath = "{tmp_path}/data"\n[[pipelines]]\nname = "door"\nmodel = "glyphs"\n'
        'source = { kind = "stdin" }\n'
    )
    command = [sys.executable, "-m", "agent.cli.main", "check", "--config", str(config)]
    done = subprocess.run(command, input=JPEG, capture_output=True, timeout=60, check=False)
    assert done.returncode == 78
    assert b"read standard input: there is nothing in it. Pipe pictures into edge-agent infer" in done.stderr
