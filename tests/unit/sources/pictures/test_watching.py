"""Folders that pictures come into: whole, in order, each once; and folders that vanish."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from agent.errors import InputRejected, SourceLost
from agent.sources.images import Options, WatchedImages, build
from agent.sources.pictures import watching
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURE = cv2.imencode(".png", np.full((20, 30, 3), 90, np.uint8))[1].tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def watched(*paths: Path | str, start: int = 0, **more: Any) -> WatchedImages:
    source = build(Options(paths=tuple(map(str, paths)), watch=True, **more), start=start)
    assert isinstance(source, WatchedImages)
    return source


@pytest.fixture
def source(folder: Path) -> Iterator[WatchedImages]:
    with closing(watched(folder)) as made:
        yield made


def names(source: WatchedImages, wait_s: float = 0.05) -> list[str]:
    """Give the names that come until none has come for a while."""
    found = []
    while (frame := source.read(wait_s)) is not None:
        found.append(Path(frame.origin).name)
    return found


def test_files_are_given_as_they_come_numbered_on_and_dated(folder: Path) -> None:
    with closing(watched(folder, start=7)) as source:
        assert source.live is False
        assert source.read(0) is None
        for name in ("b.png", "a.png", "c.PNG"):
            (folder / name).write_bytes(PICTURE)
        frames = [source.read(1) for _ in range(3)]
        assert [(frame.seq, Path(frame.origin).name) for frame in frames if frame] == [
            (7, "b.png"), (8, "a.png"), (9, "c.PNG"),
        ]  # fmt: skip
        assert frames[0] is not None
        assert frames[0].data.shape == (20, 30, 3)
        assert time.monotonic_ns() - frames[0].captured_ns < 10e9


def test_a_read_waits_no_longer_than_asked(source: WatchedImages) -> None:
    began = time.monotonic()
    assert source.read(0.05) is None
    assert 0.05 <= time.monotonic() - began < 5


def test_a_file_is_given_once_it_is_closed_or_moved_in_and_never_half_written(
    folder: Path, source: WatchedImages, tmp_path: Path
) -> None:
    (tmp_path / "aside.png").write_bytes(PICTURE)
    with (folder / "slow.png").open("wb") as file:
        file.write(PICTURE[:50])
        file.flush()
        (tmp_path / "aside.png").rename(folder / "moved.png")
        assert names(source) == ["moved.png"]
        file.write(PICTURE[50:])
    assert names(source) == ["slow.png"]
    (folder / "slow.png").write_bytes(PICTURE)
    assert names(source) == ["slow.png"]  # written again, given again


def test_what_is_no_picture_is_passed_over_and_what_is_damaged_fails_alone(
    folder: Path, source: WatchedImages
) -> None:
    (folder / "notes.txt").write_text("no picture")
    (folder / "below.png").mkdir()
    (folder / "empty.png").touch()
    (folder / "cut.png").write_bytes(PICTURE[:40])
    (folder / "gone.png").write_bytes(PICTURE)
    (folder / "gone.png").unlink()
    (folder / "whole.png").write_bytes(PICTURE)
    for name in ("cut.png", "gone.png"):
        with pytest.raises(InputRejected, match=name):
            source.read(1)
    frame = source.read(1)
    assert frame is not None
    assert (frame.seq, Path(frame.origin).name) == (2, "whole.png")
    (folder / "empty.png").write_bytes(PICTURE)
    assert names(source) == ["empty.png"]


def test_a_name_that_no_record_can_hold_is_refused(folder: Path, source: WatchedImages) -> None:
    Path(os.fsdecode(bytes(folder) + b"/\xff.png")).write_bytes(PICTURE)
    with pytest.raises(InputRejected, match=r"\\udcff.png: its name is not UTF-8"):
        source.read(1)


def test_a_pattern_takes_names_of_one_folder_and_several_folders_are_watched(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
    with closing(watched(tmp_path / "x" / "shot*.png", tmp_path / "y")) as source:
        for name in ("x/shot1.png", "x/other.png", "y/any.png", "x/shot2.jpg"):
            (tmp_path / name).write_bytes(PICTURE)
        assert names(source) == ["shot1.png", "any.png"]


@pytest.mark.parametrize(
    "wrong", [{"paths": ("a/*/b.png",)}, {"paths": ("a/**",)}, {"paths": ("a",), "loop": True}]
)
def test_what_cannot_be_watched_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options(watch=True, **wrong)


def test_what_came_a_while_before_is_given_too_oldest_first_and_the_young_when_they_stand_still(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_YOUNG_S", 0.6)
    for name in ("3.png", "1.png", "2.png"):
        (folder / name).write_bytes(PICTURE)
        time.sleep(0.02)  # the clock of inodes ticks 250 times a second
    (folder / "empty.png").touch()
    with closing(watched(folder, backlog_s=0)) as source:
        assert names(source, 0.8) == []
    with closing(watched(folder)) as source, (folder / "growing.png").open("wb") as file:
        assert names(source, 1.2) == ["3.png", "1.png", "2.png"]
        file.write(PICTURE)
    with (folder / "growing.png").open("ab") as file, closing(watched(folder)) as source:
        began = time.monotonic()
        while time.monotonic() < began + 1.2:
            file.write(b"more")
            file.flush()
            frame = source.read(0.02)
            assert frame is None or not frame.origin.endswith("growing.png")
        file.close()
        assert names(source, 1.2) == ["growing.png"]


def test_a_folder_that_goes_away_is_lost_after_what_came_and_opened_again_when_it_is_back(
    folder: Path,
) -> None:
    source = watched(folder)
    (folder / "last.png").write_bytes(PICTURE)
    folder.rename(folder.with_name("away"))
    with pytest.raises(InputRejected, match=r"last\.png"):  # it came, and cannot be read any more
        source.read(1)
    with pytest.raises(SourceLost, match=r"the folder is gone\. Make or mount it again"):
        source.read(1)
    source.close()
    with pytest.raises(SourceLost, match=r"no such file or directory\. Make or mount it"):
        watched(folder)
    folder.mkdir()
    (folder / "new.png").write_bytes(PICTURE)
    with closing(watched(folder, start=1)) as again:
        frame = again.read(5)
        assert frame is not None
        assert (frame.seq, Path(frame.origin).name) == (1, "new.png")
        shutil.rmtree(folder)
        with pytest.raises(SourceLost, match="the folder is gone"):
            names(again, 1)


def test_what_the_kernel_could_not_keep_in_mind_is_looked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_YOUNG_S", 0.2)
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 50_000:
        pytest.skip("this kernel keeps too many events in mind")
    with closing(watched(folder)) as source:
        for name in ("x.png", "y.png"):
            (folder / name).write_bytes(PICTURE)
        for _ in range(limit // 2 + 1):
            for name in ("x.png", "y.png"):
                os.close(os.open(folder / name, os.O_WRONLY))
        for number in range(20):
            (folder / f"late{number}.png").write_bytes(PICTURE)
        found = names(source, 0.5)
    assert sorted(found) == sorted({"x.png", "y.png", *(f"late{number}.png" for number in range(20))})


def test_more_files_than_are_kept_in_mind_come_in_turns_in_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_FILES", 10)
    monkeypatch.setattr(watching, "_YOUNG_S", 0.0)
    for number in range(35):
        (folder / f"{number}.png").write_bytes(PICTURE)
    time.sleep(0.01)
    with closing(watched(folder)) as source:
        assert len(source._watching._queue) == 10
        found = names(source)
    assert found == [f"{number}.png" for number in range(35)]


def test_a_file_that_was_there_before_and_is_written_again_is_given_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_YOUNG_S", 0.0)
    (folder / "same.png").write_bytes(PICTURE)
    time.sleep(0.01)
    with closing(watched(folder)) as source:
        assert names(source) == ["same.png"]
        (folder / "same.png").write_bytes(PICTURE)
        assert names(source) == ["same.png"]


def test_files_that_all_came_at_once_come_in_turns_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MAX_FILES", 3)
    monkeypatch.setattr(watching, "_YOUNG_S", 0.0)
    for number in range(2):
        (folder / f"{number}.png").write_bytes(PICTURE)
    (folder / "all.png").write_bytes(PICTURE)
    for number in range(2, 12):
        (folder / f"{number}.png").hardlink_to(folder / "all.png")  # one inode, one time
    time.sleep(0.01)
    with closing(watched(folder)) as source:
        assert sorted(names(source)) == sorted({*(f"{number}.png" for number in range(12)), "all.png"})


@pytest.mark.landlock
def test_a_confined_worker_gives_each_file_and_a_new_one_looks_into_the_folder_that_came_back(
    folder: Path, tmp_path: Path
) -> None:
    source = f'source = {{ kind = "images", paths = ["{folder}"], watch = true }}'
    with RunningAgent(tmp_path, source) as running:
        running.until(lambda _: "source.opened" in running.log)
        for number in range(5):
            (folder / f"{number}.png").write_bytes(PICTURE)
        (folder / "bad.png").write_bytes(b"no picture")
        found = running.until(lambda pipeline: pipeline["ledger"]["captured"] == 6)
        found = running.until(lambda pipeline: pipeline["ledger"]["inferred"] == 5)
        assert found["ledger"]["failed"] == {"unreadable": 1}
        worker = running.worker
        shutil.rmtree(folder)
        running.until(lambda pipeline: "the folder is gone" in (pipeline["problem"] or ""))
        folder.mkdir()
        (folder / "new.png").write_bytes(PICTURE)
        found = running.until(lambda pipeline: pipeline["ledger"]["inferred"] == 6)
        assert found["pid"] != worker
        assert found["balanced"]
        assert running.end() == 0
