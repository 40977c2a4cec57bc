"""The agent's side: asks the helper, and tells commands what became of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydantic import ValidationError

from agent.commands.seams import Answer
from agent.documents.base import read
from agent.documents.helper import REQUEST, Request
from agent.errors import Forbidden, MessageInvalid, Rejected
from agent.events import Event, emit
from agent.files import write_durably
from agent.host.places import read_own
from agent.host.told import ABLE, HOME, TOLD, Able, Told
from agent.validation import first_problem
from agent.workers.policy import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from agent.clock import Clock
    from agent.commands.seams import Order
    from agent.config.tables import Host
    from agent.plan import Plan
    from agent.processes.watch import Watched
    from agent.supervision.partners import Offer
    from agent.workers.lane import Lane

SEEN_S = 60.0
"""How long the helper may take to begin; the agent's stop, or the reboot, may take as long again."""
REST_S = 600.0
"""How long the machine must have been up before it is rebooted: no loop of reboots."""
_WELL = {State.RUNNING, State.RENEWING, State.ENDED, State.STOPPED}
"""One that is stopped waits for its first model: it is not to run."""
_MOST_SPARED = 64
_HINT = "See docs/operations.md, The machine"


class Helped:
    """The machine, through the helper: ``reach.machine``.

    Requests are small files, written durably in the supervisor's thread: a few a year.

    Args:
        host: the configuration.
        data: the data folder: requests stand in ``host`` there where nothing else is configured.
        lanes: one a pipeline.
        base: where relative paths of the configuration start.
        boot: this boot's id.
        online: whether the link is up.
        up_s: how long the machine is up, seconds.
    """

    def __init__(
        self,
        host: Host,
        data: Path,
        lanes: Sequence[Lane],
        *,
        base: Path,
        boot: str,
        online: Callable[[], bool],
        up_s: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._host = host
        self._lanes = lanes
        self._boot = boot
        self._online = online
        self._up_s = up_s
        self.folder = base / host.folder if host.folder else data / "host"
        self._home = base / (host.helper or HOME)

    def reboot(self, order: Order) -> _Asked | _Rebooted:
        """Have the machine rebooted; it is done when the agent is back in another boot.

        Raises:
            Forbidden: the configuration does not allow it, or no helper is there.
            Rejected: the last boot was just now.
        """
        if order.boot and order.boot != self._boot:
            return _Rebooted(self._boot)
        if not self._host.reboot:
            raise Forbidden("reboot", "the machine", "host.reboot of this device does not allow it")
        if not self._begun(order.id):
            self._may("reboot")
            if (up_s := self._up_s()) < REST_S:
                problem = f"its last boot was {up_s:.0f} s ago: {REST_S:.0f} s are the least"
                raise Rejected("reboot", "the machine", problem, "Send the command again later")
        return self._ask(Request(id=order.id, op="reboot"))

    def update(self, version: str, order: Order) -> _Asked:
        """Have another release installed and proven; the agent that runs at the end tells what came of it.

        Raises:
            Forbidden: the configuration does not allow it, or no helper is there.
            Rejected: it can be no version.
        """
        if not self._host.update:
            raise Forbidden("update", "the agent", "host.update of this device does not allow it")
        if not version:
            raise Rejected("update", "the agent", "no version is named")
        if not self._begun(order.id):
            self._may("update")
        try:
            spared = self.unwell()[:_MOST_SPARED]
            request = Request(id=order.id, op="update", version=version, online=self._online(), spared=spared)
        except ValidationError as error:
            raise Rejected("update", "the agent", first_problem(error)) from error
        return self._ask(request)

    def unwell(self) -> tuple[str, ...]:
        """Name the pipelines that ought to run, and do not."""
        return tuple(lane.name for lane in self._lanes if lane.state not in _WELL)

    def told(self) -> Told | None:
        """Give what the helper has said last; None where nothing, or nothing that can be read."""
        try:
            content = read_own(self._home / TOLD)
            return None if content is None else read(Told, content, TOLD)
        except (MessageInvalid, Rejected):
            return None

    def take_back(self) -> None:
        """Have the helper find no request that nobody waits for any more."""
        try:
            (self.folder / REQUEST).unlink(missing_ok=True)
        except OSError as error:  # the disk has become read-only
            emit(Event.STORE_FAILED, str(self.folder), problem=error)

    def _may(self, what: str) -> None:
        """See that a helper is there that may do this.

        Raises:
            Forbidden: there is none.
        """
        try:
            content = read_own(self._home / ABLE)
            able = None if content is None else read(Able, content, ABLE)
        except MessageInvalid:
            able = None
        if able is None or able.boot != self._boot:
            raise Forbidden(what, "the machine", "no helper is there since this boot", _HINT)
        if not (able.reboot if what == "reboot" else able.update):
            raise Forbidden(what, "the machine", "the helper's own configuration does not allow it", _HINT)

    def _begun(self, command: str) -> bool:
        told = self.told()
        return told is not None and told.id == command

    def _ask(self, request: Request) -> _Asked:
        """Write the request, unless the helper has it already.

        Raises:
            Rejected: the disk refuses.
        """
        if not self._begun(request.id):
            try:
                self.folder.mkdir(mode=0o700, exist_ok=True)
                write_durably(self.folder / REQUEST, request.model_dump_json().encode())
            except OSError as error:
                problem = error.strerror or "the disk refuses"
                raise Rejected(request.op, str(self.folder), problem, _HINT) from error
        return _Asked(self, request)


class _Asked:
    """A request that the helper has, or is to take."""

    def __init__(self, machine: Helped, request: Request) -> None:
        self._machine = machine
        self._request = request
        self._until = 0.0

    def tick(self, now: float) -> Answer | None:
        """Look what became of it.

        Raises:
            Rejected: it was refused, has failed, or nobody takes it.
        """
        request = self._request
        told = self._machine.told()
        ours = told if told is not None and told.id == request.id else None
        if ours is not None and ours.last:
            if ours.state == "done":
                return Answer({"version": ours.version})
            raise Rejected(request.op, request.version or "the machine", ours.reason)
        self._until = self._until or now + SEEN_S * (1 if ours is None else 2)
        if now >= self._until and (ours is None or request.op == "reboot"):
            self._machine.take_back()
            problem = "no helper has taken the request" if ours is None else "the machine did not go down"
            raise Rejected(request.op, request.version or "the machine", problem, _HINT)
        return None

    def watched(self) -> Iterable[Watched]:
        """Give nothing: its process is not ours."""
        return ()

    def stop(self) -> None:
        """The request stays: it is why the agent ends."""


class _Rebooted:
    """The machine is back."""

    def __init__(self, boot: str) -> None:
        self._boot = boot

    def tick(self, now: float) -> Answer | None:
        """Say so."""
        del now
        return Answer({"boot": self._boot})

    def watched(self) -> Iterable[Watched]:
        """Give nothing."""
        return ()

    def stop(self) -> None:
        """Nothing is left."""


def helped(plan: Plan, offer: Offer, clock: Clock) -> Helped:
    """Make the machine of a plan."""
    return Helped(
        plan.settings.host,
        plan.data,
        offer.lanes,
        base=plan.folder,
        boot=clock.boot,
        online=offer.online,
    )
