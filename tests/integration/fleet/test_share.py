"""Several collectors on one database: they share the work, and one of them may die."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.fleet.collecting.databases import open_warehouse, reading
from agent.link import topics
from tests.simulators.collecting import collecting, stop
from tests.simulators.device import Device
from tests.simulators.postgres import PASSWORD

if TYPE_CHECKING:
    from agent.demo.broker import Broker
    from tests.simulators.postgres import Server

pytestmark = pytest.mark.mosquitto


def test_one_of_two_collectors_is_killed_under_load_and_nothing_is_lost_or_doubled(
    broker: Broker, tmp_path: Path, url: str
) -> None:
    named = url.startswith("postgresql")  # the broker keeps what it has for a name, and devices send it again
    one, two = (("--name", "a"), ("--name", "b")) if named else ((), ())
    with (
        collecting(broker, tmp_path, "--share", *one, to=url) as first,
        collecting(broker, tmp_path, "--share", *two, to=url) as second,
        closing(Device(broker.port, resend_s=0.5)) as device,
    ):
        for n in range(40):
            device.commit(size=2000)
            device.work(0.01)
            if n == 15:
                device.until(lambda: device.drained)  # each of both has had some of them by then
            if n == 20:
                first.kill()
        device.until(lambda: device.drained)
        others = stop(second)
    assert 0 < others["new"] < 400
    with open_warehouse(url) as warehouse:
        while warehouse.unpack().behind:
            pass
        told = warehouse.watermarks("pi-17")["result"]
    expected = sorted((epoch, n) for _, epoch, n in device.store.everything())
    with reading(url) as db:
        found = db.execute("SELECT epoch, seq FROM results ORDER BY epoch, seq").fetchall()
    assert [tuple(row) for row in found] == expected
    assert [(mark.upto, mark.have) for mark in told.values()] == [(400, ())]


def test_each_batch_goes_to_one_of_those_that_share(broker: Broker, tmp_path: Path) -> None:
    with (
        collecting(broker, tmp_path, "--share") as first,
        collecting(broker, tmp_path, "--share") as second,
        closing(Device(broker.port, resend_s=100)) as device,
    ):
        for _ in range(20):
            device.commit(size=2000)
            device.work(0.02)
        device.until(lambda: device.drained)
        totals = [stop(one) for one in (first, second)]
    assert sum(one["new"] for one in totals) == 200
    assert all(one["new"] and not one["duplicate"] for one in totals)


def test_what_a_device_says_of_itself_is_noted_and_nonsense_is_refused(
    broker: Broker, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'fleet.db'}"
    with collecting(broker, tmp_path) as collector, closing(Device(broker.port)) as device:
        device.until(lambda: device.link.state.value == "online")
        state = topics.up_state("demo", "pi-17")
        device.link.publish(state, b'{"v":1,"online":true,"version":"1.2","more":1}', retain=True)
        device.link.publish(topics.up_state("demo", "pi-18"), b'{"v":1,"online":"yes"}', retain=True)
        device.link.publish(topics.up_state("demo", "pi-19"), b"x" * 5000)
        device.commit()
        device.until(lambda: device.drained)
        last = stop(collector)
        assert (last["refused"], last["states_refused"], last["refused_format"]) == (0, 2, 2)
    with reading(url) as db:
        rows = db.execute("SELECT device, online, version FROM devices").fetchall()
    assert rows == [("pi-17", 1, "1.2")]


@pytest.mark.postgresql
def test_a_password_in_the_url_is_seen_by_nobody(broker: Broker, tmp_path: Path, postgresql: Server) -> None:
    url = postgresql.url()
    with collecting(broker, tmp_path, to=url) as collector:
        seen = Path(f"/proc/{collector.pid}/cmdline").read_bytes()
        assert b"postgresql://fleet@127.0.0.1" in seen
        assert PASSWORD.encode() not in seen
        stop(collector)
    assert PASSWORD not in (tmp_path / "collect.log").read_text()


@pytest.mark.postgresql
def test_a_database_that_goes_away_costs_nothing(broker: Broker, tmp_path: Path, postgresql: Server) -> None:
    url = postgresql.url()
    with collecting(broker, tmp_path, to=url) as collector, closing(Device(broker.port)) as device:
        for n in range(20):
            device.commit()
            device.work(0.01)
            if n == 10:
                postgresql.restart()
        device.until(lambda: device.drained)
        assert stop(collector)["new"] == 200
    with reading(url) as db:
        assert [tuple(row) for row in db.execute("SELECT count(*) FROM results")] == [(200,)]


def test_mqtt_3_cannot_share_and_says_so() -> None:
    command = [sys.executable, "-m", "agent.fleet.main", "collect", "--unsigned", "--share"]
    for more, said in ((["--protocol", "3.1.1"], "cannot share"), (["--name", "A b"], "cannot be called so")):
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        assert done.returncode == 78
        assert said in done.stderr


def test_a_sharer_without_a_name_leaves_nothing_behind_for_it(broker: Broker, tmp_path: Path) -> None:
    """What arrives while it is away goes to the others at once."""
    with collecting(broker, tmp_path, "--share") as one:
        one.send_signal(signal.SIGKILL)
        one.wait(60)
    with collecting(broker, tmp_path, "--share") as two, closing(Device(broker.port, resend_s=100)) as device:
        for _ in range(6):
            device.commit()
        device.until(lambda: device.drained, timeout_s=10)
        stop(two)
