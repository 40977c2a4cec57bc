"""The numbers of commands, as DIR/counters.json: they rise with each one that is signed here.

A number is the wall clock in microseconds, or one more than the last where the clock is behind that: so two
machines that sign with one key interleave as their clocks do. One whose clock is behind the other's has its
commands refused as replayed by devices that have just obeyed the other; sent anew, they are numbered anew.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import AgentError, ConfigInvalid
from agent.files import advice, write_durably
from agent.processes.message import Count
from agent.validation import first_problem

if TYPE_CHECKING:
    from pathlib import Path

FILE = "counters.json"
_MODE = 0o600


class _Counters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    v: Literal[1] = 1
    command: Annotated[Count, Field(ge=0)]


def numbered(folder: Path, count: int, now_us: int) -> int:
    """Give the first of so many numbers in a row, which nobody else gets from this folder; durably.

    Args:
        folder: the operator's.
        count: how many.
        now_us: wall time, microseconds since 1970.

    Raises:
        ConfigInvalid: the file is damaged.
        AgentError: the folder is not there, or the disk refuses.
    """
    path = folder / FILE
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            first = max(_last(path) + 1, now_us)
            kept = _Counters(command=first + count - 1)
            write_durably(path, kept.model_dump_json().encode(), _MODE)
        finally:
            os.close(descriptor)
    except OSError as error:
        problem = error.strerror or str(error)
        raise AgentError("number commands in", str(path), problem, advice(error)) from error
    except ValidationError as error:
        hint = "Delete it: the clock gives the next number"
        raise ConfigInvalid("read", str(path), first_problem(error), hint) from error
    return first


def _last(path: Path) -> int:
    try:
        return _Counters.model_validate_json(path.read_bytes()).command
    except FileNotFoundError:
        return 0
