"""The topics of protocol v1. R = edge/v1/<fleet>; a device's own lie below R/d/<device>.

    R/d/<device>/up/results   batches of results              device -> collector
    R/d/<device>/down/ack     what is stored, retained        collector -> device
    R/d/<device>/up/state     online or not, retained         device (birth and last will)

Fleets, devices and streams are named with lower-case letters, digits, "-" and "_", starting with a letter
or digit, at most 63 characters: no name can hold a topic's separators or wildcards.
"""

from __future__ import annotations

import re

from agent.errors import ConfigInvalid, MessageInvalid

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
"""What a fleet, a device or a stream may be called."""

_NAME = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z")


def is_name(text: str) -> bool:
    """Whether ``text`` may name a fleet, a device or a stream."""
    return _NAME.match(text) is not None


def up_results(fleet: str, device: str) -> str:
    """Where a device sends its batches of results.

    Raises:
        ConfigInvalid: a name is not allowed; so for all functions here that make a topic.
    """
    return f"{_device(fleet, device)}/up/results"


def down_ack(fleet: str, device: str) -> str:
    """Where the collector says what it has stored of a device; retained."""
    return f"{_device(fleet, device)}/down/ack"


def up_state(fleet: str, device: str) -> str:
    """Where a device says that it is online; retained, and its last will."""
    return f"{_device(fleet, device)}/up/state"


def all_results(fleet: str) -> str:
    """The filter that matches ``up_results`` of every device in ``fleet``."""
    return f"{_root(fleet)}/d/+/up/results"


def sender_of_results(fleet: str, topic: str) -> str:
    """Give the device whose ``up_results`` this is.

    Raises:
        MessageInvalid: it is no such topic of this fleet.
    """
    start, end = f"{_root(fleet)}/d/", "/up/results"
    device = topic.removeprefix(start).removesuffix(end)
    if topic != f"{start}{device}{end}" or not is_name(device):
        raise MessageInvalid("read topic", repr(topic[:120]), "no device's results")
    return device


def _root(fleet: str) -> str:
    return f"edge/v1/{_checked('fleet', fleet)}"


def _device(fleet: str, device: str) -> str:
    return f"{_root(fleet)}/d/{_checked('device', device)}"


def _checked(what: str, name: str) -> str:
    if not is_name(name):
        raise ConfigInvalid(
            f"use {what} name",
            repr(name),
            "not allowed in a topic",
            "Use at most 63 of a-z, 0-9, '-' and '_', with a letter or digit first",
        )
    return name
