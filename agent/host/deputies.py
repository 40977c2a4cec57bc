"""Who does for the helper what root should not: fetching from a network, running what is not proven."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent.documents.base import read
from agent.errors import MessageInvalid, Rejected
from agent.files import write_durably
from agent.host.orders import FETCH, FETCHED, HOME, TRY, WHEELS, Done, Order, answer_of, order_of
from agent.host.places import read_own
from agent.host.programs import INSTALL_S, called, run

if TYPE_CHECKING:
    from collections.abc import Sequence

_WHEEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+!]*(-[A-Za-z0-9_.+!]+){4,5}\.whl")
"""A wheel's name: https://packaging.python.org/en/latest/specifications/binary-distribution-format/"""
_MOST_WHEELS, _MOST_BYTES = 200, 2 << 30
_GRACE_S = 60.0
"""How much longer than the program the unit may take: it has its own limit."""


class Deputies(Protocol):
    """What an update needs of them. Both raise ``Rejected`` where it fails."""

    def fetch(self, command: Sequence[str]) -> Path:
        """Run what downloads wheels into the folder ``wheels``; give it, with wheels alone in it."""

    def as_agent(self, command: Sequence[str]) -> str:
        """Run a program as the agent, in its sandbox; give the beginning of what it has printed."""

    def clear(self) -> None:
        """Remove what was fetched."""

    @property
    def wheels(self) -> Path:
        """Where wheels are to be downloaded to."""


class Units:
    """Services beside the helper, which systemd starts when the helper wants it, and confines.

    Args:
        orders: the folder of orders and answers.
        fetched: where the unit that fetches writes.
    """

    def __init__(self, orders: Path = Path(HOME), fetched: Path = Path(FETCHED)) -> None:
        self._orders = orders
        self.wheels = fetched / WHEELS

    def fetch(self, command: Sequence[str]) -> Path:
        """Run what downloads wheels, by a user who can do nothing else; what is no wheel is refused."""
        self.clear()
        self._have(FETCH, command)
        _only_wheels(self.wheels)
        return self.wheels

    def as_agent(self, command: Sequence[str]) -> str:
        """Run a program as the agent's own user, with the agent's devices and secrets."""
        return self._have(TRY, command)

    def clear(self) -> None:
        """Have systemd empty the cache of the unit that fetches."""
        run(["systemctl", "stop", f"{FETCH}.service"])
        run(["systemctl", "clean", "--what=cache", f"{FETCH}.service"])

    def _have(self, unit: str, command: Sequence[str]) -> str:
        """Have a unit do something, and wait for its end."""
        service, answer = f"{unit}.service", self._orders / answer_of(unit)
        run(["systemctl", "stop", service])  # it may be at what a helper ordered that was cut off
        answer.unlink(missing_ok=True)
        order = Order(command=tuple(command)).model_dump_json().encode()
        write_durably(self._orders / order_of(unit), order, 0o644, exact=True)
        run(["systemctl", "start", service], INSTALL_S + _GRACE_S)
        name = called(command)
        try:
            content = read_own(answer)
            done = None if content is None else read(Done, content, answer.name)
        except MessageInvalid as error:
            raise Rejected("run", name, f"its answer is none: {error.problem}") from error
        if done is None:
            raise Rejected("run", name, "it gave no answer", f"See journalctl -u {service}")
        if done.problem:
            raise Rejected("run", name, done.problem)
        return done.said


def _only_wheels(folder: Path) -> None:
    """See that a folder that somebody else has written holds plain files with wheels' names, and no more.

    Nobody writes there any more: the unit has ended, and all its processes with it.
    """
    size = 0
    try:
        if folder.is_symlink():
            raise Rejected("fetch", str(folder), "it is a link")
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                found = entry.stat(follow_symlinks=False)
                size += found.st_size
                plain = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
                if not plain or not _WHEEL.fullmatch(entry.name):
                    raise Rejected("fetch", entry.name[:100], "it is no wheel")
                if number >= _MOST_WHEELS or size > _MOST_BYTES:
                    raise Rejected("fetch", str(folder), "more came than a release can need")
    except OSError as error:
        raise Rejected("fetch", str(folder), error.strerror or "it cannot be read") from error
