"""The life of a model in one pipeline, as a table: where it stands, and what moves it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ModelState(Enum):
    """Where a model stands."""

    DOWNLOADING = "downloading"
    VERIFIED = "verified"
    PROVING = "proving"
    PROBATION = "probation"
    ACTIVE = "active"
    PREVIOUS = "previous"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"


class Moment(Enum):
    """What moves a model."""

    FETCHED = "fetched"
    MISSED = "missed"
    PROVE = "prove"
    PROVED = "proved"
    PASSED = "passed"
    REPLACED = "replaced"
    RESTORED = "restored"
    REFUSED = "refused"
    FAILED = "failed"
    DIED = "died"
    BOOT = "boot"


_S, _M = ModelState, Moment

TABLE: Mapping[tuple[ModelState, Moment], ModelState] = {
    (_S.DOWNLOADING, _M.FETCHED): _S.VERIFIED,
    (_S.DOWNLOADING, _M.REFUSED): _S.REJECTED,
    (_S.DOWNLOADING, _M.BOOT): _S.DOWNLOADING,
    (_S.VERIFIED, _M.PROVE): _S.PROVING,
    (_S.VERIFIED, _M.MISSED): _S.DOWNLOADING,
    (_S.VERIFIED, _M.REFUSED): _S.REJECTED,
    (_S.VERIFIED, _M.BOOT): _S.VERIFIED,
    (_S.PROVING, _M.PROVED): _S.PROBATION,
    (_S.PROVING, _M.DIED): _S.VERIFIED,
    (_S.PROVING, _M.MISSED): _S.DOWNLOADING,
    (_S.PROVING, _M.REFUSED): _S.REJECTED,
    (_S.PROVING, _M.BOOT): _S.VERIFIED,
    (_S.PROBATION, _M.PASSED): _S.ACTIVE,
    (_S.PROBATION, _M.DIED): _S.VERIFIED,
    (_S.PROBATION, _M.REFUSED): _S.REJECTED,
    (_S.PROBATION, _M.FAILED): _S.ROLLED_BACK,
    (_S.PROBATION, _M.BOOT): _S.VERIFIED,
    (_S.ACTIVE, _M.REPLACED): _S.PREVIOUS,
    (_S.ACTIVE, _M.FAILED): _S.ROLLED_BACK,
    (_S.ACTIVE, _M.BOOT): _S.ACTIVE,
    (_S.PREVIOUS, _M.RESTORED): _S.ACTIVE,
    (_S.PREVIOUS, _M.BOOT): _S.PREVIOUS,
    (_S.REJECTED, _M.BOOT): _S.REJECTED,
    (_S.ROLLED_BACK, _M.BOOT): _S.ROLLED_BACK,
}
"""A start of the agent is an event like any other. Whoever was being proved, or on trial, starts at its proof
again: what is not active never boots."""
