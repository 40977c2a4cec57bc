"""What both databases promise: SQLite's file and PostgreSQL's tables, under the same tests."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Block, Lease, Loss, pack
from agent.errors import AgentError, ConfigInvalid, MessageInvalid, StoreBusy
from agent.fleet.collecting import postgres
from agent.fleet.collecting.databases import database_of, open_warehouse, reading, shown
from agent.fleet.collecting.incoming import Incoming, Stored
from agent.fleet.collecting.missed import missed
from agent.fleet.collecting.ranges import Watermark
from agent.fleet.collecting.unpacking import Intake
from agent.fleet.states import State
from tests.simulators.postgres import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.fleet.collecting.storage import Storage
    from tests.simulators.postgres import Server

EPOCH = "0123456789abcdef"
EDGECTL = [sys.executable, "-m", "agent.fleet.main"]


@pytest.fixture
def warehouse(url: str) -> Iterator[Storage]:
    with open_warehouse(url) as made:
        yield made


def block(first: int, last: int, **others: Any) -> Block:
    records = [
        {"kind": "detection", "pipeline": "gate", "frame": seq, "wall_ns": seq * 10**9, **others}
        for seq in range(first, last + 1)
    ]
    return Block(first, len(records), pack(records, {"gate": {"captured": last}}, {"synced": True}))


def batch(*spans: tuple[int, int], low: int = 1, device: str = "cam-1", **others: Any) -> Incoming:
    lease = {"live": True, **others}
    return Incoming(device, Lease(EPOCH, low, tuple(block(*span) for span in spans), **lease))


def rows(url: str, query: str) -> list[Any]:
    with reading(url) as db:
        return [tuple(row) for row in db.execute(query).fetchall()]


def unpack(warehouse: Storage) -> None:
    while warehouse.unpack().behind:
        pass


def test_what_is_stored_is_counted_once_and_promised_as_far_as_it_is_whole(warehouse: Storage) -> None:
    first = batch((1, 2), (5, 6))
    assert warehouse.store([first]) == [Stored(first, 4, 0, Watermark(2, ((5, 6),)))]
    [again, late] = warehouse.store([batch((1, 2)), batch((3, 4))])
    assert (again.new, again.duplicate, again.watermark) == (0, 2, Watermark(6, ()))
    assert (late.new, late.watermark) == (2, Watermark(6, ()))
    assert warehouse.watermarks("cam-1") == {"result": {EPOCH: Watermark(6, ())}}


def test_rows_have_the_same_names_and_values_in_both(warehouse: Storage, url: str) -> None:
    warehouse.store([batch((1, 2))])
    unpack(warehouse)
    query = "SELECT device, stream, epoch, seq, pipeline, frame, wall_ns, kind FROM results WHERE synced"
    assert rows(url, f"{query} ORDER BY seq") == [
        ("cam-1", "result", EPOCH, seq, "gate", seq, seq * 10**9, "detection") for seq in (1, 2)
    ]
    assert rows(url, "SELECT body->>'frame' FROM results_utc WHERE seq = 2") in ([("2",)], [(2,)])
    assert rows(url, "SELECT as_of_seq, counts->>'captured' FROM ledgers") in ([(2, "2")], [(2, 2)])
    assert rows(url, "SELECT minute, as_of_seq FROM ledger") == [(0, 2)]


def test_events_and_metrics_stand_in_tables_of_their_own(warehouse: Storage, url: str) -> None:
    event = {"kind": "event", "event": "link.lost", "level": "warning", "subject": "x", "wall_ns": 1}
    items = [{"name": "infer_seconds", "type": "histogram", "count": 2, "sum": 0.5, "buckets": [[1, 2]]}]
    for stream, record in (("alert", event), ("metric", {"kind": "metrics", "wall_ns": 2, "items": items})):
        lease = Lease(EPOCH, 1, (Block(1, 1, pack([record], {})),), live=True, stream=stream)  # type: ignore[arg-type]
        warehouse.store([Incoming("cam-1", lease)])
    unpack(warehouse)
    assert rows(url, "SELECT event, level, subject FROM events") == [("link.lost", "warning", "x")]
    [(name, count, total, buckets)] = rows(url, "SELECT name, count, sum, buckets FROM metrics")
    assert (name, count, total) == ("infer_seconds", 2, 0.5)
    assert (json.loads(buckets) if isinstance(buckets, str) else buckets) == [[1, 2]]
    assert rows(url, "SELECT count(*) FROM results") == [(0,)]


def test_what_no_column_can_hold_leaves_the_others_alone(warehouse: Storage, url: str) -> None:
    odd = {"kind": "a\0b", "pipeline": "\\u0000", "text": "a\0b\\", "wall_ns": 2**64 - 1, "frame": "x"}
    blocks = (Block(1, 1, pack([odd], {"p": {"zero\0": "\\\0"}})), Block(2, 1, b"no block"), block(3, 3))
    warehouse.store([Incoming("cam-1", Lease(EPOCH, 1, blocks, live=True))])
    done = warehouse.unpack()
    assert [type(problem) for _, problem in done.bad] == [MessageInvalid]
    assert rows(url, "SELECT seq, kind, pipeline, wall_ns FROM results ORDER BY 1") == [
        (1, None, "\\u0000", None),
        (3, "detection", "gate", 3 * 10**9),
    ]
    assert rows(url, "SELECT first FROM bad_blocks") == [(2,)]


def test_gaps_are_kept_and_filled(warehouse: Storage, url: str) -> None:
    warehouse.store([batch((21, 30), low=11, lost=(Loss(12, 20, "evicted", 5, 6),))])
    assert warehouse.watermarks("cam-1") == {"result": {EPOCH: Watermark(10, ((21, 30),))}}
    warehouse.store([batch((11, 11), (15, 16))])
    assert rows(url, "SELECT first, last, reason FROM gaps ORDER BY first") == [
        (1, 10, "delivered_elsewhere"),
        (12, 14, "evicted"),
        (17, 20, "evicted"),
    ]
    unpack(warehouse)
    with reading(url) as db:
        report = missed(db, "cam-1", 0, 40 * 10**9)
    assert (report.verdict, len(report.missing)) == ("incomplete", 3)


def test_what_a_device_says_of_itself_is_a_row(warehouse: Storage, url: str) -> None:
    warehouse.told({"cam-2": State(online=True, version="1.2"), "cam-1": State(online=True, version="1")})
    warehouse.told({"cam-1": State(online=False, version="1")})
    assert rows(url, "SELECT device FROM devices WHERE online AND version = '1.2'") == [("cam-2",)]
    assert rows(url, "SELECT device FROM devices WHERE NOT online") == [("cam-1",)]
    assert (warehouse.devices(most=1), warehouse.devices("cam-1")) == (["cam-1"], ["cam-2"])


def test_two_collectors_at_once_store_each_record_once_and_promise_no_more_than_is_there(url: str) -> None:
    def collect(mine: list[Incoming]) -> None:
        with open_warehouse(url) as one:
            for incoming in mine:
                while True:
                    try:
                        [stored] = one.store([incoming])
                        one.unpack(20)
                    except StoreBusy:
                        continue
                    break
                new.append(stored.new)

    new: list[int] = []
    open_warehouse(url).close()
    parts = [batch((n, n + 4), device=f"cam-{n % 2}") for n in range(1, 200, 5)]
    threads = [threading.Thread(target=collect, args=(p,)) for p in (parts[::2] + parts[1::4], parts[1::2])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(new) == 200
    with open_warehouse(url) as one:
        unpack(one)
        told = {device: one.watermarks(device)["result"][EPOCH] for device in one.devices()}
    assert rows(url, "SELECT count(*) FROM results") == [(200,)]
    assert {device: len(mark.have) + (mark.upto > 0) for device, mark in told.items()} == {
        "cam-0": 20,
        "cam-1": 20,
    }


@pytest.mark.postgresql
def test_what_is_stored_of_one_device_comes_one_after_the_other_and_the_later_one_promises_both(
    postgresql: Server,
) -> None:
    url = postgresql.url()
    answers: list[Stored] = []
    with open_warehouse(url) as one, open_warehouse(url) as other, reading(url) as watch:
        one.store([batch((1, 2))])
        later = threading.Thread(target=lambda: answers.extend(other.store([batch((3, 6))])))
        with one._transaction():
            one._see({"cam-1"})
            one._insert(batch((3, 4)), Intake(one._db, 0, 0, lambda: False))
            later.start()
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while watch.execute(waiting).fetchone()[0] == 0:
                assert later.is_alive(), answers
                watch.execute("SELECT pg_stat_clear_snapshot()")
        later.join()
    assert [(one.new, one.duplicate, one.watermark) for one in answers] == [(2, 2, Watermark(6, ()))]


def test_collectors_that_make_one_new_file_at_once_make_it_once(tmp_path: Path) -> None:
    for n in range(5):
        url = f"sqlite:///{tmp_path / f'{n}.db'}"
        barrier = threading.Barrier(4)
        problems: list[Exception] = []

        def start(url: str = url, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                open_warehouse(url).close()
            except (AgentError, sqlite3.Error) as error:
                problems.append(error)  # noqa: B023 - of this round

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert rows(url, "SELECT count(*) FROM results") == [(0,)]


def test_a_database_that_no_collector_of_today_has_written_is_not_looked_into(url: str) -> None:
    if path := database_of(url):
        sqlite3.connect(path).close()
        path.touch()
    with pytest.raises(AgentError, match=r"its format is version 0|somebody else's"):
        rows(url, "SELECT 1 FROM results")


@pytest.mark.postgresql
def test_a_server_that_goes_away_is_waited_for_and_nothing_is_half_stored(postgresql: Server) -> None:
    url = postgresql.url()
    with open_warehouse(url) as warehouse:
        warehouse.store([batch((1, 5))])
        postgresql.restart()
        with pytest.raises(StoreBusy) as refused:
            warehouse.store([batch((6, 9))])
        assert PASSWORD not in str(refused.value)
        [stored] = warehouse.store([batch((6, 9))])
        assert (stored.new, stored.watermark) == (4, Watermark(9, ()))


@pytest.mark.postgresql
def test_two_that_start_at_once_make_the_tables_once_and_a_newer_one_is_left_alone(
    postgresql: Server,
) -> None:
    url = postgresql.url()
    threads = [threading.Thread(target=lambda: open_warehouse(url).close()) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(url, "SELECT version FROM schema_version ORDER BY 1") == [(4,), (5,)]
    with open_warehouse(url) as one:
        one._db.execute("INSERT INTO schema_version VALUES (6)")
    with pytest.raises(AgentError, match="its format is version 6"):
        open_warehouse(url)


@pytest.mark.postgresql
def test_a_database_that_knows_no_characters_is_refused_at_the_start(postgresql: Server) -> None:
    url = postgresql.url(encoding="SQL_ASCII")
    collect = [*EDGECTL, "collect", "--unsigned", "--port", "1", "--to", url]
    for command in (collect, [*EDGECTL, "gaps", "cam-1", "--db", url]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 78
        assert "its encoding is SQL_ASCII, which knows no characters. Make another" in done.stderr
        assert (done.stderr.count("\n"), PASSWORD in done.stderr) == (1, False)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://fleet:{PASSWORD}@127.0.0.1:1/x",
        f"postgresql://fleet@127.0.0.1:1/x?password={PASSWORD}",
        f"postgresql://fleet:{PASSWORD}/#@127.0.0.1:1/x",
        f"postgres://fleet:{PASSWORD}@127.0.0.1:port/x",
        f"mysql://fleet:{PASSWORD}@127.0.0.1/x",
    ],
)
def test_a_password_is_in_no_error(url: str) -> None:
    with pytest.raises(AgentError) as refused:
        open_warehouse(url)
    assert PASSWORD not in str(refused.value)
    command = [*EDGECTL, "gaps", "cam-1", "--db", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (1, 78)
    assert PASSWORD not in done.stdout + done.stderr
    assert done.stderr.count("\n") == 1


def test_a_url_is_shown_without_what_is_secret_in_it() -> None:
    url = "postgresql://u:p@h:5/d?sslpassword=x&password=y"
    assert shown(url) == "postgresql://u@h:5/d"
    assert shown("sqlite:///a.db") == "sqlite:///a.db"
    with pytest.raises(ConfigInvalid):
        postgres.shown("postgresql://h:1:2/")
