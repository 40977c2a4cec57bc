"""Snapshots and clips on disk: whole or not at all, within their cap, the oldest first."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.events import counters
from agent.store import media
from agent.store.inbox import MOST_MEDIA, MOST_MEDIA_BYTES, Inbox
from agent.store.media import MediaShelf, listed
from agent.store.purge import purge
from tests.simulators.media_made import avi, jpeg, medium
from tests.simulators.outboxes import opened

if TYPE_CHECKING:
    from pathlib import Path

    from agent.media import Kind

FRAME = "glyph.seen"


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "media").iterdir()}


def kept(folder: Path) -> list[bytes]:
    """What is kept, the oldest first; each file is what its name says."""
    contents = []
    for one in listed(folder):
        content = (folder / "media" / one.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one.sha256
        assert len(content) == one.bytes
        contents.append(content)
    assert names(folder) == {n for one in listed(folder) for n in (one.name, f"{one.sha256}.json")}
    return contents


def test_a_medium_is_found_by_its_content_with_when_and_whose_it_is(tmp_path: Path) -> None:
    shelf = MediaShelf(tmp_path, 1 << 20)
    shelf.keep(medium(jpeg(1)))
    shelf.keep(medium(avi(2), "clip", clip="ab" * 8, frame=9))
    assert kept(tmp_path) == [jpeg(1), avi(2)]
    first, second = listed(tmp_path)
    assert (first.pipeline, first.events, first.frame, first.clip) == ("door", (FRAME,), 7, "")
    assert (second.kind, second.clip, second.frame) == ("clip", "ab" * 8, 9)
    assert (first.name, second.name) == (f"{first.sha256}.jpg", f"{second.sha256}.avi")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "media").iterdir()}
    assert (modes, stat.S_IMODE((tmp_path / "media").stat().st_mode)) == ({0o600}, 0o700)


def test_the_same_picture_again_is_kept_once_and_is_as_new_as_its_last_event(tmp_path: Path) -> None:
    shelf = MediaShelf(tmp_path, 2500)
    for n in (1, 2, 1, 3):
        shelf.keep(medium(jpeg(n), frame=n))
    assert kept(tmp_path) == [jpeg(1), jpeg(3)]
    assert shelf.size == 2000


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(100, 1200)), max_size=30), st.booleans())
def test_the_cap_holds_and_the_oldest_go_first(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, int]],
    again: bool,
) -> None:
    folder = tmp_path_factory.mktemp("media")
    shelf, model = MediaShelf(folder, 3000), dict[bytes, None]()
    shelf.keep(medium(jpeg(9)))
    model[jpeg(9)] = None
    for n, size in steps:
        content = jpeg(n, size)
        shelf.keep(medium(content))
        model.pop(content, None)
        model[content] = None
        while sum(map(len, model)) > 3000:
            del model[next(iter(model))]
        if again:
            shelf = MediaShelf(folder, 3000)
    assert kept(folder) == list(model)
    assert sum(map(len, model)) <= 3000


def test_a_smaller_cap_holds_from_the_start_on(tmp_path: Path) -> None:
    shelf = MediaShelf(tmp_path, 1 << 20)
    for n in range(5):
        shelf.keep(medium(jpeg(n)))
    before = counters["media.evicted"]
    MediaShelf(tmp_path, 2500).begin()
    assert kept(tmp_path) == [jpeg(3), jpeg(4)]
    assert counters["media.evicted"] == before + 3
    MediaShelf(tmp_path, 0).begin()
    assert kept(tmp_path) == []


def test_there_are_no_more_files_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MOST_FILES", 3)
    shelf = MediaShelf(tmp_path, 1 << 20)
    for n in range(5):
        shelf.keep(medium(jpeg(n)))
    assert kept(tmp_path) == [jpeg(2), jpeg(3), jpeg(4)]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("snapshot", b"#!/bin/sh\nrm -rf /\n"),
        ("snapshot", jpeg(1)[:-1]),
        ("snapshot", avi(1)),
        ("clip", jpeg(1)),
        ("clip", avi(1) + b"more"),
        ("clip", avi(1).replace(b"AVI ", b"WAVE")),
    ],
)
def test_what_is_not_what_it_is_said_to_be_is_counted_and_not_written(
    tmp_path: Path, kind: Kind, content: bytes
) -> None:
    before = counters["media.refused"]
    MediaShelf(tmp_path, 1 << 20).keep(medium(content, kind))
    assert counters["media.refused"] == before + 1
    assert not (tmp_path / "media").exists()


def test_what_is_larger_than_the_cap_costs_nothing_else_its_place(tmp_path: Path) -> None:
    shelf = MediaShelf(tmp_path, 2500)
    shelf.keep(medium(jpeg(1)))
    before = counters["media.failed"]
    shelf.keep(medium(jpeg(2, 2501)))
    assert kept(tmp_path) == [jpeg(1)]
    assert counters["media.failed"] == before + 1


def test_the_memory_of_each_is_closed_whatever_becomes_of_it(tmp_path: Path) -> None:
    shelf = MediaShelf(tmp_path, 2500)
    for one in (medium(jpeg(1)), medium(b"no picture"), medium(jpeg(2, 3000))):
        shelf.keep(one)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(one.fd)


def test_a_start_sweeps_up_what_a_crash_left_and_nothing_that_is_not_ours(tmp_path: Path) -> None:
    MediaShelf(tmp_path, 1 << 20).keep(medium(jpeg(1)))
    MediaShelf(tmp_path, 1 << 20).keep(medium(jpeg(2)))
    folder = tmp_path / "media"
    [one, two] = listed(tmp_path)
    (folder / f"{two.sha256}.json").write_bytes(b'{"n": 1, \xff')
    for name in (f".{'ab' * 32}.avi.new", f"{'cd' * 32}.jpg", f"{'ef' * 32}.json"):
        (folder / name).write_bytes(b"x")
    (folder / "notes.txt").write_text("mine")
    MediaShelf(tmp_path, 1 << 20).begin()
    assert names(tmp_path) == {one.name, f"{one.sha256}.json", "notes.txt"}


KILLED = """
import os, sys
from pathlib import Path
from agent import files
from agent.store import media
from tests.simulators.kill_steps import Steps
from tests.simulators.media_made import jpeg, medium

shelf = media.MediaShelf(Path(sys.argv[1]), 2500)
for n in (1, 2):
    shelf.keep(medium(jpeg(n)))
Steps(int(sys.argv[2])).watch(
    (os, "fsync"), (os, "open"), (Path, "rename"), (Path, "unlink"), (os, "fdopen")
)
shelf.keep(medium(jpeg(3)))
print("done")
"""


def test_a_kill_at_any_step_leaves_each_medium_whole_or_gone(tmp_path: Path) -> None:
    states, done = set(), False
    for steps in range(200):
        folder = tmp_path / str(steps)
        folder.mkdir()
        command = [sys.executable, "-c", KILLED, str(folder), str(steps)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == (-9 if not ended.stdout else 0), ended.stderr
        shelf = MediaShelf(folder, 2500)
        shelf.begin()
        found = kept(folder)
        states.add(tuple(found))
        shelf.keep(medium(jpeg(4)))
        assert kept(folder)[-1] == jpeg(4)
        if done := bool(ended.stdout):
            break
    assert done
    one, two, three = jpeg(1), jpeg(2), jpeg(3)
    assert states == {(one, two), (two,), (two, three)}


def test_media_go_when_the_disk_is_full_the_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "WAY", 1500)
    shelf = MediaShelf(tmp_path, 1 << 20)
    for n in range(3):
        shelf.keep(medium(jpeg(n)))
    assert shelf.give_way()
    assert kept(tmp_path) == [jpeg(2)]
    assert shelf.give_way()
    assert not shelf.give_way()
    assert kept(tmp_path) == []


def test_a_purge_takes_media_with_it(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        outbox.media.keep(medium(jpeg(1)))
        outbox.media.keep(medium(avi(1), "clip"))
    (tmp_path / "media" / "notes.txt").write_text("mine")
    done = purge(tmp_path)
    assert (done.media, done.files) == (2, 4)
    assert names(tmp_path) == {"notes.txt"}
    assert listed(tmp_path) == []


def test_so_many_wait_and_no_more_and_those_that_nobody_took_are_let_go() -> None:
    inbox = Inbox(64)
    taken = [medium(jpeg(n)) for n in range(MOST_MEDIA)]
    assert all(map(inbox.keep, taken))
    assert not inbox.keep(taken[0])
    assert inbox.take_medium() == taken[0]
    os.close(taken[0].fd)
    assert inbox.keep(medium(jpeg(99)))
    inbox.close()
    assert (inbox.media, inbox.take_medium()) == (0, None)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(taken[1].fd)
    large = medium(jpeg(1))
    claims = replace(large, size=MOST_MEDIA_BYTES)
    assert inbox.keep(claims)
    assert not inbox.keep(large)
    inbox.stop()
    assert inbox.take(0, idle=False).stopping
    inbox.close()
    assert not inbox.keep(claims)


def test_what_links_elsewhere_is_named_elsewhere_or_is_no_file_is_none_of_the_media(tmp_path: Path) -> None:
    shelf = MediaShelf(tmp_path, 1 << 20)
    for n in range(4):
        shelf.keep(medium(jpeg(n)))
    folder, (sound, link, fifo, away) = tmp_path / "media", listed(tmp_path)
    (tmp_path / "secret").write_bytes(jpeg(1))
    (folder / link.name).unlink()
    (folder / link.name).symlink_to(tmp_path / "secret")
    (folder / f"{fifo.sha256}.json").unlink()
    os.mkfifo(folder / f"{fifo.sha256}.json")
    note = folder / f"{away.sha256}.json"
    note.write_text(note.read_text().replace('"door"', '"../../door"'))
    assert listed(tmp_path) == [sound]
    MediaShelf(tmp_path, 1 << 20).begin()
    assert names(tmp_path) == {sound.name, f"{sound.sha256}.json"}
    assert (tmp_path / "secret").read_bytes() == jpeg(1)
