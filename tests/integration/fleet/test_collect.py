"""edgectl collect as a process, a broker that is killed, and a device: nothing lost, nothing twice."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from agent.demo.broker import Broker
from agent.fleet.keys import make_keys
from agent.link import ack, topics
from agent.link.mqtt import Link
from agent.link.settings import LinkMessage, LinkSettings, LinkUp
from tests.simulators.collecting import collecting, stop
from tests.simulators.device import Device
from tests.simulators.ear import Ear

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROKERS = [pytest.param("mosquitto", marks=pytest.mark.mosquitto), "amqtt"]


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path / "broker", kind=request.param)
    made.start()
    yield made
    made.stop()


@contextmanager
def closing_broker(broker: Broker) -> Iterator[None]:
    try:
        yield
    finally:
        broker.stop()


def rows(folder: Path) -> list[tuple[str, int, int]]:
    """What is stored: epoch, seq, and the number that the record holds."""
    with closing(sqlite3.connect(folder / "fleet.db")) as db:
        return db.execute(
            "SELECT epoch, seq, json_extract(body, '$.n') FROM results ORDER BY epoch, seq"
        ).fetchall()


def expected(device: Device) -> list[tuple[str, int, int]]:
    return sorted((epoch, n, n) for _, epoch, n in device.store.everything())


def test_everything_arrives_once_though_the_broker_is_killed_and_forgets_all(
    broker: Broker, tmp_path: Path
) -> None:
    with collecting(broker, tmp_path) as collector, closing(Device(broker.port)) as device:
        for n in range(60):
            device.commit(size=2000)
            device.work(0.01)
            if n == 20:
                broker.cut()
            if n == 40:
                broker.restore()
        device.until(lambda: device.drained)
        device.store.begin()
        for _ in range(20):
            device.commit(size=20_000)
        device.until(lambda: device.drained)
        totals = stop(collector)
    assert rows(tmp_path) == expected(device)
    assert totals["new"] == 800
    assert totals["refused"] == 0


def test_everything_arrives_once_though_the_collector_is_killed(broker: Broker, tmp_path: Path) -> None:
    with closing(Device(broker.port)) as device:
        for _ in range(4):
            with collecting(broker, tmp_path) as collector:
                for _ in range(20):
                    device.commit(size=5000)
                    device.work(0.01)
                collector.kill()
        with collecting(broker, tmp_path) as collector:
            device.until(lambda: device.drained)
            stop(collector)
    assert rows(tmp_path) == expected(device)


def test_a_device_that_lost_its_acknowledgement_gets_it_again_from_the_broker(
    broker: Broker, tmp_path: Path
) -> None:
    with collecting(broker, tmp_path) as collector:
        with closing(Device(broker.port)) as device:
            device.commit()
            device.until(lambda: device.drained)
        stop(collector)
    ear = Ear()
    settings = LinkSettings("127.0.0.1", broker.port, "other", protocol=broker.protocol)
    link = Link(settings, post=ear.post, subscriptions=[(topics.down_ack("demo", "pi-17"), 1)])
    link.start()
    ear.wait(LinkUp)
    message = ear.wait(LinkMessage)
    link.close()
    assert message.retain
    [extent] = ack.decode(message.payload, None).streams["result"].values()
    assert extent.upto == 10


@pytest.mark.mosquitto
def test_what_came_while_the_collector_was_away_is_kept_for_it(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    try:
        with collecting(broker, tmp_path) as collector:
            stop(collector)
        with closing(Device(broker.port, resend_s=100)) as device:
            for _ in range(5):
                device.commit()
            device.until(lambda: device.delivery.status.in_flight > 0)
            device.work(0.5)
            with collecting(broker, tmp_path) as collector:
                device.until(lambda: device.drained, timeout_s=5)
                stop(collector)
        assert rows(tmp_path) == expected(device)
    finally:
        broker.stop()


@pytest.mark.mosquitto
def test_a_batch_that_lies_about_its_sender_is_refused_and_others_go_on(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    try:
        with collecting(broker, tmp_path) as collector, closing(Device(broker.port)) as device:
            device.until(lambda: device.link.state.value == "online")
            device.link.publish("edge/v1/demo/d/pi-18/up/results", b"\0\0\0\1{")
            device.link.publish("edge/v1/demo/d/pi-18/up/results", b"x" * 1_000_000)
            device.commit()
            device.until(lambda: device.drained)
            counts = {"batches": 1, "refused": 2, "new": 10, "duplicate": 0}
            others = {"behind": 0, "damaged": 0, "states_refused": 0}
            assert stop(collector) == {**counts, **others, "refused_format": 2}
    finally:
        broker.stop()


def test_it_waits_for_a_broker_and_stops_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agent.fleet.main", "collect", "--unsigned", "--port", "1"]
    command += ["--to", f"sqlite:///{tmp_path / 'fleet.db'}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert "link.lost 127.0.0.1:1 reason=connection refused" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    counts = ("batches", "refused", "new", "duplicate", "behind", "damaged", "states_refused")
    assert output == f"stopped: {', '.join(f'{name} 0' for name in counts)}\n"
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["collect", "--unsigned", "--to", "mysql://x"], 78, "Use sqlite:///FILE"),
        (["collect", "--unsigned", "--fleet", "A/b"], 78, "not allowed in a topic"),
        (
            ["collect", "--unsigned", "--to", "sqlite:////no/such/folder/x.db"],
            1,
            "Check that its folder is there",
        ),
        (["collect", "--port", "0"], 2, "--port"),
        (["collect"], 78, "Make them with: edgectl init DIR"),
        (["collect", "--unsigned", "--keys", "x"], 78, "Leave one of both out"),
        (["collect", "--keys", "/no/such/folder"], 78, "No such file or directory"),
        (["init", "/proc/x", "--no-models"], 1, "Name a folder that you may write"),
        (["init", "x", "--device", "A/b"], 78, "a device cannot be called so"),
        (["collect", "--protocol", "4"], 2, "--protocol"),
        (["gather"], 2, "gather"),
    ],
)
def test_a_wrong_command_line_gives_a_line_and_a_code(arguments: list[str], code: int, line: str) -> None:
    command = [sys.executable, "-m", "agent.fleet.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert line in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_without_the_extra_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['typer'] = None; from agent.fleet.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "edgectl: start edgectl: the package typer is missing. In the checkout, run: pip install '.[fleet]'"
    ]


def test_the_help_teaches() -> None:
    command = [sys.executable, "-m", "agent.fleet.main", "collect", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "\n  examples:\n    edgectl collect --keys keys --host" in text
    assert "exit codes: 0 stopped, 1 failed, 2 usage, 78" in text


@pytest.mark.mosquitto
def test_the_device_with_the_right_key_is_served_and_others_are_refused(
    tmp_path: Path,
) -> None:
    keys, others = tmp_path / "keys", tmp_path / "others"
    make_keys(keys, ["pi-1"])
    make_keys(others, ["pi-2"])
    broker = Broker(tmp_path / "broker", kind="mosquitto")
    broker.start()
    with (
        closing_broker(broker),
        collecting(broker, tmp_path, "--keys", str(keys)) as collector,
        closing(Device(broker.port, name="pi-1", keys=keys)) as good,
        closing(Device(broker.port, name="pi-2", keys=others)) as stranger,
        closing(Device(broker.port, name="pi-3")) as unsigned,
    ):
        for device in (good, stranger, unsigned):
            device.commit()
        good.until(lambda: good.drained)
        for device in (stranger, unsigned):
            device.work(1.0)
            assert not any(device.store.acked.values())
        with closing(sqlite3.connect(tmp_path / "fleet.db")) as db:
            stored = db.execute("SELECT DISTINCT device FROM results ORDER BY 1").fetchall()
        assert stored == [("pi-1",)]
        assert stop(collector)["refused"] >= 2
