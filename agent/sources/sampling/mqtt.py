"""An MQTT subscriber that is turned by who reads it: no thread, and no wait that is longer than asked."""

from __future__ import annotations

import secrets
import select
import socket
import ssl
import time
from typing import TYPE_CHECKING, Protocol

import numpy as np
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from agent.errors import LoginRefused, SourceLost
from agent.mqtt.client import GuardedClient, tls_context
from agent.mqtt.packets import Guard
from agent.sources.sampling.payloads import MAX_BYTES

if TYPE_CHECKING:
    import paho.mqtt.client as paho
    from paho.mqtt.reasoncodes import ReasonCode

    from agent.sources.sampling.broker import Broker
    from agent.types import Array

_OP = "listen to broker"
_CONNECT_S = 4.0
_ANSWER_S = 4.0
"""For the answers to CONNECT and SUBSCRIBE."""
_PACKETS = 64
"""Packets that are read before the samples in them are given out."""
_REFUSED = 0x80
"""In SUBACK: the broker will not send what was asked for."""
_FINE, _WRONG = MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_PROTOCOL
_AWAY = "Check the broker's address, and that it runs; it is tried again"
_STRANGE = f"See what is published there: a message of a sensor has {MAX_BYTES} bytes at most"
_LOGIN = "Check the name and the password in the file that login names"
_ANSWERS = {
    "Bad user name or password": _LOGIN,
    "Not authorized": _LOGIN,
    "Client identifier not valid": "Set another client_id",
}


class Reader(Protocol):
    """Makes samples of messages."""

    channels: int

    def read(self, payload: bytes) -> tuple[float, ...] | str:
        """Give the sample in a message, or what is wrong with it."""


class Subscriber:
    """Implements ``Feed``: a clean session of MQTT 3.1.1. A sample is dated by when its message came.

    Messages that the broker had retained are left out: nobody knows how old they are.

    Args:
        broker: which, and what is subscribed to.
        login: name and password.
        reader: makes samples of messages.

    Raises:
        SourceLost: the broker is away or refuses us, or the files for TLS cannot be used.
    """

    def __init__(self, broker: Broker, login: tuple[str, str] | None, reader: Reader) -> None:
        self._name = "{}:{}".format(*broker.address)
        self._reader = reader
        self._found: list[tuple[Array, Array] | str] = []
        self._last_ns = 0
        self._asked: str | None = "connect"
        self._refused = ""
        self._guard = Guard(MAX_BYTES, five=False)
        self._client = self._made(broker, login)
        try:
            self._connect(broker)
            self._await()
        except SourceLost:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The broker's address."""
        return self._name

    def take(self, timeout_s: float) -> list[tuple[Array, Array] | str]:
        """Wait for messages, and give their samples.

        Raises:
            SourceLost: the broker is gone.
        """
        self._turn(timeout_s)
        found, self._found = self._found, []
        return found

    def close(self) -> None:
        """Say goodbye, and close the connection. Idempotent."""
        if (held := self._client.socket()) is not None:
            self._client.disconnect()
            held.close()

    def _made(self, broker: Broker, login: tuple[str, str] | None) -> GuardedClient:
        client = GuardedClient(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id or f"edge-agent-{secrets.token_hex(6)}",
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.guard = self._guard
        client.connect_timeout = _CONNECT_S
        if login:
            client.username_pw_set(*login)
        if broker.tls:
            client.tls_set_context(self._context(broker))

        def connected(_: paho.Client, __: object, ___: object, code: ReasonCode, ____: object) -> None:
            if code.is_failure:
                self._refused = str(code)
                return
            self._asked = "subscribe"
            wanted: list[tuple[str, int]] = [(one, broker.qos) for one in broker.topics]
            client.subscribe(wanted)

        def subscribed(_: paho.Client, __: object, ___: int, codes: list[ReasonCode], ____: object) -> None:
            self._asked = None
            denied = [one for one, code in zip(broker.topics, codes, strict=False) if code.value >= _REFUSED]
            if denied:
                self._refused = f"it lets us not subscribe to {denied[0][:100]}"

        client.on_connect = connected
        client.on_subscribe = subscribed
        client.on_message = self._message
        return client

    def _message(self, _: paho.Client, __: object, message: paho.MQTTMessage) -> None:
        if message.retain:
            return
        values = self._reader.read(bytes(message.payload))
        if isinstance(values, str):
            self._found.append(values)
            return
        self._last_ns = max(self._last_ns + 1, time.monotonic_ns())
        self._found.append((np.array([self._last_ns]), np.array([values])))

    def _context(self, broker: Broker) -> ssl.SSLContext:
        try:
            return tls_context(broker)
        except OSError as error:  # ssl.SSLError is one
            problem = f"the TLS files cannot be used: {_told(error)}"
            raise self._lost(problem, "Check ca_file, cert_file and key_file") from error

    def _connect(self, broker: Broker) -> None:
        try:
            self._client.connect(*broker.address, keepalive=broker.keepalive_s)
        except ssl.SSLCertVerificationError as error:
            problem = f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
            raise self._lost(problem, "Check ca_file, the host's name and this machine's clock") from error
        except ssl.SSLError as error:
            raise self._lost(f"TLS failed: {_told(error)}", "Check that the port is the TLS port") from error
        except socket.gaierror as error:
            hint = "Check host and the name server"
            raise self._lost("no address found for this name", hint) from error
        except (OSError, UnicodeError) as error:  # a name may be one that no name server can be asked for
            raise self._lost(_told(error), _AWAY) from error

    def _await(self) -> None:
        """Wait until the broker has taken the subscription."""
        deadline = time.monotonic() + _ANSWER_S
        while self._asked:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._lost(f"it does not answer ({self._asked})", _AWAY)
            self._turn(left)
            self._judge()
        self._judge()

    def _judge(self) -> None:
        if self._refused:
            raise self._lost(
                self._refused.lower(), _ANSWERS.get(self._refused, "Check the broker's access list")
            )

    def _turn(self, timeout_s: float) -> None:
        """Let paho read, write and look at the clock; wait for that at most so long."""
        held = self._client.socket()
        if held is None:
            raise self._lost("the connection has ended", _AWAY)
        blocked = self._client.want_write()  # then nothing is read: each message may want an answer
        pending = not blocked and isinstance(held, ssl.SSLSocket) and held.pending() > 0
        poll = select.poll()
        poll.register(held, select.POLLOUT if blocked else select.POLLIN)
        ready = pending or bool(poll.poll(timeout_s * 1000))
        code = self._exchange() if ready else _FINE
        problem = "it sent what MQTT does not allow" if code == _WRONG else "the connection has ended"
        if code == _FINE and self._client.loop_misc() != _FINE:
            code, problem = MQTTErrorCode.MQTT_ERR_KEEPALIVE, "it says nothing any more"
        if code != _FINE and not self._refused:
            strange = code == _WRONG or self._guard.problem
            raise self._lost(self._guard.problem or problem, _STRANGE if strange else _AWAY)

    def _exchange(self) -> MQTTErrorCode:
        """Write what is to be written, and read messages as long as there are some."""
        code = self._client.loop_write() if self._client.want_write() else _FINE
        for _ in range(_PACKETS):
            if code != _FINE or self._client.socket() is None or self._client.want_write():
                break
            before = len(self._found)
            code = self._client.loop_read()
            if len(self._found) == before:  # it was no message, or not all of one
                break
        return code

    def _lost(self, problem: str, hint: str) -> SourceLost:
        kind = LoginRefused if hint == _LOGIN else SourceLost
        return kind(_OP, self._name, " ".join(problem.split()), hint)


def _told(error: OSError | UnicodeError) -> str:
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(told.split())[:200].lower()
