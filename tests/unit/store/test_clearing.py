"""Deleting what a running store keeps, as an operator says: declared, noted, and nothing else is touched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent.commands import purge
from agent.commands.seams import Order, Reach
from agent.errands.data import Data
from agent.errors import Rejected, StoreBusy
from agent.store.audit import newest_entries
from agent.store.inbox import Clear, Put
from agent.store.media import listed
from agent.store.thread import Store
from agent.updater.room import Room
from tests.simulators.media_made import jpeg, medium
from tests.simulators.outboxes import acknowledge, drained, numbers
from tests.simulators.store_bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WALL = 1_700_000_000_000_000_000


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.outbox.close()


def cleared(bench: Bench, *streams: str, media: bool = False) -> Any:
    found: list[Any] = []
    bench.turn(clears=[Clear(streams, media, found.append, WALL, synced=True)])  # type: ignore[arg-type]
    return found[0]


def test_all_of_a_stream_goes_and_what_was_undelivered_is_declared(bench: Bench) -> None:
    bench.store(3)
    bench.turn(puts=[Put([{}] * 2, {}), Put([{"n": 7}], {}, "alert")])
    acknowledge(bench.outbox, bench.epoch, 4)
    told = cleared(bench, "result")["result"]
    assert (told.records, told.undelivered) == (10, 10)
    bench.turn(puts=[Put([{"n": 8}] * 4, {})])
    [live] = drained(bench.outbox)
    assert [(one.first, one.last, one.reason) for one in live.lost] == [(5, 14, "purged")]
    assert numbers(live) == [8] * 4
    assert [numbers(one) for one in drained(bench.outbox, stream="alert")] == [[7]]


def test_media_and_damaged_files_go_and_the_audit_log_says_so(bench: Bench) -> None:
    bench.outbox.media.keep(medium(jpeg(1)))
    damaged = bench.folder / "quarantine" / f"metric-{'0' * 16}-{1:012}.0.db"
    damaged.parent.mkdir()
    damaged.write_bytes(b"a damaged file")
    other = damaged.with_name(damaged.name.replace("metric", "result"))
    other.write_bytes(b"another")
    told = cleared(bench, "metric", media=True)
    assert (told["media"].files, told["metric"].files, told["metric"].bytes) == (1, 1, 14)
    assert (listed(bench.folder), damaged.exists(), other.exists()) == ([], False, True)
    [entry] = newest_entries(bench.folder, 5)[0]
    body = json.loads(entry.body)
    assert (body["kind"], body["subject"], body["detail"]["media.files"]) == (
        "data.purged",
        "metric media",
        1,
    )


def test_a_disk_that_refuses_says_so_and_nothing_goes(bench: Bench) -> None:
    bench.store(1)
    with bench.no_new_segments():
        bench.turn(puts=[Put([{}] * 4, {})])
        assert isinstance(cleared(bench, "result"), StoreBusy)
    assert bench.outbox.status().streams["result"].backlog == 4


class NoStore(Store):
    """Is not asked."""

    def __init__(self) -> None:
        pass


def bundle(folder: Path, digest: str) -> Path:
    path = folder / "bundles" / digest
    path.mkdir(parents=True)
    (path / "model.tflite").write_bytes(bytes(100))
    return path


def test_bundles_go_that_nobody_needs(tmp_path: Path) -> None:
    room = Room(tmp_path, (), 0)
    room.incoming.mkdir()
    needed, spare = bundle(tmp_path, "a" * 64), bundle(tmp_path, "b" * 64)
    data = Data(NoStore(), tmp_path, lambda: {"a" * 64})
    work = purge.run(purge.Args(what=("bundles",)), Order("i"), Reach(device="d", status=dict, data=data))
    told = work.tick(0.0)
    assert told is not None
    assert told.result == {"bundles": {"bundles": 1, "bytes": 100}}
    assert (needed.exists(), spare.exists(), list(room.incoming.iterdir())) == (True, False, [])


def test_bundles_stay_while_some_are_fetched(tmp_path: Path) -> None:
    data = Data(NoStore(), tmp_path, lambda: None)
    with pytest.raises(Rejected, match="being fetched"):
        data.purge(["bundles"])
