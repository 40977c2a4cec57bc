"""What MQTT 5 lets us say is said there, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.link import properties
from agent.link.settings import LinkSettings, Message

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties

SETTINGS = LinkSettings("broker", 1883, "device", session_expiry_s=60, will_delay_s=30)


def told(found: Properties | None) -> dict[str, Any]:
    assert found is not None
    names: dict[str, Any] = found.json()  # type: ignore[no-untyped-call]
    return names


def test_a_message_says_how_long_it_is_kept_for_who_is_away() -> None:
    found = properties.of_message(Message("t", b"", expiry_s=7), "5")
    assert told(found) == {"MessageExpiryInterval": 7}
    assert properties.of_message(Message("t", b"", expiry_s=7), "3.1.1") is None
    assert properties.of_message(Message("t", b""), "5") is None


def test_a_connection_says_what_it_takes_and_how_long_its_session_is_kept() -> None:
    found = told(properties.of_connect(SETTINGS))
    assert (found["MaximumPacketSize"], found["ReceiveMaximum"]) == (256 << 10, 20)
    assert found["SessionExpiryInterval"] == 60
    assert told(properties.of_will(SETTINGS, "5")) == {"WillDelayInterval": 30}
    assert properties.of_will(SETTINGS, "3.1.1") is None
