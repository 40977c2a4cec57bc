"""The life of the settings that are wanted over those of the file, as a table."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class SettingsState(Enum):
    """Where they stand."""

    IDLE = "idle"
    WAITING = "waiting"
    PROBATION = "probation"
    ACTIVE = "active"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"


class Moment(Enum):
    """What moves them."""

    WANTED = "wanted"
    BEGUN = "begun"
    PASSED = "passed"
    MET = "met"
    DROPPED = "dropped"
    REFUSED = "refused"
    FAILED = "failed"
    BOOT = "boot"


_S, _M = SettingsState, Moment

TABLE: Mapping[tuple[SettingsState, Moment], SettingsState] = {
    (_S.IDLE, _M.WANTED): _S.WAITING,
    (_S.IDLE, _M.MET): _S.ACTIVE,
    (_S.IDLE, _M.BOOT): _S.IDLE,
    (_S.WAITING, _M.WANTED): _S.WAITING,
    (_S.WAITING, _M.BEGUN): _S.PROBATION,
    (_S.WAITING, _M.REFUSED): _S.REJECTED,
    (_S.WAITING, _M.FAILED): _S.ROLLED_BACK,
    (_S.WAITING, _M.MET): _S.ACTIVE,
    (_S.WAITING, _M.DROPPED): _S.IDLE,
    (_S.WAITING, _M.BOOT): _S.WAITING,
    (_S.PROBATION, _M.PASSED): _S.ACTIVE,
    (_S.PROBATION, _M.FAILED): _S.ROLLED_BACK,
    (_S.PROBATION, _M.REFUSED): _S.REJECTED,
    (_S.PROBATION, _M.WANTED): _S.WAITING,
    (_S.PROBATION, _M.MET): _S.ACTIVE,
    (_S.PROBATION, _M.DROPPED): _S.IDLE,
    (_S.PROBATION, _M.BOOT): _S.WAITING,
    (_S.ACTIVE, _M.WANTED): _S.WAITING,
    (_S.ACTIVE, _M.MET): _S.ACTIVE,
    (_S.ACTIVE, _M.DROPPED): _S.IDLE,
    (_S.ACTIVE, _M.REFUSED): _S.REJECTED,
    (_S.ACTIVE, _M.BOOT): _S.ACTIVE,
    (_S.REJECTED, _M.WANTED): _S.WAITING,
    (_S.REJECTED, _M.MET): _S.ACTIVE,
    (_S.REJECTED, _M.DROPPED): _S.IDLE,
    (_S.REJECTED, _M.BOOT): _S.REJECTED,
    (_S.ROLLED_BACK, _M.WANTED): _S.WAITING,
    (_S.ROLLED_BACK, _M.MET): _S.ACTIVE,
    (_S.ROLLED_BACK, _M.DROPPED): _S.IDLE,
    (_S.ROLLED_BACK, _M.BOOT): _S.ROLLED_BACK,
}
"""A start of the agent is an event like any other: what is on probation then waits for its next try, for
what is not active never boots."""
