"""The operator's desired state of one device: the newest that is known, and the next one."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.documents import desired
from agent.documents.desired import Desired, Probation, Wanted
from agent.errors import AgentError, MessageInvalid
from agent.files import write_durably
from agent.fleet.keys import DEVICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from agent.signing import Signer, Verifier

_MODE = 0o644
_OP = "keep desired state"


@dataclass(frozen=True, slots=True)
class Change:
    """What the next desired state says that the last one did not; None leaves a value as it was."""

    pipeline: str
    wanted: Wanted
    frames: int | None = None
    seconds: float | None = None
    deadline_s: float | None = None


def path_of(folder: Path, device: str) -> Path:
    """Where the last desired state lies that was sent to a device."""
    return folder / DEVICES / f"{device}.desired.json"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else changes a desired state in this folder, or the key that signs them.

    Raises:
        AgentError: there is no such folder.
    """
    try:
        descriptor = os.open(folder / DEVICES, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        hint = "Name the folder that edgectl init made, with --dir"
        raise AgentError("open", str(folder / DEVICES), error.strerror or str(error), hint) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def ours(folder: Path, fleet: str, device: str) -> Desired | None:
    """Give the last one that was sent from this folder; its own file needs no proof.

    Raises:
        MessageInvalid: the file is damaged, or another fleet's.
    """
    path = path_of(folder, device)
    try:
        payload = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        hint = "Check its permissions"
        raise AgentError("read", str(path), error.strerror or str(error), hint) from error
    try:
        return desired.decode(payload, None, fleet=fleet, device=device)
    except MessageInvalid as error:
        hint = "Delete it if it is not the last word: the broker's is taken then"
        raise MessageInvalid("read", str(path), error.problem, hint) from error


def theirs(
    payload: bytes | None, verifiers: Sequence[Verifier], fleet: str, device: str
) -> tuple[Desired | None, str]:
    """Give the one that the broker keeps, and why it does not count, where it does not."""
    if not payload:
        return None, ""
    try:
        return desired.decode(payload, verifiers, fleet=fleet, device=device), ""
    except MessageInvalid as error:
        return None, error.problem


def following(
    before: Sequence[Desired | None], change: Change, *, fleet: str, device: str, floor: int, issued: int
) -> Desired:
    """Make the next desired state.

    Args:
        before: those that are known; the one of the highest generation is changed.
        change: what is new.
        fleet: the fleet.
        device: the device.
        floor: a generation that the device has taken; the next one is above it, too.
        issued: seconds since 1970.
    """
    last = max((one for one in before if one), key=lambda one: one.generation, default=None)
    probation = last.probation if last else Probation()
    news = {"frames": change.frames, "seconds": change.seconds}
    news = {key: value for key, value in news.items() if value is not None}
    deadline_s = change.deadline_s or (
        last.deadline_s if last else Desired.model_fields["deadline_s"].default
    )
    return Desired(
        fleet=fleet,
        device=device,
        generation=max(last.generation if last else 0, floor) + 1,
        models={**(last.models if last else {}), change.pipeline: change.wanted},
        probation=Probation.model_validate({**probation.model_dump(), **news}),
        deadline_s=deadline_s,
        issued=issued,
    )


def keep(folder: Path, wish: Desired, signer: Signer) -> bytes:
    """Sign a desired state and write it into the folder, before anybody hears of it; give the message.

    Raises:
        AgentError: the folder cannot be written.
    """
    payload = desired.encode(wish, signer)
    path = path_of(folder, wish.device)
    try:
        write_durably(path, payload, _MODE)
    except OSError as error:
        raise AgentError(
            _OP, str(path), error.strerror or str(error), "Free the disk, or its folder"
        ) from error
    return payload
