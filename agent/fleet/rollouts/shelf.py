"""Where rollouts lie: DIR/rollouts/<name>.json, and beside each what people ask of who works on it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from agent.documents.base import Document
from agent.errors import AgentError, ConfigInvalid, MessageInvalid
from agent.files import advice, write_durably
from agent.fleet.rollouts.record import Rollout
from agent.fleet.rollouts.table import OVER
from agent.link.topics import NAME_HINT, is_name
from agent.processes.message import Count
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.fleet.rollouts.record import Plan

ROLLOUTS = "rollouts"
_ENDING, _ASKED = ".json", ".request"
_MODE = 0o644
_MOST_BYTES = 256 << 20
_MOST_REQUEST = 4096
Want = Literal["pause", "abort"]


class Request(Document):
    """What somebody asks of who works on a rollout; ``at`` is wall clock, seconds since 1970."""

    v: Literal[1] = 1
    want: Want
    at: Count = Field(default=0)


class Shelf:
    """The rollouts of an operator's folder.

    Args:
        folder: the operator's.
    """

    def __init__(self, folder: Path) -> None:
        self.place = folder / ROLLOUTS

    def path(self, name: str) -> Path:
        """Where a rollout's file lies.

        Raises:
            ConfigInvalid: none can be called so.
        """
        if not is_name(name):
            raise ConfigInvalid("open rollout", repr(name), "none can be called so", NAME_HINT)
        return self.place / f"{name}{_ENDING}"

    def names(self) -> list[str]:
        """Name all rollouts."""
        found = sorted(one.name.removesuffix(_ENDING) for one in self.place.glob(f"*{_ENDING}"))
        return [one for one in found if is_name(one)]

    def read(self, name: str) -> Rollout:
        """Give a rollout.

        Raises:
            ConfigInvalid: there is none of this name.
            MessageInvalid: its file is damaged.
        """
        path = self.path(name)
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise MessageInvalid("read rollout", str(path), "it is too large", _RESTORE)
            return Rollout.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            known = ", ".join(self.names()) or "none"
            hint = f"There are: {known}"
            raise ConfigInvalid("open rollout", name, f"it is not in {self.place}", hint) from None
        except ValidationError as error:
            raise MessageInvalid("read rollout", str(path), first_problem(error), _RESTORE) from error

    def write(self, rollout: Rollout) -> None:
        """Keep a rollout, durably.

        Raises:
            AgentError: the disk refuses.
        """
        with _disk(self.place):
            self.place.mkdir(mode=0o755, exist_ok=True)
            write_durably(self.path(rollout.plan.name), rollout.model_dump_json().encode(), _MODE)

    def ask(self, name: str, want: Want, at: int) -> None:
        """Leave a request for who works on a rollout.

        Raises:
            AgentError: the disk refuses.
        """
        with _disk(self.place):
            content = Request(want=want, at=at).model_dump_json().encode()
            write_durably(self._asked(name), content, _MODE)

    def asked(self, name: str) -> Want | None:
        """Give what is asked.

        Raises:
            MessageInvalid: the request is damaged.
        """
        path = self._asked(name)
        try:
            with path.open("rb") as file:
                return Request.model_validate_json(file.read(_MOST_REQUEST)).want
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise MessageInvalid(
                "read", str(path), first_problem(error), "Delete it, and ask again"
            ) from error

    def answered(self, name: str) -> None:
        """Take a request away: what was asked is kept in the rollout's file.

        Raises:
            AgentError: the disk refuses.
        """
        with _disk(self.place):
            self._asked(name).unlink(missing_ok=True)

    def lock(self, name: str) -> Path:
        """Give the file that who works on a rollout holds locked; "" is for all of them.

        Raises:
            AgentError: the disk refuses.
        """
        with _disk(self.place):
            self.place.mkdir(mode=0o755, exist_ok=True)
        return self.place / (f".{name}.lock" if name else ".lock")

    def free(self, plan: Plan, devices: set[str]) -> None:
        """Refuse a plan for which there is no room: its name is taken, or a device is in another's hand.

        Raises:
            ConfigInvalid: that is so.
            MessageInvalid: another rollout's file is damaged.
        """
        if self.path(plan.name).exists():
            hint = "Give another --name"
            raise ConfigInvalid("start rollout", plan.name, "there is one of this name", hint)
        for name in self.names():
            other = self.read(name)
            if other.state in OVER or not set(other.plan.pipelines) & set(plan.pipelines):
                continue
            if both := sorted(set(other.members) & devices):
                problem = f"rollout {name} is {other.state}, and has the same pipeline of {both[0]}"
                hint = f"Finish it: edgectl rollout resume {name}, or: edgectl rollout abort {name}"
                raise ConfigInvalid("start rollout", plan.name, problem, hint)

    def _asked(self, name: str) -> Path:
        return self.path(name).with_suffix(_ASKED)


_RESTORE = "Put it back from a backup"


@contextmanager
def _disk(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problem = error.strerror or str(error)
        raise AgentError("write rollout in", str(place), problem, advice(error)) from error
