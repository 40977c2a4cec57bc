"""The topics of protocol v1. R = edge/v1/<fleet>; a device's own lie below R/d/<device>.

    R/d/<device>/up/results   batches of results and alerts   device -> collector
    R/d/<device>/up/metrics   batches of metrics              device -> collector
    R/d/<device>/down/ack     what is stored, retained        collector -> device
    R/d/<device>/up/state     online or not, retained         device (birth and last will)
    R/d/<device>/down/desired which models to run, retained   operator -> device
    R/d/<device>/up/reported  what came of it, retained       device -> operator
    R/d/<device>/down/cmd     commands                        operator -> device
    R/g/<group>/cmd           commands                        operator -> devices of a group
    R/all/cmd                 commands                        operator -> all devices
    R/d/<device>/up/res       what became of commands         device -> operator
    R/d/<device>/up/diag      files beside those, in parts    device -> operator
    R/d/<device>/up/logs      lines of the log, when asked    device -> operator
    R/d/<device>/up/vitals    how it does now, retained       device -> operator
    R/d/<device>/up/ha        sensors for Home Assistant, retained  device -> Home Assistant
    R/d/<device>/echo/<n>     a device to itself: what a broker has not sent before it, it does not have
    R/tuf/meta/<file>         update metadata, retained       publisher -> devices
    R/tuf/hint                which of it is new, retained    publisher -> devices
    R/tuf/blob/<sha256>/<n>   chunks of files, retained       publisher -> devices

Fleets, devices and streams are named with lower-case letters, digits, "-" and "_", starting with a letter
or digit, at most 63 characters: no name can hold a topic's separators or wildcards.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.errors import ConfigInvalid, WrongTopic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.blocks import Stream

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
"""What a fleet, a device or a stream may be called."""

NAME_HINT = "Use at most 63 of a-z, 0-9, '-' and '_', with a letter or digit first"

_NAME = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z")


def is_name(text: str) -> bool:
    """Whether ``text`` may name a fleet, a device or a stream."""
    return _NAME.match(text) is not None


def up_results(fleet: str, device: str) -> str:
    """Where a device sends its batches of results and alerts.

    Raises:
        ConfigInvalid: a name is not allowed; so for all functions here that make a topic.
    """
    return f"{_device(fleet, device)}/up/results"


def up_metrics(fleet: str, device: str) -> str:
    """Where a device sends its batches of metrics."""
    return f"{_device(fleet, device)}/up/metrics"


def up_batches(fleet: str, device: str) -> dict[Stream, str]:
    """Where a device sends the batches of each stream."""
    results = up_results(fleet, device)
    return {"alert": results, "result": results, "metric": up_metrics(fleet, device)}


def down_ack(fleet: str, device: str) -> str:
    """Where the collector says what it has stored of a device; retained."""
    return f"{_device(fleet, device)}/down/ack"


def up_state(fleet: str, device: str) -> str:
    """Where a device says that it is online; retained, and its last will."""
    return f"{_device(fleet, device)}/up/state"


def down_desired(fleet: str, device: str) -> str:
    """Where the operator says which models a device shall run; retained."""
    return f"{_device(fleet, device)}/down/desired"


def up_reported(fleet: str, device: str) -> str:
    """Where a device says what came of its desired state; retained."""
    return f"{_device(fleet, device)}/up/reported"


def down_cmd(fleet: str, device: str) -> str:
    """Where the operator sends commands to one device."""
    return f"{_device(fleet, device)}/down/cmd"


def group_cmd(fleet: str, group: str) -> str:
    """Where the operator sends commands to the devices of a group."""
    return f"{_root(fleet)}/g/{_checked('group', group)}/cmd"


def all_cmd(fleet: str) -> str:
    """Where the operator sends commands to every device."""
    return f"{_root(fleet)}/all/cmd"


def commands(fleet: str, device: str, groups: Iterable[str]) -> set[str]:
    """All topics on which commands for a device come: its own, those of its groups, and everybody's."""
    return {down_cmd(fleet, device), all_cmd(fleet), *(group_cmd(fleet, group) for group in groups)}


def up_res(fleet: str, device: str) -> str:
    """Where a device says what became of commands."""
    return f"{_device(fleet, device)}/up/res"


def up_diag(fleet: str, device: str) -> str:
    """Where a device sends files beside the outcomes of commands, in parts."""
    return f"{_device(fleet, device)}/up/diag"


def up_logs(fleet: str, device: str) -> str:
    """Where a device sends lines of its log while somebody has asked for them."""
    return f"{_device(fleet, device)}/up/logs"


def up_vitals(fleet: str, device: str) -> str:
    """Where a device says how it does; retained."""
    return f"{_device(fleet, device)}/up/vitals"


def said(fleet: str, device: str) -> tuple[str, str, str]:
    """The three topics on which a device says how it is, all retained: state, vitals, reported state."""
    return up_state(fleet, device), up_vitals(fleet, device), up_reported(fleet, device)


def up_ha(fleet: str, device: str) -> str:
    """Where a device tells the state of its sensors for Home Assistant; retained."""
    return f"{_device(fleet, device)}/up/ha"


def echo(fleet: str, device: str) -> str:
    """Where a device writes to itself; numbers follow."""
    return f"{_device(fleet, device)}/echo"


def tuf(fleet: str) -> str:
    """What the topics of update metadata and of models begin with: the files' paths follow. All retained."""
    return f"{_root(fleet)}/tuf/"


def tuf_hint(fleet: str) -> str:
    """Where the newest versions of the metadata are told, unsigned: it only saves asking."""
    return f"{_root(fleet)}/tuf/hint"


def all_batches(fleet: str) -> tuple[str, str]:
    """The filters that match ``up_batches`` of every device in ``fleet``."""
    return f"{_root(fleet)}/d/+/up/results", f"{_root(fleet)}/d/+/up/metrics"


def all_states(fleet: str) -> str:
    """The filter that matches ``up_state`` of every device in ``fleet``."""
    return f"{_root(fleet)}/d/+/up/state"


def all_res(fleet: str) -> str:
    """The filter that matches ``up_res`` of every device in ``fleet``."""
    return f"{_root(fleet)}/d/+/up/res"


def all_reported(fleet: str) -> str:
    """The filter that matches ``up_reported`` of every device in ``fleet``."""
    return f"{_root(fleet)}/d/+/up/reported"


def all_diag(fleet: str) -> str:
    """The filter that matches ``up_diag`` of every device in ``fleet``."""
    return f"{_root(fleet)}/d/+/up/diag"


def all_vitals(fleet: str) -> str:
    """The filter that matches ``up_vitals`` of every device in ``fleet``."""
    return f"{_root(fleet)}/d/+/up/vitals"


def sender_below(fleet: str, topic: str, ending: str) -> str | None:
    """Give the device whose topic this is, with this ending, as "up/res"; None when it is no such topic."""
    device = topic.removeprefix(f"{_root(fleet)}/d/").removesuffix(f"/{ending}")
    return device if is_name(device) and topic == f"{_device(fleet, device)}/{ending}" else None


def sender_of_state(fleet: str, topic: str) -> str | None:
    """Give the device whose state this topic tells; None when it is no such topic."""
    return sender_below(fleet, topic, "up/state")


def sender_of_batch(fleet: str, topic: str) -> str:
    """Give the device that sends batches on this topic.

    Raises:
        WrongTopic: it is no such topic of this fleet.
    """
    device = sender_below(fleet, topic, "up/results") or sender_below(fleet, topic, "up/metrics")
    if device is None:
        raise WrongTopic("read topic", repr(topic[:120]), "no device's batches")
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
            NAME_HINT,
        )
    return name
