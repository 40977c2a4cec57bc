"""The link with a real mosquitto: up, down, up again, and all that a broker can say no to."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from agent.errors import LinkLost, MessageInvalid
from agent.link.connection import LinkState
from agent.link.mqtt import Link
from agent.link.settings import LinkDown, LinkMessage, LinkPublished, LinkSettings, LinkUp, Message
from tests.simulators.broker_proxy import BrokerProxy
from tests.simulators.ear import Ear

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto

SETTINGS = LinkSettings(
    host="127.0.0.1", port=0, client_id="device", backoff_base_s=0.05, backoff_cap_s=0.3, refused_s=0.2
)


@contextmanager
def mosquitto(folder: Path, port: int, *lines: str) -> Iterator[None]:
    """Start a mosquitto that is set up in another way than ours."""
    program = shutil.which("mosquitto")
    assert program
    config = folder / "own.conf"
    config.write_text("\n".join([f"listener {port} 127.0.0.1", "user root", "log_type none", *lines]))
    with subprocess.Popen([program, "-c", config]) as process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def linked(ear: Ear, settings: LinkSettings, **more: Any) -> Iterator[Link]:
    link = Link(settings, post=ear.post, **more)
    link.start()
    try:
        yield link
        assert link.alive
    finally:
        link.close(2)
        assert not link.alive


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_messages_go_out_and_come_in(broker: Broker, protocol: Any) -> None:
    ear = Ear()
    settings = replace(SETTINGS, port=broker.port, protocol=protocol)
    with linked(ear, settings, subscriptions=[("to/+", 1), ("also/#", 0)]) as link:
        up = ear.wait(LinkUp)
        assert up.protocol == protocol
        assert link.state is LinkState.ONLINE
        token = link.publish("to/me", b"hello")
        got = {type(event): event for event in (ear.wait(object), ear.wait(object))}
        assert got == {
            LinkPublished: LinkPublished(token),
            LinkMessage: LinkMessage("to/me", b"hello", retain=False, receipt=(1, 1)),
        }


def test_auto_speaks_mqtt_5_with_a_broker_that_can(broker: Broker) -> None:
    ear = Ear()
    with linked(ear, replace(SETTINGS, port=broker.port)):
        assert ear.wait(LinkUp).protocol == "5"


def test_a_killed_broker_is_noticed_and_subscribed_to_again_when_it_is_back(broker: Broker) -> None:
    ear = Ear()
    with linked(ear, replace(SETTINGS, port=broker.port), subscriptions=[("to/me", 1)]) as link:
        ear.wait(LinkUp)
        broker.cut()
        assert not ear.wait(LinkDown).refused
        with pytest.raises(LinkLost, match="no link to"):
            link.publish("to/me", b"")
        broker.restore()
        ear.wait(LinkUp)
        link.publish("to/me", b"again")
        assert ear.wait(LinkMessage).payload == b"again"


def test_the_limits_of_the_broker_are_known_and_kept(broker: Broker, tmp_path: Path) -> None:
    broker.stop()
    ear = Ear()
    limits = ["allow_anonymous true", "max_packet_size 20000", "max_inflight_messages 7"]
    settings = replace(SETTINGS, port=broker.port)
    with mosquitto(tmp_path, broker.port, *limits), linked(ear, settings, subscriptions=[("t", 1)]) as link:
        up = ear.wait(LinkUp)
        assert (up.max_packet, up.receive_max) == (20_000, 7)
        with pytest.raises(MessageInvalid, match="the broker takes 20000"):
            link.publish("t", b"x" * 20_000)
        link.publish("t", b"x" * 19_900)
        assert len(ear.wait(LinkMessage).payload) == 19_900
        assert ear.silent(LinkDown, 0.2)


def test_a_broker_that_drops_large_packets_without_a_word_can_be_helped_by_a_setting(broker: Broker) -> None:
    ear = Ear()
    settings = replace(SETTINGS, port=broker.port, protocol="3.1.1", max_packet_out=1000)
    with linked(ear, settings) as link:
        assert ear.wait(LinkUp).max_packet == 1000
        with pytest.raises(MessageInvalid):
            link.publish("t", b"x" * 1000)


def test_a_refused_login_is_told_as_such(broker: Broker, tmp_path: Path) -> None:
    broker.stop()
    passwords, right = tmp_path / "passwords", "open sesame"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "pi", right], check=True, capture_output=True)
    setup = ["allow_anonymous false", f"password_file {passwords}"]
    with mosquitto(tmp_path, broker.port, *setup):
        for protocol in ("5", "3.1.1"):
            ear = Ear()
            settings = replace(
                SETTINGS, port=broker.port, protocol=protocol, username="pi", password=right[1:]
            )
            with linked(ear, settings):
                down = ear.wait(LinkDown)
                while "connection refused" in down.reason:  # it is still starting
                    down = ear.wait(LinkDown)
                assert down.refused
                assert "not authorized" in down.reason
                assert "Check user name, password" in down.reason
            with linked(ear, replace(settings, password=right)):
                ear.wait(LinkUp)


def test_a_link_that_has_gone_silent_is_noticed_by_keepalive(broker: Broker) -> None:
    ear = Ear()
    with BrokerProxy(broker.port) as proxy:
        settings = replace(SETTINGS, port=proxy.port, keepalive_s=1, answer_timeout_s=0.5)
        with linked(ear, settings):
            ear.wait(LinkUp)
            proxy.silent = True
            began = time.monotonic()
            down = ear.wait(LinkDown)
            assert down.reason == "the broker has gone silent"
            assert time.monotonic() - began < 8
            proxy.silent = False
            ear.wait(LinkUp)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_birth_will_and_farewell_tell_who_is_there(broker: Broker, protocol: Any) -> None:
    state = {flag: Message("up/state", flag.encode(), retain=True) for flag in ("here", "gone")}
    # A client that is back at once has not died for the broker: with this seed it waits 0.04 s.
    settings = replace(SETTINGS, port=broker.port, protocol=protocol, backoff_base_s=1, will_delay_s=0)
    watching, ear, rng = Ear(), Ear(), Random(1)
    with linked(watching, replace(settings, client_id="watcher"), subscriptions=[("up/state", 1)]):
        watching.wait(LinkUp)
        with linked(ear, settings, birth=state["here"], will=state["gone"], rng=rng) as link:
            assert watching.wait(LinkMessage).payload == b"here"
            link.reconnect("pull the plug")
            assert watching.wait(LinkMessage).payload == b"gone"
            assert watching.wait(LinkMessage).payload == b"here"
            ear.wait(LinkDown)
            ear.wait(LinkUp)
            link.publish("up/state", b"bye", retain=True)
        assert watching.wait(LinkMessage).payload == b"bye"
        assert watching.silent(LinkMessage, 0.3)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_an_unsettled_message_comes_again_and_a_settled_one_does_not(broker: Broker, protocol: Any) -> None:
    settings = replace(
        SETTINGS,
        port=broker.port,
        protocol=protocol,
        session_expiry_s=3600,
        manual_ack=True,
        client_id="kept",
    )
    ear = Ear()
    with linked(ear, settings, subscriptions=[("to/me", 1)]) as link:
        ear.wait(LinkUp)
        for text in (b"one", b"two"):
            link.publish("to/me", text)
        link.settle(ear.wait(LinkMessage))
        assert ear.wait(LinkMessage).payload == b"two"
    with linked(ear, settings, subscriptions=[("to/me", 1)]) as link:
        message = ear.wait(LinkMessage)
        assert message.payload == b"two"
        link.settle(message)
        ear.wait(LinkUp)
    with linked(ear, settings, subscriptions=[("to/me", 1)]):
        ear.wait(LinkUp)
        assert ear.silent(LinkMessage, 0.3)


def test_tls_checks_the_brokers_certificate(broker: Broker, tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
    broker.stop()
    cert, key = tmp_path / "broker.pem", tmp_path / "broker.key"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    make += ["-addext", "subjectAltName=DNS:localhost", "-out", str(cert), "-keyout", str(key)]
    subprocess.run(make, check=True, capture_output=True)
    setup = ["allow_anonymous true", f"certfile {cert}", f"keyfile {key}"]
    settings = replace(SETTINGS, port=broker.port, tls=True)
    with mosquitto(tmp_path, broker.port, *setup):
        ear = Ear()
        with linked(
            ear, replace(settings, host="localhost", ca_file=str(cert)), subscriptions=[("t", 1)]
        ) as link:
            ear.wait(LinkUp)
            link.publish("t", b"x" * 300_000)
            link.publish("t", b"y" * 100_000)
            assert ear.wait(LinkMessage).payload == b"y" * 100_000  # the first is above our announced limit
        for wrong in (replace(settings, host="localhost"), replace(settings, ca_file=str(cert))):
            ear = Ear()
            with linked(ear, wrong):
                down = ear.wait(LinkDown)
                assert down.refused
                assert "certificate is not trusted" in down.reason
