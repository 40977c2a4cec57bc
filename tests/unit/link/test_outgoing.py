"""What waits for the MQTT thread is bounded, and never what the broker would refuse."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from agent.errors import LinkLost, MessageInvalid
from agent.link import reasons
from agent.link.outgoing import Outgoing, packet_size
from agent.link.settings import Message


def outgoing(**limits: int) -> Outgoing:
    made = Outgoing("broker:1883", **limits)
    made.open(1000)
    return made


def test_messages_come_out_in_order_with_their_tokens() -> None:
    queue = outgoing()
    tokens = [queue.put(Message("t", bytes([n]))) for n in range(3)]
    taken = [queue.take() for _ in range(3)]
    assert taken == [(token, Message("t", bytes([n]))) for n, token in enumerate(tokens)]
    assert queue.take() is None


def test_nothing_is_taken_without_a_link_and_nothing_outlives_it() -> None:
    queue = Outgoing("broker:1883")
    with pytest.raises(LinkLost, match="no link to broker:1883"):
        queue.put(Message("t", b""))
    queue.open(1000)
    queue.put(Message("t", b""))
    queue.shut()
    assert queue.take() is None
    with pytest.raises(LinkLost):
        queue.put(Message("t", b""))


def test_a_packet_above_the_brokers_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    queue = outgoing()
    room = 1000 - packet_size(Message("t", b""))
    queue.put(Message("t", b"x" * room))
    with pytest.raises(MessageInvalid, match="the broker takes 1000"):
        queue.put(Message("t", b"x" * (room + 1)))


def test_a_topic_is_measured_in_bytes() -> None:
    assert packet_size(Message("é" * 10, b"")) == packet_size(Message("e" * 20, b""))


def test_the_number_of_waiting_messages_is_bounded() -> None:
    queue = outgoing(max_messages=2)
    queue.put(Message("t", b""))
    queue.put(Message("t", b""))
    with pytest.raises(LinkLost, match="too much waits"):
        queue.put(Message("t", b""))
    queue.take()
    queue.put(Message("t", b""))


def test_the_bytes_that_wait_are_bounded_but_one_message_always_fits() -> None:
    queue = outgoing(max_bytes=300)
    queue.put(Message("t", b"x" * 900))
    with pytest.raises(LinkLost, match="too much waits"):
        queue.put(Message("t", b""))
    queue.take()
    queue.put(Message("t", b"x" * 100))
    queue.put(Message("t", b"x" * 100))
    with pytest.raises(LinkLost, match="too much waits"):
        queue.put(Message("t", b"x" * 100))


@pytest.mark.parametrize(
    "message",
    [Message("a/+", b""), Message("#", b""), Message("", b""), Message("a\0", b""), Message("a", b"", 2)],
)
def test_what_cannot_be_published_is_a_bug_of_the_caller(message: Message) -> None:
    with pytest.raises(ValueError, match="publish to"):
        outgoing().put(message)


@pytest.mark.parametrize(
    ("error", "text", "refused"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "connection refused", False),
        (socket.gaierror(-2, "Name or service not known"), "no address found for 'broker'", False),
        (TimeoutError(), "no answer in time", False),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "network is unreachable", False),
        (ssl.SSLError(1, "wrong version number"), "TLS failed", False),
        (ssl.SSLCertVerificationError(), "is not trusted", True),
        (UnicodeError("label too long"), "is no host name", True),
    ],
)
def test_an_error_of_the_connection_is_told_in_words(error: Exception, text: str, refused: bool) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "self-signed certificate"
    reason = reasons.of_error(error, "broker", 1883)
    assert text in reason.text
    assert reason.refused is refused
    assert "\n" not in str(reason)


def test_an_answer_that_somebody_must_act_on_is_a_refusal() -> None:
    assert reasons.of_answer("Not authorized").refused
    assert not reasons.of_answer("Server busy").refused
    assert reasons.of_answer("Unsupported protocol version").version
    assert str(reasons.of_answer("Banned")).endswith(". Ask the broker's operator")
