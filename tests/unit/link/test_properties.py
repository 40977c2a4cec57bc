"""What MQTT 5 lets us say is said there, and nowhere else."""

from __future__ import annotations

from agent.link import properties
from agent.link.settings import LinkSettings, Message

SETTINGS = LinkSettings("broker", 1883, "device", session_expiry_s=60, will_delay_s=30)


def test_a_message_says_how_long_it_is_kept_for_who_is_away() -> None:
    found = properties.of_message(Message("t", b"", expiry_s=7), "5")
    assert found is not None
    assert found.MessageExpiryInterval == 7
    assert properties.of_message(Message("t", b"", expiry_s=7), "3.1.1") is None
    assert properties.of_message(Message("t", b""), "5") is None


def test_a_connection_says_what_it_takes_and_how_long_its_session_is_kept() -> None:
    found = properties.of_connect(SETTINGS)
    assert (found.MaximumPacketSize, found.ReceiveMaximum) == (256 << 10, 20)
    assert found.SessionExpiryInterval == 60
    will = properties.of_will(SETTINGS, "5")
    assert will is not None
    assert will.WillDelayInterval == 30
    assert properties.of_will(SETTINGS, "3.1.1") is None
