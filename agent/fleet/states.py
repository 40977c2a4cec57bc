"""What devices say of themselves on ``up/state``: unsigned, so it is shown and never acted upon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from agent.errors import MessageInvalid

_MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class State:
    """What a device says of itself; nobody signs it.

    Attributes:
        online: whether it is connected to the broker.
        version: its agent's version.
    """

    online: bool
    version: str


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)  # later versions say more

    v: Literal[1]
    online: bool
    version: Annotated[str, StringConstraints(max_length=100, pattern=r"^[ -~]*$")] = ""


def decode(payload: bytes) -> State:
    """Read a device's state.

    Raises:
        MessageInvalid: it is none.
    """
    if len(payload) > _MOST_BYTES:
        raise MessageInvalid("read", "state", f"it has {len(payload)} bytes")
    try:
        document = _Document.model_validate_json(payload)
    except ValidationError as error:
        raise MessageInvalid("read", "state", "it is not what a device says of itself") from error
    return State(document.online, document.version)
