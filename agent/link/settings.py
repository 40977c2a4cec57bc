"""How the link is told what to do, and what it says: plain values that cross threads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.link.versions import Choice, Version

MQTT_MAX_PACKET = 268_435_460
"""Bytes of the largest packet that MQTT itself allows."""
MQTT_MAX_INFLIGHT = 65_535


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """One broker, and how to speak with it. Times are seconds, sizes bytes.

    Attributes:
        client_id: unique at the broker; two clients of one id throw each other out for ever.
        protocol: "auto" tries MQTT 5 first and remembers what worked.
        keepalive_s: a link that has gone silent is noticed after about twice this time.
        tls: encrypt; the broker's certificate is checked against ``ca_file``, or the system's authorities.
        session_expiry_s: how long the broker keeps our session (subscriptions and queued messages) while we
            are away; 0 begins anew each time. MQTT 3.1.1 knows only 0 and "for ever".
        will_delay_s: how long after losing us the broker publishes our last will (MQTT 5, kept sessions).
        max_packet_in: announced to the broker (MQTT 5): larger packets are not for us.
        max_packet_out: the largest packet to send, when the broker names no limit or a higher one.
        receive_max: how many messages of QoS 1 the broker may send before it needs an answer (MQTT 5).
        manual_ack: a message of QoS 1 is confirmed to the broker by ``Link.settle``, not on arrival.
        connect_timeout_s: for TCP and for TLS, each.
        answer_timeout_s: for CONNACK and for SUBACK, each.
        confirm_timeout_s: a link on which no message of ours was confirmed for so long, though one is
            due, is dropped; 0 leaves that to whoever publishes.
        backoff_base_s, backoff_cap_s: bounds of the full-jitter wait between attempts.
        refused_s: between attempts when the broker said no.
    """

    host: str
    port: int
    client_id: str
    protocol: Choice = "auto"
    keepalive_s: int = 30
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    session_expiry_s: int = 0
    will_delay_s: int = 30
    max_packet_in: int = 256 << 10
    max_packet_out: int = MQTT_MAX_PACKET
    receive_max: int = 20
    manual_ack: bool = False
    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 10.0
    confirm_timeout_s: float = 0.0
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 60.0
    refused_s: float = 30.0

    @property
    def broker(self) -> str:
        """The broker, for people."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Message:
    """Something to publish; ``expiry_s``: so long brokers keep it for who is away (MQTT 5), 0 for ever."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_s: int = 0


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The broker has accepted us and our subscriptions. Messages of a kept session may come before this.

    Attributes:
        max_packet: bytes of the largest packet that may be sent, all included.
        receive_max: how many messages of QoS 1 may be on their way at once.
        cert_file: the certificate that the broker was shown; "" for none.
    """

    protocol: Version
    max_packet: int
    receive_max: int
    cert_file: str = ""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link is lost, or an attempt failed; what was published and not confirmed is forgotten.

    Attributes:
        reason: for people.
        refused: the broker or our own settings said no: trying again will hardly help.
        met: somebody answers at the broker's address, and has not let us in: it may be our certificate.
    """

    reason: str
    refused: bool
    met: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class LinkMessage:
    """A message from the broker.

    Attributes:
        retain: it was kept by the broker from before we subscribed.
        receipt: what ``Link.settle`` needs to confirm it; opaque.
    """

    topic: str
    payload: bytes
    retain: bool
    receipt: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class LinkPublished:
    """The broker has answered the message that ``Link.publish`` gave this token for. No delivery yet.

    Attributes:
        refused: why it has not taken the message over, for people (MQTT 5); "" when it has.
    """

    token: int
    refused: str = ""
