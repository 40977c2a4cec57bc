"""Sensors that publish to a broker: a real mosquitto, and one that lies."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from agent.errors import InputRejected, LoginRefused, SourceLost
from agent.sources import mqtt
from tests.simulators.certificates import self_signed
from tests.simulators.hostile_broker import HostileBroker, frame, publish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.demo.broker import Broker
    from agent.types import Frame, Source

pytestmark = pytest.mark.mosquitto


def sensor(port: int, **more: Any) -> Source:
    given = {"host": "127.0.0.1", "port": port, "topics": ["t/+"], "rate": 1000, "window": 1, "max_gap_s": 10}
    return mqtt.build(mqtt.Options(**{**given, **more}), start=3)


def one(source: Source) -> Frame:
    deadline = time.monotonic() + 30
    while (found := source.read(0.5)) is None:
        assert time.monotonic() < deadline
    return found


def lost_within(source: Source, limit_s: float) -> str:
    """Read until the source is lost; give what it says."""
    before = time.monotonic()
    while time.monotonic() - before < limit_s:
        try:
            source.read(0.5)
        except SourceLost as error:
            return str(error)
    raise AssertionError("it was not lost in time")


@contextmanager
def publisher(port: int) -> Iterator[paho.Client]:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def own_mosquitto(folder: Path, *lines: str) -> Iterator[int]:
    """Start a mosquitto that is set up in another way than ours; give its port."""
    program = shutil.which("mosquitto")
    assert program
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    config = folder / "own.conf"
    config.write_text("\n".join([f"listener {port} 127.0.0.1", "user root", "log_type none", *lines]))
    with subprocess.Popen([program, "-c", config]) as process:
        try:
            until_listening(port)
            yield port
        finally:
            process.kill()


def until_listening(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("qos", [0, 1])
def test_messages_become_windows(broker: Broker, qos: int) -> None:
    with (
        publisher(broker.port) as client,
        closing(sensor(broker.port, channels=["/b", "/a/0"], qos=qos)) as source,
    ):
        client.publish("t/x", b'{"a": [1], "b": 2.5}', qos=qos)
        first = one(source)
        second = None
        while second is None:  # a window ends with the first sample that is later than it
            client.publish("t/y", b'{"b": 2.5, "a": [1, 0]}', qos=qos)
            second = source.read(0.01)
    assert (first.seq, first.data.tolist()) == (3, [[2.5, 1]])
    assert (second.seq, second.data.tolist()) == (4, [[2.5, 1]])
    assert abs(first.captured_ns - time.monotonic_ns()) < 10 * 10**9


def test_a_message_that_cannot_be_read_fails_one_window_and_says_why(broker: Broker) -> None:
    with publisher(broker.port) as client, closing(sensor(broker.port)) as source:
        for payload in (b"broken", b"worse", b"21.5"):
            client.publish("t/x", payload)
        with pytest.raises(
            InputRejected, match=r"window 3: a message is no number: 'broken'.*See that channels"
        ):
            one(source)
        found = one(source)
        assert (found.seq, found.data.tolist()) == (4, [[21.5]])


def test_what_the_broker_had_kept_is_not_taken_for_news(broker: Broker) -> None:
    with publisher(broker.port) as client:
        client.publish("t/x", b"1", retain=True, qos=1).wait_for_publish(10)
        with closing(sensor(broker.port)) as source:
            client.publish("t/x", b"2")
            assert one(source).data.tolist() == [[2]]


def test_a_broker_that_dies_is_lost_at_once_and_back_when_it_is(broker: Broker) -> None:
    with closing(sensor(broker.port)) as source:
        broker.cut()
        assert "the connection has ended" in lost_within(source, 2)
    with pytest.raises(SourceLost, match=r"connection refused.*it is tried again"):
        sensor(broker.port)
    broker.restore()
    with closing(sensor(broker.port)) as source, publisher(broker.port) as client:
        client.publish("t/x", b"5")
        assert one(source).data.tolist() == [[5]]


def test_a_broker_that_freezes_is_lost_within_five_seconds(broker: Broker) -> None:
    assert broker.pid
    with closing(sensor(broker.port)) as source:
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            assert "it says nothing any more" in lost_within(source, 5)
        finally:
            os.kill(broker.pid, signal.SIGCONT)


def test_a_sensor_that_is_silent_is_lost(broker: Broker) -> None:
    with closing(sensor(broker.port, silence_s=0.5)) as source:
        said = lost_within(source, 2)
        assert "no sample for" in said
        assert "Check topics" in said


def test_a_wrong_password_is_one_line_without_it(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("")
    shown = subprocess.run(
        ["mosquitto_passwd", "-b", tmp_path / "users", "pump", "right"], capture_output=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    login = tmp_path / "login"
    with own_mosquitto(tmp_path, "allow_anonymous false", f"password_file {tmp_path / 'users'}") as port:
        login.write_text("pump:wrong1\n")
        with pytest.raises(
            LoginRefused, match=r"(not authorized|bad user name or password).*that login names"
        ) as told:
            sensor(port, login=str(login))
        assert "wrong1" not in str(told.value)
        login.write_text("pump:right\n")
        sensor(port, login=str(login)).close()


def test_a_broker_is_checked_where_tls_is_asked_for(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    with own_mosquitto(tmp_path, "allow_anonymous true", f"certfile {cert}", f"keyfile {key}") as port:
        with closing(sensor(port, host="localhost", tls=True, ca_file=str(cert))) as source:
            assert source.read(0.05) is None
        with pytest.raises(SourceLost, match=r"certificate is not trusted.*Check ca_file"):
            sensor(port, host="localhost", tls=True)
        with pytest.raises(SourceLost, match=r"certificate is not trusted: .*127\.0\.0\.1"):
            sensor(port, tls=True, ca_file=str(cert))
        with pytest.raises(SourceLost, match="TLS files cannot be used"):
            sensor(port, host="localhost", tls=True, ca_file=str(key))
    with pytest.raises(SourceLost, match=r"no address found"):
        sensor(port, host="no-such-host.invalid")


CONNACK, SUBACK = frame(0x20, b"\0\0"), frame(0x90, b"\0\1\0")


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"\x30" + b"\xff\xff\x7f", r"it began a packet of 2097151 bytes, and 65536 is the most"),
        (frame(0x10, b"\0\4MQTT\4\0\0\0\0\0"), r"kind 1, which is not for us"),
        (publish(b"t/x", b"1", qos=2), r"QoS 2"),
        (frame(0x30, b"\xff"), r"it sent what MQTT does not allow\. See what is published"),
    ],
)
def test_a_broker_that_lies_costs_the_connection(sent: bytes, told: str) -> None:
    with HostileBroker() as broker, closing(sensor(broker.port)) as source:
        broker.send(sent)
        with pytest.raises(SourceLost, match=told):
            one(source)


def test_a_broker_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        before = time.monotonic()
        with pytest.raises(SourceLost, match=r"does not answer .connect."):
            sensor(deaf.getsockname()[1])
        assert time.monotonic() - before < 8


def test_a_broker_that_reads_no_answers_gets_no_more_of_them_than_fit() -> None:
    def serve() -> None:
        with listening, listening.accept()[0] as client, suppress(OSError):
            client.recv(4096)
            client.sendall(frame(0x20, b"\0\0"))
            client.sendall(frame(0x90, client.recv(4096)[2:4] + b"\0"))
            while True:
                client.sendall(publish(b"t/x", b"1", qos=1) * 1000)

    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)  # which is what its connection gets, too
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    thread = threading.Thread(target=serve)
    thread.start()
    with closing(sensor(listening.getsockname()[1], keepalive_s=3600)) as source:
        client = source._feed._client  # type: ignore[attr-defined]
        client.socket().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            source.read(0.1)
        waiting = len(client._out_packet)
    thread.join(60)
    assert waiting < 64
