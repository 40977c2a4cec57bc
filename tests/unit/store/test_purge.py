"""Deleting all results of a device."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.blocks import STREAMS
from agent.store.inspect import look_at_state, segment_files
from agent.store.kept import read_kept
from agent.store.purge import purge
from agent.store.state import State
from tests.simulators.keeping import CHANGE, KEPT, WALL
from tests.simulators.outboxes import acknowledge, drained, fill, numbers, opened

if TYPE_CHECKING:
    from pathlib import Path


def test_everything_goes_but_what_protects_the_device(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        for stream in STREAMS:
            outbox.put([{"n": 1}], {}, stream)
        outbox.flush()
    with closing(State(tmp_path / "state.db")) as state:
        state.raise_floor("root", 7)
        state.accept("command-1", b"{}", 1)
        state.change(CHANGE, WALL, synced=True)
    (tmp_path / "quarantine").mkdir()
    (tmp_path / "quarantine" / f"result-{'0' * 16}-{1:012}.0.db").write_bytes(b"a damaged file")
    done = purge(tmp_path)
    assert (done.records, done.undelivered, done.files) == (3, 3, 4)
    assert list((tmp_path / "segments").iterdir()) == list((tmp_path / "quarantine").iterdir()) == []
    with closing(State(tmp_path / "state.db")) as state:
        assert state.floor("root") == 7
        assert not state.accept("command-1", b"{}", 1)
        assert state.counters()["purged"] == 3
    assert read_kept(tmp_path) == replace(KEPT, floors={**KEPT.floors, "root": 7})
    assert purge(tmp_path).files == 0


def test_pictures_that_wait_for_the_operator_go_too(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 1)
    names = ["0123456789abcdef.due.snapshot-door.jpg", f"{'a' * 16}--snapshot-door.jpg", "notes.txt"]
    (tmp_path / "outgoing").mkdir()
    for name in names:
        (tmp_path / "outgoing" / name).write_bytes(b"a picture")
    purge(tmp_path)
    assert [path.name for path in (tmp_path / "outgoing").iterdir()] == ["notes.txt"]


def test_the_collector_is_told_what_it_will_not_get(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 5)
        acknowledge(outbox, outbox.epoch, 2)
        epoch = outbox.epoch
    assert purge(tmp_path).undelivered == 3
    with closing(opened(tmp_path)) as outbox:
        outbox.put([{"n": 9}], {})
        outbox.flush()
        [declared, live] = drained(outbox)
        assert (declared.epoch, declared.blocks, declared.low) == (epoch, (), 6)
        assert [(loss.first, loss.last, loss.reason) for loss in declared.lost] == [(3, 5, "purged")]
        assert numbers(live) == [9]
        assert outbox.status().streams["result"].lost == 3
        acknowledge(outbox, epoch, 5)
    assert epoch not in {row.epoch for row in look_at_state(tmp_path).epochs if row.stream == "result"}


def test_what_was_lost_before_is_not_counted_again(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
    segment_files(tmp_path)[1].path.unlink()
    with closing(opened(tmp_path)) as outbox:
        drained(outbox)
        outbox.settle()
    assert purge(tmp_path).undelivered == 2
    counters = look_at_state(tmp_path).counters
    assert (counters["lost_missing_result"], counters["lost_purged_result"]) == (1, 2)


def test_the_bytes_are_overwritten_before_the_name_goes(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 1)
    path = segment_files(tmp_path)[0].path
    (tmp_path / "second name").hardlink_to(path)
    purge(tmp_path)
    assert set((tmp_path / "second name").read_bytes()) == {0}


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 1)
    thesis = tmp_path / "segments" / "thesis.txt"
    thesis.write_text("years of work")
    assert purge(tmp_path).files == 1
    assert thesis.read_text() == "years of work"
