"""What MQTT 5 lets us say beside a packet; nothing of ours relies on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

if TYPE_CHECKING:
    from agent.link.settings import LinkSettings, Message
    from agent.link.versions import Version


def of_connect(settings: LinkSettings) -> Properties:
    """Say what we take, and how long the session is to be kept."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = settings.max_packet_in
    properties.ReceiveMaximum = settings.receive_max
    if settings.session_expiry_s:
        properties.SessionExpiryInterval = settings.session_expiry_s
    return properties


def of_will(settings: LinkSettings, version: Version) -> Properties | None:
    """Say how long the last will waits for us to come back; None where there is nothing to say."""
    if version != "5" or not settings.will_delay_s:
        return None
    properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
    properties.WillDelayInterval = settings.will_delay_s
    return properties


def of_message(message: Message, version: Version) -> Properties | None:
    """Say how long a message is kept for who is away; None where there is nothing to say."""
    if version != "5" or not message.expiry_s:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = message.expiry_s
    return properties
