"""Sends commands, and waits for what comes of them.

    with Commander(folder, fleet, settings, passphrase) as commander:
        results = commander.run("restart", {"pipeline": "door"}, devices=["gate-1"])

The same bytes go again every 20 s to whose last word is missing: a device that has done it says so again.
When the command may be begun no more, they go to those alone that have begun it.
"""

from __future__ import annotations

import functools
import math
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from agent.documents import outcome as outcomes
from agent.errors import ConfigInvalid
from agent.fleet import inventory
from agent.fleet.commanding.files import Files
from agent.fleet.commanding.gathering import Gathering, Result
from agent.fleet.commanding.orders import Letter, Order, Pen
from agent.fleet.keys import DEVICES, DeviceKeys
from agent.fleet.talk import Talk
from agent.link import topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from agent.documents.outcome import Outcome
    from agent.fleet.inventory import Entry
    from agent.link.settings import LinkMessage, LinkSettings

_AGAIN_S = 20.0
_GRACE_S = 60.0
"""So long after the expiry a device whose clock is behind may still begin."""
_AWAY_S = 60.0
"""So long the broker may be away while a command is sent."""
_FEW = 250
"""Silent devices that are sent a group's command on their own topics: more get it on the group's again."""
_ANSWERS, _FILES = "up/res", "up/diag"


@dataclass(frozen=True, slots=True)
class Whom:
    """For whom a command is: devices by name, groups of the operator's list, or every device on it."""

    devices: Sequence[str] = ()
    groups: Sequence[str] = ()
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """How a command is given.

    Attributes:
        timeout_s: so long to wait for outcomes, seconds.
        expires_s: so long it may be begun, seconds.
        bare: do not sign it.
        step: told of each device's news.
    """

    timeout_s: float = 60.0
    expires_s: float = 300.0
    bare: bool = False
    step: Callable[[Result], object] = field(default=lambda _: None)


class Commander:
    """A connection over which commands go; to be entered.

    Args:
        folder: the operator's.
        fleet: the fleet.
        settings: of the link.
        passphrase: gives that of the control key, when one is signed.
        unsigned: believe what a device says without its signature.
        out: where files that come beside outcomes are put; None: they are not listened to.
        listen: further topics.
        heard: told of what comes on these.
    """

    def __init__(
        self,
        folder: Path,
        fleet: str,
        settings: LinkSettings,
        passphrase: Callable[[], str],
        *,
        unsigned: bool = False,
        out: Path | None = None,
        listen: Sequence[str] = (),
        heard: Callable[[LinkMessage], object] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._fleet = fleet
        self._keys = DeviceKeys(folder, unsigned=unsigned)
        self._out = out
        self._heard = heard
        self._pen = Pen(folder, fleet, passphrase)
        files = [topics.all_diag(fleet)] if out else []
        self._talk = Talk(settings, [topics.all_res(fleet), *files, *listen])

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            ConfigInvalid: the folder is not there.
            LinkLost: the broker is away, or refuses us.
        """
        if not self._folder.is_dir():
            hint = "Name the operator's folder: --dir DIR; or make one: edgectl init DIR"
            raise ConfigInvalid("open", str(self._folder), "there is no such folder", hint)
        with ExitStack() as stack:
            stack.enter_context(self._talk)
            self._talk.connected()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._talk.__exit__()

    def run(
        self,
        op: str,
        args: Mapping[str, Any],
        *,
        devices: Sequence[str] = (),
        groups: Sequence[str] = (),
        everyone: bool = False,
        timeout_s: float = 60.0,
        expires_s: float = 300.0,
    ) -> list[Result]:
        """Give a signed command, and wait; see ``give``."""
        return self.give(op, args, Whom(devices, groups, everyone), Terms(timeout_s, expires_s))

    def give(self, op: str, args: Mapping[str, Any], whom: Whom, terms: Terms) -> list[Result]:
        """Give a command, and wait until each device has had its last word, or time is up.

        Args:
            op: what is to be done.
            args: how; JSON.
            whom: for whom; revoked devices are never meant.
            terms: how long, and whether it is signed.

        Returns:
            Where each device stands, by name.

        Raises:
            ConfigInvalid: there is no such device or group, a key is missing, or no device takes its word.
            MessageInvalid: the command cannot be sent so.
            LinkLost: the broker is away for too long while it is sent, or refuses us.
        """
        addressed = self._addressed(whom)
        audiences = list(dict.fromkeys(addressed.values()))
        if not terms.bare:
            self._pen.check(op)
        began = time.monotonic()
        order = self._pen.write(
            op, args, audiences, now_s=time.time(), expires_s=terms.expires_s, bare=terms.bare
        )
        gathering = Gathering(order.id, addressed)
        with closing(Files(self._out, self._fleet, order.id, addressed, self._keys)) as files:
            self._send(order.letters.values(), terms.expires_s)
            self._await(order, addressed, gathering, files, began, terms)
            return [
                replace(
                    one,
                    files=tuple(files.whole(one.device)),
                    lacking=tuple(files.lacking(one.device)),
                    refused=files.refused(one.device),
                )
                for one in gathering.results
            ]

    def hear(self, seconds: float) -> None:
        """Take in what comes on the further topics, for so long.

        Raises:
            LinkLost: the broker refuses us.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if (message := self._talk.next(left)) is not None:
                self._heard(message)

    def _addressed(self, whom: Whom) -> dict[str, str]:
        """Give those whose word is waited for, each with the audience by which it hears the command."""
        if whom.everyone:
            found = {one.name: "all" for one in inventory.read(self._folder) if not one.revoked}
        else:
            entries = inventory.chosen(self._folder, list(whom.devices), list(whom.groups))
            found = audiences_of(entries, whom.groups)
        if not found:
            hint = "Name a device, --group or --all; edgectl enroll adds devices"
            raise ConfigInvalid("choose devices", str(self._folder / DEVICES), "none is meant", hint)
        return found

    def _send(self, letters: Iterable[Letter], expires_s: float) -> None:
        messages = [(one.topic, functools.partial(_same, one.payload)) for one in letters]
        self._talk.send(messages, _AWAY_S, retain=False, expiry_s=max(1, math.ceil(expires_s)))

    def _await(  # noqa: PLR0917 - what was sent, and what has come
        self,
        order: Order,
        addressed: Mapping[str, str],
        gathering: Gathering,
        files: Files,
        began: float,
        terms: Terms,
    ) -> None:
        now = time.monotonic()
        give_up, expires, again = began + terms.timeout_s, began + terms.expires_s, now + _AGAIN_S
        while not (gathering.over and files.over) and now < give_up:
            message = self._talk.next(max(0.0, min(again, give_up) - now))
            if message is not None:
                self._take(message, gathering, files, terms.step)
            now = time.monotonic()
            if now < again:
                continue
            again = now + _AGAIN_S
            rest = (gathering.pending if now < expires else gathering.working) or files.pending
            if not rest and now > expires + _GRACE_S:
                return  # nobody can begin it any more
            if rest and self._talk.up is not None:
                self._send(self._again(order, addressed, rest), expires - now)

    def _again(self, order: Order, addressed: Mapping[str, str], rest: Sequence[str]) -> list[Letter]:
        """Give what is sent again: to each device on its own topic, or where that is many, to all."""
        if len(rest) > _FEW:
            return list(order.letters.values())
        return [
            Letter(topics.down_cmd(self._fleet, name), order.letters[addressed[name]].payload)
            for name in rest
        ]

    def _take(
        self, message: LinkMessage, gathering: Gathering, files: Files, step: Callable[[Result], object]
    ) -> None:
        if device := topics.sender_below(self._fleet, message.topic, _ANSWERS):
            read = functools.partial(self._read, device, message.payload, files)
            if (news := gathering.take(device, read, len(message.payload))) is not None:
                step(news)
        elif device := topics.sender_below(self._fleet, message.topic, _FILES):
            files.take(device, message.payload)
        else:
            self._heard(message)

    def _read(self, device: str, payload: bytes, files: Files) -> Outcome:
        found = outcomes.decode(payload, self._keys.verifier(device), fleet=self._fleet, device=device)
        if found.id == files.identity:
            files.expect(device, found)
        return found


def audiences_of(entries: Sequence[Entry], groups: Sequence[str]) -> dict[str, str]:
    """Give each device the one audience by which it hears a command: who heard two would refuse one.

    A group of which somebody hears it by another one already is not addressed as a whole.

    Args:
        entries: those that are meant.
        groups: those that were named, as far as a message to all of them will do.
    """
    found: dict[str, str] = {}
    for group in dict.fromkeys(groups):
        members = [one.name for one in entries if group in one.groups]
        if not found.keys() & set(members):
            found |= dict.fromkeys(members, f"g/{group}")
    return {one.name: found.get(one.name, f"d/{one.name}") for one in entries}


def _same(payload: bytes) -> bytes:
    return payload
