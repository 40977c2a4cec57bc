"""One connection to a broker, from the attempt to its end, on a paho client of its own.

paho keeps messages across reconnects and would send them again by itself; a fresh client has nothing to
keep. Its callbacks only note what happened: the thread that calls ``turn`` reads the notes afterwards.
"""

from __future__ import annotations

import ssl
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.events import Event, emit
from agent.link import properties, reasons, sockets
from agent.link.reasons import Reason
from agent.link.settings import MQTT_MAX_INFLIGHT, MQTT_MAX_PACKET
from agent.mqtt.client import GuardedClient, tls_context
from agent.mqtt.packets import Guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt import client as paho
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from agent.link.settings import LinkSettings, Message
    from agent.link.versions import Version

_MOST_UNREAD = 1000
"""Confirmations that may wait for a broker which takes nothing; paho would keep any number."""
_MOST_UNCONFIRMED = 128
"""Messages without a confirmation, whatever a broker allows: paho keeps each of them."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """CONNACK: the broker takes us."""

    max_packet: int
    receive_max: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """SUBACK: all that was asked for at once is granted."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The connection is over."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Received:
    """A message; ``mid`` is its packet id, 0 at QoS 0."""

    topic: str
    payload: bytes
    retain: bool
    mid: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """PUBACK of the message that was sent as ``mid``, with why it was refused; or, at QoS 0, it has left."""

    mid: int
    refused: str


Note = Accepted | Subscribed | Ended | Received | Confirmed


class Session:
    """A connection; used by one thread only.

    Attributes:
        notes: what happened, to be emptied after each call; nothing counts after ``Ended``.
        unconfirmed: messages sent and not confirmed yet.
        unanswered: the broker was reached, and has not answered CONNECT.
        met: our certificate was shown, or could not be read.
    """

    def __init__(self, settings: LinkSettings, version: Version, will: Message | None) -> None:
        self._settings = settings
        self._version: Version = version
        self._asked: dict[int, Sequence[tuple[str, int]]] = {}
        self._ended = False
        self.notes: deque[Note] = deque()
        self.unconfirmed = 0
        self._unread = 0
        self.unanswered = self.met = False
        five = version == "5"
        client = GuardedClient(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=None if five else settings.session_expiry_s == 0,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=settings.manual_ack,
        )
        client.guard = self._guard = Guard(settings.max_packet_in, five=five)
        client.connect_timeout = settings.connect_timeout_s
        client.max_inflight_messages_set(0)  # our own window limits it; paho must not queue
        if settings.username:
            client.username_pw_set(settings.username, settings.password or None)
        if will is not None:
            client.will_set(
                will.topic, will.payload, will.qos, will.retain, properties.of_will(settings, version)
            )
        client.on_socket_open = sockets.tune
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        self._client = client

    def open(self) -> None:
        """Connect and send CONNECT; blocks up to the connect timeout. A failure becomes an ``Ended`` note."""
        settings = self._settings
        if settings.tls:
            try:
                self._client.tls_set_context(tls_context(settings))
            except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
                self.met = True
                text = f"the TLS files cannot be used: {error}"
                self._end(Reason(text, refused=True, hint="Check ca_file, cert_file and key_file"))
                return
        try:
            if self._version == "5":
                self._client.connect(
                    settings.host,
                    settings.port,
                    settings.keepalive_s,
                    clean_start=settings.session_expiry_s == 0,
                    properties=properties.of_connect(settings),
                )
            else:
                self._client.connect(settings.host, settings.port, settings.keepalive_s)
        except (OSError, ValueError) as error:
            self.met = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLCertVerificationError)
            self._end(reasons.of_error(error, settings.host, settings.port))
        else:
            self.unanswered = self.met = True

    def fileno(self) -> int:
        """The socket to wait for; -1 when there is none any more."""
        sock = self._client.socket()
        return -1 if sock is None else sock.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether bytes wait for the socket."""
        return self._client.want_write()

    @property
    def has_read(self) -> bool:
        """Whether TLS holds bytes that the socket no longer shows."""
        sock = self._client.socket()
        return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0

    def turn(self, *, readable: bool, writable: bool) -> None:
        """Let paho read, write and keep the connection alive. Whatever paho raises comes through."""
        if readable:
            self._client.loop_read()
        if self._guard.problem:
            self._refuse(self._guard.problem)
            return
        if self._unread > _MOST_UNREAD:
            self._refuse("it goes on sending and reads none of our confirmations")
            return
        if writable:
            self._client.loop_write()
        self._client.loop_misc()
        if self._client.socket() is None:
            self._end(Reason("the connection is lost"))

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        """Ask for ``filters``, pairs of topic filter and QoS."""
        if not filters:
            self.notes.append(Subscribed())
            return
        _, mid = self._client.subscribe(list(filters))
        if mid is not None:
            self._asked[mid] = filters

    def unsubscribe(self, topics: Sequence[str]) -> None:
        """Take back what was asked for."""
        self._client.unsubscribe(list(topics))

    def send(self, message: Message) -> int:
        """Publish; give the packet id that ``Confirmed`` will name."""
        # Counted first: at QoS 0 the callback can come before publish returns.
        self.unconfirmed += 1
        about = properties.of_message(message, self._version)
        return self._client.publish(
            message.topic, message.payload, message.qos, message.retain, properties=about
        ).mid

    def confirm(self, mid: int) -> None:
        """Send PUBACK for a received message."""
        self._client.ack(mid, 1)
        self._count_unread()

    def disconnect(self) -> None:
        """Send DISCONNECT: the broker forgets our last will."""
        self._client.disconnect()

    def abandon(self, reason: Reason) -> None:
        """Drop the connection without a word, so that the broker publishes our last will."""
        sock = self._client.socket()
        if sock is not None:
            sock.close()
        self._end(reason)

    def _refuse(self, problem: str) -> None:
        emit(Event.MESSAGE_REFUSED, self._settings.broker, refusal="packet", problem=problem)
        self.abandon(Reason(f"the broker does what it may not: {problem}"))

    def _count_unread(self) -> None:
        """Count a confirmation that paho keeps because the broker takes nothing from us."""
        self._unread = self._unread + 1 if self.wants_write else 0

    def _end(self, reason: Reason) -> None:
        if not self._ended:
            self._ended = True
            self.notes.append(Ended(reason))

    def _on_connect(
        self, _client: paho.Client, _data: object, _flags: object, code: ReasonCode, got: Properties | None
    ) -> None:
        self.unanswered = False
        if code.is_failure:
            self._end(reasons.of_answer(code.getName()))
            return
        max_packet = getattr(got, "MaximumPacketSize", MQTT_MAX_PACKET)
        receive_max = getattr(got, "ReceiveMaximum", MQTT_MAX_INFLIGHT)
        most = min(max_packet, self._settings.max_packet_out)
        self.notes.append(Accepted(most, min(receive_max, _MOST_UNCONFIRMED)))

    def _on_subscribe(
        self, _client: paho.Client, _data: object, mid: int, codes: list[ReasonCode], _got: object
    ) -> None:
        if (asked := self._asked.pop(mid, None)) is None:
            return
        refused = [name for (name, _), code in zip(asked, codes, strict=False) if code.is_failure]
        if refused or len(codes) != len(asked):
            topic = refused[0] if refused else asked[-1][0]
            hint = "Check the broker's access list"
            self._end(Reason(f"no subscription to {topic}", refused=True, hint=hint))
        else:
            self.notes.append(Subscribed())

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        mid = message.mid if message.qos else 0
        if mid and not self._settings.manual_ack:  # paho confirms it
            self._count_unread()
        try:
            topic = message.topic
        except UnicodeDecodeError:
            emit(Event.MESSAGE_REFUSED, self._settings.broker, refusal="topic", problem="it is not UTF-8")
            if self._settings.manual_ack and mid:
                self.confirm(mid)
            return
        self.notes.append(Received(topic, bytes(message.payload), message.retain, mid))

    def _on_publish(
        self, _client: paho.Client, _data: object, mid: int, code: ReasonCode, _got: object
    ) -> None:
        self.unconfirmed -= 1
        if refused := str(reasons.of_answer(code.getName())) if code.is_failure else "":
            emit(Event.MESSAGE_REFUSED, self._settings.broker, problem=refused)
        self.notes.append(Confirmed(mid, refused))

    def _on_disconnect(
        self, _client: paho.Client, _data: object, flags: paho.DisconnectFlags, code: ReasonCode, _got: object
    ) -> None:
        if self._guard.problem:
            return  # that is why; turn tells it
        if flags.is_disconnect_packet_from_server:
            self._end(reasons.of_answer(code.getName()))
        elif code.getName() == "Keep alive timeout":
            self._end(Reason("the broker has gone silent"))
        else:
            self._end(Reason("the broker closed the connection"))
